//! Which names are those of secrets, and which values are secrets whatever their name.
//!
//! It must not know where in a message they stand.

use crate::http::unescape;

/// Longest name that is looked into. A longer one is taken for that of a secret, so that padding
/// hides nothing.
pub(super) const MAX_NAME_BYTES: usize = 128;

/// Query parameters that are secrets by their whole name. A code is what OAuth trades for a token
/// (RFC 6749, section 4.1.2), and an assertion or a SAML response another such (RFC 7521); `sign`
/// is a signature and `sid` a session. `country_code`, `account_sid` and `zodiac_sign` are none.
const SECRET_PARAMETERS: [&[u8]; 7] =
    [b"assertion", b"code", b"pin", b"pw", b"samlresponse", b"sid", b"sign"];

/// Whether a query or path parameter of this name, percent-encoded or not, holds a secret.
pub(super) fn is_secret_parameter(name: &[u8]) -> bool {
    let mut plain = [0; MAX_NAME_BYTES];
    let Some(length) = decode(name, &mut plain) else { return true };
    let plain = &plain[..length];
    SECRET_PARAMETERS.contains(&plain) || is_secret_name(plain)
}

/// Takes percent-encoding and case off `name`; none when it is too long.
fn decode(name: &[u8], plain: &mut [u8; MAX_NAME_BYTES]) -> Option<usize> {
    let mut length = 0;
    let mut rest = name;
    while let Some((octet, after)) = unescape(rest) {
        *plain.get_mut(length)? = octet.to_ascii_lowercase();
        rest = after;
        length += 1;
    }
    Some(length)
}

/// Whether `value` is a secret whatever its name: credentials behind their scheme (RFC 9110,
/// section 11.4), or a JSON Web Token. Every header is asked, so the first octet decides most
/// often.
pub(super) fn is_secret_value(value: &[u8]) -> bool {
    match value.first() {
        Some(b'b' | b'B') => [b"bearer", b"basic".as_slice()].iter().any(|scheme| {
            let parts = value.split_at_checked(scheme.len());
            parts.is_some_and(|(start, rest)| {
                start.eq_ignore_ascii_case(scheme) && matches!(rest, [b' ' | b'+', _, ..])
            })
        }),
        Some(b'e') => is_token(value),
        _ => false,
    }
}

/// Whether `value` has the shape of a JSON Web Token: three parts in base64url (RFC 7515, section
/// 3.1), the first of which is an object and so begins with `{"`. Some senders leave the padding
/// on.
fn is_token(value: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
    value.starts_with(b"eyJ")
        && value.split(|byte| *byte == b'.').count() == 3
        && value.iter().all(|byte| *byte == b'.' || is_base64(byte))
}

/// Whether `name`, in lower case, is one that secrets have.
pub(super) fn is_secret_name(name: &[u8]) -> bool {
    let has_word = || (0..name.len()).any(|place| starts_with_secret_word(&name[place..]));
    let has_part = || name.split(|byte| !byte.is_ascii_alphanumeric()).any(is_secret_part);
    name.len() > MAX_NAME_BYTES || has_word() || has_part()
}

/// Whether a part of a name, between characters that are neither letter nor digit, tells a secret.
/// `sas` is a shared access signature; `sidebar` and `assets` hold no such part.
fn is_secret_part(part: &[u8]) -> bool {
    matches!(
        part,
        b"auth"
            | b"authentication"
            | b"authkey"
            | b"bearer"
            | b"creds"
            | b"csrf"
            | b"dpop"
            | b"hmac"
            | b"jwt"
            | b"key"
            | b"otp"
            | b"pass"
            | b"pwd"
            | b"sas"
            | b"sess"
            | b"sig"
            | b"xsrf"
    )
}

/// Whether `text` starts with a word that tells a secret wherever it is in a name. The first
/// letters choose the words, because this runs at every octet of every name.
fn starts_with_secret_word(text: &[u8]) -> bool {
    let words: &[&[u8]] = match text {
        [b'a', b'c', ..] => &[b"accesskey"],
        [b'a', b'p', ..] => &[b"apikey"],
        [b'a', b'u', ..] => &[b"authorization"],
        [b'c', b'o', ..] => &[b"cookie"],
        [b'c', b'r', ..] => &[b"credential"],
        [b'p', b'a', ..] => &[b"passcode", b"password", b"passwd", b"passphrase"],
        [b'p', b'r', ..] => &[b"privatekey"],
        [b's', b'e', ..] => &[b"secret", b"sessid", b"session"],
        [b's', b'i', ..] => &[b"signature"],
        [b't', b'o', ..] => &[b"token"],
        _ => &[],
    };
    words.iter().any(|word| text.starts_with(word))
}
