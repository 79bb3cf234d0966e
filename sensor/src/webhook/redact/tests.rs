//! Names of secrets, and what is left of texts that hold some.

use proptest::prelude::*;

use super::signs::MAX_NAME_BYTES;
use super::*;
use crate::webhook::Table;

/// Those of the built-in providers.
fn roles() -> Roles {
    Table::new(&[]).roles().clone()
}

fn of_header<'a>(name: &[u8], value: &'a [u8]) -> Cow<'a, [u8]> {
    header_value(holding(name, &roles()), value)
}

fn check(covered: &[u8], expected: &str) {
    assert_eq!(String::from_utf8_lossy(covered), expected);
}

#[test]
fn headers_by_name() {
    let roles = roles();
    for name in [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-gitlab-token",
        "x-hub-signature",
        "x-hub-signature-256",
        "stripe-signature",
        "x-shopify-hmac-sha256",
        "paypal-transmission-sig",
        "x-signature-ed25519",
        "svix-signature",
        "webhook-signature",
        "x-api-key",
        "apikey",
        "x-amz-security-token",
        "x-auth",
        "x-functions-key",
        "x-secret",
        "x-session-id",
        "x-csrf",
        "x-acme-signature-v9",
        "x-acme-hmac",
        "x-user-password",
        "x-authorization-bearer",
        "authentication",
        "dpop",
        "x-sas",
        "author\0ization",
        "author\u{ff}ization",
        "x-plan ",
        "\u{b}x-plan",
        "",
    ] {
        assert!(is_secret_header(name.as_bytes(), &roles), "{name}");
    }
    for name in [
        "host",
        "user-agent",
        "content-type",
        "x-github-delivery",
        "x-event-key",
        "idempotency-key",
        "i-twilio-idempotency-token",
        "x-request-id",
        "www-authenticate",
        "x-keyboard",
        "x-sidebar",
        "x-assets",
        "x-compass",
        "x-country-code",
        "x-design",
    ] {
        assert!(!is_secret_header(name.as_bytes(), &roles), "{name}");
    }
    assert!(is_secret_header(&[b'x'; MAX_NAME_BYTES + 1], &roles));
}

#[test]
fn targets() {
    let check_target = |text: &str, expected: &str| check(&target(text.as_bytes()), expected);
    for same in [
        "/",
        "/a?b=c&d=e",
        "/token=a",
        "/a;v=1;token/b=c;sidebar=d",
        "/?u=https%3A%2F%2Fa%2F%3Fevent%3D1%26assets%3D2",
        "/?a=eyJub3RoaW5n&b=eyJ.a&c=bearer&d=basics+of",
        "/a@b",
        "//a@b/c",
        "*",
        "h:443",
        "/?token",
        "/?&&=;=#?",
        "/%zz?%zz=%",
        "/?country_code=ch",
        "/?monkey=1",
        "",
    ] {
        check_target(same, same);
    }
    check_target("/?token=a", "/?token=[redacted]");
    check_target("/?a=1&access_token=x&b=2", "/?a=1&access_token=[redacted]&b=2");
    check_target("/?a=1;token=x;y&b=2", "/?a=1;token=[redacted]&b=2");
    check_target("/?token=a=b?c#d/e;f&g=h", "/?token=[redacted]&g=h");
    check_target("/?%74OKEN=a&To%6ben=b", "/?%74OKEN=[redacted]&To%6ben=[redacted]");
    check_target(
        "/?user[password]=a&X-Amz-Signature=b",
        "/?user[password]=[redacted]&X-Amz-Signature=[redacted]",
    );
    check_target(
        "/?key=a&api_key=b&sig=c&code=d&code=",
        "/?key=[redacted]&api_key=[redacted]&sig=[redacted]&code=[redacted]&code=[redacted]",
    );
    check_target("/a#access_token=b", "/a#access_token=[redacted]");
    check_target("/?next=http://u:p@h/?token=a", "/?next=http://[redacted]@h/?token=[redacted]");
    check_target("http://u:p@h/?a", "http://[redacted]@h/?a");
    check_target("http://u@p@h?a@b", "http://[redacted]@h?a@b");
    check_target("u:p@h:443", "[redacted]@h:443");
    check_target("/?token=http://u:p@h", "/?token=[redacted]");
    check_target("http://u?token=a@h", "http://u?token=[redacted]");
    let padded = format!("/?{}token=a", "x".repeat(MAX_NAME_BYTES));
    check_target(&padded, &padded.replace("=a", "=[redacted]"));
}

#[test]
fn parameters_by_name() {
    let covered = |name: &str| {
        let text = format!("/?a=1&{name}=b");
        target(text.as_bytes()) == format!("/?a=1&{name}=[redacted]").as_bytes()
    };
    for name in [
        "session",
        "session_id",
        "PHPSESSID",
        "jsessionid",
        "sess",
        "sid",
        "auth",
        "jwt",
        "apiKey",
        "api-key",
        "client_secret",
        "csrf",
        "_xsrf",
        "otp",
        "pin",
        "pw",
        "user.passcode",
        "bearer",
        "creds",
        "sign",
        "assertion",
        "SAMLResponse",
        "authkey",
        "sas",
    ] {
        assert!(covered(name), "{name}");
    }
    for name in [
        "account_sid",
        "CallSid",
        "zodiac_sign",
        "pinned",
        "assertions",
        "possessed",
        "design",
        "hash",
        "id",
        "event",
        "nonce",
        "state",
        "ticket",
    ] {
        assert!(!covered(name), "{name}");
    }
}

#[test]
fn targets_with_secrets_out_of_their_usual_places() {
    let check_target = |text: &str, expected: &str| check(&target(text.as_bytes()), expected);
    check_target("/x;token=a", "/x;token=[redacted]");
    check_target("/x;v=1;jsessionid=a/b?c=d", "/x;v=1;jsessionid=[redacted]/b?c=d");
    check_target("//u:p@b/x", "//[redacted]@b/x");
    check_target(
        "/?u=https%3A%2F%2Fa%2F%3Ftoken%3Db%26c%3Dd&e=f",
        "/?u=https%3A%2F%2Fa%2F%3Ftoken%3D[redacted]%26c%3Dd&e=f",
    );
    check_target("/?u=https%3A%2F%2Fu%3Ap%40h", "/?u=https%3A%2F%2F[redacted]%40h");
    check_target("/?a=eyJhIjoxfQ.eyJiIjoyfQ.c-_&b=1", "/?a=[redacted]&b=1");
    check_target("/?a=Bearer%20b&c=basic+d", "/?a=[redacted]&c=[redacted]");
}

#[test]
fn queries_and_header_values() {
    check(&query(b"token=a&b"), "token=[redacted]&b");
    check(&query(b"a?token=a"), "a?token=[redacted]");
    check(&query(b"token=&a=%41"), "token=[redacted]&a=%41");
    check(&of_header(b"referer", b"https://h/p?code=a"), "https://h/p?code=[redacted]");
    check(
        &of_header(b"link", b"<https://u:p@h/>; rel=x, u@h"),
        "<https://[redacted]@h/>; rel=x, u@h",
    );
    check(&of_header(b"a", b"text; token=a, b@c"), "text; token=a, b@c");
    check(&of_header(b"x-forwarded-host", b"u:p@h:80"), "[redacted]@h:80");
    for secret in ["Bearer a", "basic YTpi", "eyJhIjoxfQ.eyJiIjoyfQ.c", "eyJhIjox==.eyJi.c="] {
        check(&of_header(b"x-amzn-oidc-data", secret.as_bytes()), "[redacted]");
    }
    for plain in ["Bearer", "basics of a", "eyJhIjoxfQ", "eyJ a.b.c", "bearers"] {
        check(&of_header(b"x-plan", plain.as_bytes()), plain);
    }
    check(
        &of_header(b"referer", b"https://h/p;jsessionid=a/b"),
        "https://h/p;jsessionid=[redacted]/b",
    );
    check(&of_header(b"cookie", b"a"), "[redacted]");
    check(&of_header(b"cookie", b""), "[redacted]");
    check(&of_header(b"host", b"a\rAuthorization: Digest b"), "[redacted]");
    check(&of_header(b"x-plan", b"a\rX-Plan: b"), "a\rX-Plan: b");
}

#[test]
fn identifiers_are_covered_as_values_are() {
    let check_identifier = |text: &str, expected: &str| {
        assert_eq!(identifier(text.to_owned()), expected);
    };
    for plain in ["72d3162e-cc78-11e3-81ab-4c9367dc0958", "Push Hook", "orders/create", "a\u{e9}"] {
        check_identifier(plain, plain);
    }
    for secret in ["Bearer a", "basic YTpi", "eyJhIjoxfQ.eyJiIjoyfQ.c"] {
        check_identifier(secret, "[redacted]");
    }
    check_identifier("https://u:p@h/?token=a&b=1", "https://[redacted]@h/?token=[redacted]&b=1");
}

proptest! {
    #[test]
    fn a_secret_value_is_never_left(
        before in "[a-z/?&;=#%@:.]{0,12}",
        name in "token|access_token|api_key|%73ecret|SIG|user%5Bpassword%5D",
        after in "(&[a-z=&;?#@:/.]{0,12})?",
    ) {
        let text = format!("/?{before}&{name}=S3CRET{after}");
        let covered = target(text.as_bytes());
        prop_assert!(!String::from_utf8_lossy(&covered).contains("S3CRET"), "{text}");
    }

    #[test]
    fn text_without_secrets_is_untouched(text in "/[a-f0-9/.]{0,20}(\\?[a-f]=[a-f0-9]{0,8})?") {
        prop_assert!(matches!(target(text.as_bytes()), Cow::Borrowed(_)));
    }

    #[test]
    fn no_octets_are_a_panic(text: Vec<u8>) {
        let roles = Roles::default();
        for covered in [target(&text), query(&text), of_header(b"x-plan", &text)] {
            prop_assert!(covered.len() <= text.len().max(1) * REDACTED.len() * 2);
        }
        is_secret_header(&text, &roles);
    }
}

/// Each octet at each place of values shorter than a block, of one, and longer than one.
#[test]
fn marks_are_found_at_any_place() {
    for octet in 0..=u8::MAX {
        let expected = octet <= b' ' || b"?#@;".contains(&octet);
        for length in 1..=33 {
            for place in 0..length {
                let mut value = vec![b'a'; length];
                value[place] = octet;
                assert_eq!(has_mark(&value), expected, "{octet} at {place} of {length}");
            }
        }
    }
}
