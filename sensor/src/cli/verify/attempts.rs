//! What else would make a request valid: the mistakes in configuring a receiver, tried one by one.
//!
//! It must not know how a signature is checked, only whether it is.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Trial;
use super::request_file::headers;
use crate::config::{Encoding, Scheme, Source};
use crate::http::{Headers, Target};
use crate::webhook::signature::hexadecimal;
use crate::webhook::{Message, payload};

/// Base64 with padding or without it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Under which condition `trial` would hold, in words that follow "it would be valid".
pub(super) fn would_match(trial: &Trial<'_>) -> Option<String> {
    another_secret(trial)
        .or_else(|| another_header(trial))
        .or_else(|| another_url(trial))
        .or_else(|| another_body(trial))
        .or_else(|| another_provider(trial))
}

fn another_secret(trial: &Trial<'_>) -> Option<String> {
    let schemes = || trial.provider.signature.iter();
    let forms = trial.secrets.iter().flat_map(|secret| {
        let rewritten = schemes().flat_map(|scheme| secret.rewritten(scheme.key));
        rewritten.map(move |(how, other)| (secret, how, other))
    });
    let mut holding = forms
        .filter(|(_, _, other)| Trial { secrets: std::slice::from_ref(other), ..*trial }.holds());
    holding.next().map(|(secret, how, _)| format!("with {} {how}", secret.reference()))
}

fn another_header(trial: &Trial<'_>) -> Option<String> {
    trial.provider.signature.iter().find_map(|scheme| {
        let Source::Header(name) = &scheme.signature else { return None };
        let is_it = |key: &[u8]| key.eq_ignore_ascii_case(name.as_bytes());
        let lines: Vec<_> = trial
            .message
            .headers
            .iter()
            .filter(|(key, _)| is_it(key))
            .map(|(_, line)| line)
            .collect();
        let tried = lines.iter().enumerate().flat_map(|(index, line)| {
            let line = String::from_utf8_lossy(line);
            let alone = (index > 0).then(|| {
                (format!("by the line {} of \"{name}\" alone", index + 1), line.to_string())
            });
            alone.into_iter().chain(rewritten(&line, scheme))
        });
        let mut holding = tried.filter(|(_, value)| {
            let changed = with_header(trial.message.headers, name, value);
            Trial { message: Message { headers: &changed, ..trial.message }, ..*trial }.holds()
        });
        holding.next().map(|(how, _)| how)
    })
}

/// How else the value of a signature's header may have been meant.
fn rewritten(line: &str, scheme: &Scheme) -> Vec<(String, String)> {
    let prefix = scheme.prefix.as_str();
    let bare = line.trim().trim_matches(['"', '\'']);
    let digits = match bare.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &bare[prefix.len()..],
        _ => bare,
    };
    let is_bare = digits.len() == bare.len();
    let how = if is_bare && !prefix.is_empty() {
        format!("if \"{prefix}\" stood before the signature")
    } else {
        format!("if it were {prefix:?} and the signature alone")
    };
    let mut tried = vec![(how, format!("{prefix}{digits}"))];
    let octets = match scheme.encoding {
        Encoding::Hex => LENIENT.decode(digits.replace('-', "+").replace('_', "/")).ok(),
        Encoding::Base64 => hexadecimal(digits.as_bytes())
            .or_else(|| LENIENT.decode(digits.replace('-', "+").replace('_', "/")).ok()),
    };
    if let Some(octets) = octets {
        let (name, text) = match scheme.encoding {
            Encoding::Hex => ("hexadecimal digits", digits_of(&octets)),
            Encoding::Base64 => ("base64 of the standard alphabet", STANDARD.encode(&octets)),
        };
        tried.push((format!("if the signature were in {name}"), format!("{prefix}{text}")));
    }
    tried
}

fn digits_of(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// `fields` with one value of `name`, in the place of all.
fn with_header(fields: &Headers, name: &str, value: &str) -> Headers {
    let others = fields.iter().filter(|(key, _)| !key.eq_ignore_ascii_case(name.as_bytes()));
    let owned =
        |(key, value): (&[u8], &[u8])| (String::from_utf8_lossy(key).into_owned(), value.to_vec());
    let mut fields: Vec<_> = others.map(owned).collect();
    fields.push((name.to_owned(), value.as_bytes().to_vec()));
    headers(&fields)
}

fn another_url(trial: &Trial<'_>) -> Option<String> {
    let url = trial.terms.url;
    if url.is_empty() {
        return None;
    }
    let (start, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    let other_slash = match start.strip_suffix('/') {
        Some(bare) => bare.to_owned(),
        None => format!("{start}/"),
    };
    let other_scheme = |url: &str| match url.split_once("://") {
        Some(("http", rest)) => format!("https://{rest}"),
        Some((_, rest)) => format!("http://{rest}"),
        None => url.to_owned(),
    };
    let parts = Target::parse(trial.message.method, trial.message.target);
    let text =
        |octets: Option<&[u8]>| String::from_utf8_lossy(octets.unwrap_or_default()).into_owned();
    let sent = text(parts.query);
    // As the request itself says it was called.
    let host = text(trial.message.headers.first("host"));
    let mark = if sent.is_empty() { "" } else { "?" };
    let own = format!("https://{host}{}{mark}{sent}", text(parts.path));
    let slashed = format!("{other_slash}{query}");
    let tried = [
        other_scheme(url),
        other_scheme(&slashed),
        slashed,
        start.to_owned(),
        format!("{start}?{sent}"),
        other_scheme(&own),
        own,
    ];
    let terms = |url| super::Terms { url, ..trial.terms };
    let found = tried.iter().find(|other| Trial { terms: terms(other.as_str()), ..*trial }.holds());
    found.map(|other| format!("if the provider called {other}"))
}

fn another_body(trial: &Trial<'_>) -> Option<String> {
    let body = trial.message.content.ok()?;
    let tried = [
        (
            "over the content before it was packed (Content-Encoding): it was packed behind the \
             signer",
            payload::unpacked(trial.message.headers, body),
        ),
        (
            "over the body decoded from base64, in which the file has it: what is signed is what \
             arrives",
            LENIENT.decode(body.trim_ascii()).ok(),
        ),
    ];
    let holds = |body: &[u8]| {
        Trial { message: Message { content: Ok(body), ..trial.message }, ..*trial }.holds()
    };
    let found = tried.into_iter().find(|(_, body)| body.as_deref().is_some_and(holds));
    found.map(|(how, _)| how.to_owned())
}

fn another_provider(trial: &Trial<'_>) -> Option<String> {
    let told =
        trial.table.told_by(trial.message.headers).map(|index| &trial.table.providers()[index]);
    let others = told.into_iter().chain(trial.table.providers());
    let mut others = others.filter(|other| other.name != trial.provider.name);
    let found = others.find(|other| Trial { provider: other, ..*trial }.holds())?;
    Some(format!("as a delivery of {}: --provider {}", found.name, found.name))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::Sha256;
    use zeroize::Zeroizing;

    use super::super::Terms;
    use super::*;
    use crate::webhook::{Secret, Table};

    const BODY: &[u8] = br#"{"a":1}"#;
    const KEY: &[u8] = b"a key";

    fn made(key: &[u8], text: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text);
        mac.finalize().into_bytes().to_vec()
    }

    /// What is said of a request of `provider` with these header lines and this body.
    fn said(
        provider: &str,
        lines: &[(&str, String)],
        secret: &[u8],
        body: &[u8],
    ) -> Option<String> {
        let table = Table::new(&[]);
        let fields: Vec<_> = lines
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes()))
            .collect();
        let headers = headers(&fields);
        let secrets = [Secret::new("own", Zeroizing::new(secret.to_vec()))];
        let trial = Trial {
            table: &table,
            provider: &table.providers()[table.position(provider).unwrap()],
            secrets: &secrets,
            message: Message {
                method: b"POST",
                target: b"/in?a",
                headers: &headers,
                content: Ok(body),
            },
            terms: Terms { url: "http://h/in/", ..Terms::default() },
        };
        assert!(!trial.holds(), "{lines:?}");
        would_match(&trial)
    }

    fn check(found: impl Into<Option<String>>, expected: &str) {
        let found = found.into().unwrap_or_default();
        assert!(found.contains(expected), "{found:?}");
    }

    #[test]
    fn secrets() {
        let said = |given: &[u8], key: &[u8]| {
            let signature = format!("sha256={}", digits_of(&made(key, BODY)));
            said("github", &[("X-Hub-Signature-256", signature)], given, BODY)
        };
        check(said(b" a key\t", KEY), "white space around");
        check(said(b"'a key'", KEY), "quotation marks");
        check(said(b"HOOK_SECRET=\"a key\"", KEY), "first \"=\"");
        check(said(KEY, b"a key\n"), "line feed at its end");
        check(said(KEY, b"a key\r\n"), "CRLF at its end");
        check(said(KEY, b"a key "), "space at its end");
        check(said(KEY, b"whsec_a key"), "with \"whsec_\"");
        check(said(b"whsec_a key", KEY), "without \"whsec_\"");
        check(said(b"61206b6579", KEY), "hexadecimal");
        check(said(b"YSBrZXk=", KEY), "decoded from base64");
        assert_eq!(said(b"another", KEY), None);
    }

    #[test]
    fn signatures() {
        let octets = made(KEY, BODY);
        let digits = digits_of(&octets);
        let github = |lines: &[String]| {
            let lines: Vec<_> =
                lines.iter().map(|line| ("X-Hub-Signature-256", line.clone())).collect();
            said("github", &lines, KEY, BODY)
        };
        check(github(std::slice::from_ref(&digits)), "if \"sha256=\" stood before");
        check(github(&[format!("SHA256={digits}")]), "and the signature alone");
        check(github(&[format!("\"sha256={digits}\"")]), "and the signature alone");
        check(github(&[format!("sha256={}", STANDARD.encode(&octets))]), "in hexadecimal");
        check(github(&["sha256=00".to_owned(), format!("sha256={digits}")]), "by the line 2");
        let shopify = |text: String| said("shopify", &[("X-Shopify-Hmac-Sha256", text)], KEY, BODY);
        check(shopify(digits.clone()), "in base64");
        let urls = STANDARD.encode(&octets).replace('+', "-").replace('/', "_");
        check(shopify(urls.trim_end_matches('=').to_owned()), "in base64");
        assert_eq!(github(&["sha256=".to_owned()]), None);
    }

    #[test]
    fn urls() {
        for url in [
            "https://h/in/",
            "https://h/in",
            "http://h/in",
            "http://h/in/?a",
            "https://own:8443/in?a",
            "http://own:8443/in?a",
        ] {
            let signature = STANDARD.encode(made(KEY, &[url.as_bytes(), BODY].concat()));
            let host = ("Host", "own:8443".to_owned());
            let lines = [("X-Square-HmacSha256-Signature", signature), host];
            check(said("square", &lines, KEY, BODY), &format!("called {url}"));
        }
    }

    #[test]
    fn what_was_packed_and_who_sent_it() {
        let signature = format!("sha256={}", digits_of(&made(KEY, BODY)));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(BODY).unwrap();
        let lines = [
            ("X-Hub-Signature-256", signature),
            ("Content-Encoding", "gzip".to_owned()),
            ("X-GitHub-Event", "push".to_owned()),
        ];
        check(said("github", &lines, KEY, &packed.finish().unwrap()), "before it was packed");
        check(said("stripe", &lines, KEY, BODY), "--provider github");
        let coded = STANDARD.encode(BODY);
        check(said("github", &lines, KEY, coded.as_bytes()), "decoded from base64");
    }
}
