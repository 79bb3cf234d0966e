//! Signatures made by the providers' own libraries and by the standards, and every way to spoil
//! one.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde::Deserialize;
use sha2::Digest as _;
use zeroize::Zeroizing;

use super::*;
use crate::time::Timestamp;
use crate::webhook::fixture;
use crate::webhook::message::Message;
use crate::webhook::table::Table;

/// A signed request and the secret that signed it.
#[derive(Debug, Clone, Deserialize)]
struct Vector {
    provider: String,
    #[serde(alias = "what")]
    source: String,
    secret: String,
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default = "post")]
    method: String,
    #[serde(deserialize_with = "body")]
    body: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    subscription: String,
    /// Seconds since the Unix epoch.
    #[serde(default)]
    clock: u64,
}

/// The vectors made by libraries, by `tests/vectors/make.sh`.
const LIBRARIES: &str = include_str!("../../../../tests/vectors/signatures.json");

fn post() -> String {
    "POST".to_owned()
}

/// A form is given as its fields.
fn body<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        Text(String),
        Form(Vec<(String, String)>),
    }

    Ok(match Body::deserialize(deserializer)? {
        Body::Text(text) => text,
        Body::Form(fields) => {
            let field =
                |(name, value): &(String, String)| format!("{name}={}", value.replace('+', "%2B"));
            fields.iter().map(field).collect::<Vec<_>>().join("&")
        }
    })
}

fn secret(name: &str, text: &str) -> Secret {
    Secret::new(name, Zeroizing::new(text.as_bytes().to_vec()))
}

impl Vector {
    /// The result with these secrets, the request being sent so many seconds after it was signed.
    fn judge(&self, secrets: &[Secret], others: &[Secret], late: i64) -> Signature {
        self.judge_content(Ok(self.body.as_bytes()), secrets, others, late)
    }

    fn judge_content(
        &self,
        content: Result<&[u8], NoContent>,
        secrets: &[Secret],
        others: &[Secret],
        late: i64,
    ) -> Signature {
        let table = Table::new(&[]);
        let name = self.provider.trim_end_matches("-cloud");
        let provider = &table.providers()[table.position(name).unwrap()];
        let mut lines: Vec<_> =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        if self.provider == "twilio" && !self.body.starts_with('{') {
            lines.push("Content-Type: application/x-www-form-urlencoded".to_owned());
        }
        let headers = fixture::headers(&lines.join("\n"));
        let message =
            Message { method: self.method.as_bytes(), target: b"/", headers: &headers, content };
        let now = Timestamp(self.clock.saturating_add_signed(late) * 1_000_000_000);
        let terms =
            Terms { url: &self.url, subscription: &self.subscription, others, diagnose: true };
        Check::new(provider, secrets).judge(provider, &message, now, terms).unwrap()
    }

    fn secrets(&self) -> [Secret; 1] {
        [secret("own", &self.secret)]
    }

    fn tolerance(&self) -> Duration {
        let table = Table::new(&[]);
        let name = self.provider.trim_end_matches("-cloud");
        let provider = &table.providers()[table.position(name).unwrap()];
        let is_there = |scheme: &&crate::config::Scheme| match &scheme.signature {
            crate::config::Source::Header(name) => {
                self.headers.keys().any(|sent| sent.eq_ignore_ascii_case(name))
            }
            _ => true,
        };
        provider.signature.iter().filter(is_there).map(|scheme| scheme.tolerance).max().unwrap()
    }
}

/// What every vector must do: be valid, and be spoilt by each spoiling.
fn check(vector: &Vector) {
    let what = &vector.source;
    let own = vector.secrets();
    let valid = vector.judge(&own, &[], 0);
    assert_eq!((valid.status, &valid.reason), (Status::Valid, &None), "{what}");
    assert_eq!(valid.key_id.as_deref(), Some("own"), "{what}");
    let rotated = [secret("new", "d2hzZWNfbmV3"), secret("own", &vector.secret)];
    assert_eq!(vector.judge(&rotated, &[], 0).key_id.as_deref(), Some("own"), "{what}");
    assert_eq!(vector.judge(&[], &[], 0).status, Status::Unchecked, "{what}");

    let mut changed = vector.clone();
    changed.body = vector.body.replacen(|c: char| c.is_ascii_alphanumeric(), "#", 1);
    let changed_url = if vector.body.is_empty() { "https://changed.example/" } else { &vector.url };
    changed.url = changed_url.to_owned();
    let spoilt = changed.judge(&own, &[], 0).status;
    assert!(matches!(spoilt, Status::Invalid), "{what}: {spoilt:?} after a change");

    let mut bare = vector.clone();
    bare.headers.retain(|name, _| {
        let name = name.to_lowercase();
        !["-sig", "hmac"].iter().any(|part| name.contains(part))
    });
    let is_in_body = vector.provider == "aws-sns";
    let expected = if is_in_body { Status::Valid } else { Status::Missing };
    assert_eq!(bare.judge(&own, &[], 0).status, expected, "{what}");

    for why in [
        NoContent::Cut,
        NoContent::NoMemory,
        NoContent::Gap,
        NoContent::Sampled,
        NoContent::NotKept,
    ] {
        let cut = vector.judge_content(Err(why), &own, &[], 0);
        let expected = (Status::Unverifiable, Some(Reason::Body(why)));
        assert_eq!((cut.status, cut.reason), expected, "{what}");
    }
    check_time(vector);
}

fn check_time(vector: &Vector) {
    let (what, own) = (&vector.source, vector.secrets());
    let tolerance = i64::try_from(vector.tolerance().as_secs()).unwrap();
    if tolerance == 0 {
        return;
    }
    let at = |late| {
        let result = vector.judge(&own, &[], late);
        assert_eq!(result.skew_ms, Some(late * 1000), "{what}");
        (result.status, result.reason)
    };
    assert_eq!(at(tolerance), (Status::Valid, None), "{what}");
    assert_eq!(at(tolerance + 1), (Status::Stale, Some(Reason::TooOld)), "{what}");
    assert_eq!(at(-tolerance), (Status::Valid, None), "{what}");
    assert_eq!(at(-tolerance - 1), (Status::Stale, Some(Reason::InFuture)), "{what}");
}

fn vectors(text: &str) -> Vec<Vector> {
    serde_json::from_str(text).unwrap()
}

fn vector(provider: &str) -> Vector {
    vectors(LIBRARIES).into_iter().find(|vector| vector.provider == provider).unwrap()
}

#[test]
fn made_by_libraries() {
    let vectors = vectors(LIBRARIES);
    assert!(vectors.len() >= 10);
    vectors.iter().for_each(check);
}

/// A request, and whether the library of its provider takes it for genuine.
#[derive(Deserialize)]
struct Verdict {
    #[serde(flatten)]
    vector: Vector,
    accepted: bool,
}

/// Requests that are signed well and not quite, with the verdicts of the providers' own libraries,
/// made by `tests/vectors/verdicts.mjs`. Where theirs compare text, hexadecimal digits of either
/// case say the same here; and Node reads base64 that RFC 4648 does not allow.
#[test]
fn libraries_say_the_same() {
    let verdicts: Vec<Verdict> =
        serde_json::from_str(include_str!("../../../../tests/vectors/verdicts.json")).unwrap();
    let differs = |verdict: &&Verdict| {
        let found = verdict.vector.judge(&verdict.vector.secrets(), &[], 0);
        (found.status == Status::Valid) != verdict.accepted
    };
    let name = |verdict: &Verdict| {
        let vector = &verdict.vector;
        let (what, _) = vector.source.split_once(", after").unwrap_or((&vector.source, ""));
        format!("{}: {what}", vector.provider)
    };
    let differing: BTreeSet<String> = verdicts.iter().filter(differs).map(name).collect();
    let in_case = ["github", "linear", "paddle", "slack", "stripe"];
    let in_base64 = [
        "cut by a digit",
        "cut by two digits",
        "in the alphabet of URLs",
        "with a digit more",
        "without padding",
    ];
    let expected = in_case.map(|provider| format!("{provider}: upper case"));
    let expected = expected.into_iter().chain(in_base64.map(|what| format!("sendgrid: {what}")));
    let others = [
        "hubspot: upper case",
        "twilio: JSON, the hash in upper case",
        // It leaves the token out, against AWS's manual and the other library.
        "aws-sns: UnsubscribeConfirmation, version 1, as made, by sns-validator",
        "aws-sns: UnsubscribeConfirmation, version 2, as made, by sns-validator",
    ];
    assert_eq!(differing, expected.chain(others.map(str::to_owned)).collect());
    assert!(verdicts.iter().filter(|verdict| verdict.accepted).count() > 50);
}

/// More vectors, which are not ours to hand on, from the file that `HOOKSENSOR_VECTORS` names.
#[test]
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn published_by_providers() {
    let Some(path) = std::env::var_os("HOOKSENSOR_VECTORS") else {
        eprintln!("not checked: HOOKSENSOR_VECTORS names no file of vectors");
        return;
    };
    vectors(&std::fs::read_to_string(path).unwrap()).iter().for_each(check);
}

/// GitHub's own payloads, which are not kept here: `tests/vectors/payloads.sh FOLDER` fetches them,
/// and `HOOKSENSOR_PAYLOADS` names the file it made.
#[test]
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn payloads_of_github() {
    #[derive(Deserialize)]
    struct Event {
        examples: Vec<serde_json::Value>,
    }

    let Some(path) = std::env::var_os("HOOKSENSOR_PAYLOADS") else {
        eprintln!("not checked: HOOKSENSOR_PAYLOADS names no file of payloads");
        return;
    };
    let events: Vec<Event> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let payloads: Vec<_> = events.iter().flat_map(|event| &event.examples).collect();
    assert_eq!(payloads.len(), 329);
    for payload in payloads {
        let mut vector = vector("github");
        vector.body = payload.to_string();
        vector.headers = [signed_by_github(&vector.secret, &vector.body)].into();
        assert_eq!(vector.judge(&vector.secrets(), &[], 0).status, Status::Valid);
        let changed = vector.body.replacen(':', ";", 1);
        let judged = vector.judge_content(Ok(changed.as_bytes()), &vector.secrets(), &[], 0);
        assert_eq!((judged.status, judged.reason), (Status::Invalid, Some(Reason::Mismatch)));
    }
}

/// The header by which GitHub signs a body.
fn signed_by_github(secret: &str, body: &str) -> (String, String) {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let digits: String =
        mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
    ("X-Hub-Signature-256".to_owned(), format!("sha256={digits}"))
}

#[test]
fn what_an_invalid_signature_would_match() {
    let check = |body: &str, expected: Option<Guess>| {
        let mut vector = vector("github");
        let sent = std::mem::replace(&mut vector.body, body.to_owned());
        let result = vector.judge(&vector.secrets(), &[], 0);
        let expected = expected.map_or(Reason::Mismatch, Reason::WouldMatch);
        assert_eq!(result.reason, Some(expected), "{body:?} for {sent:?}");
    };
    let body = vector("github").body;
    let value: serde_json::Value = serde_json::from_str(&body).unwrap();
    check(&format!("{body}\r\n"), Some(Guess::TrimmedEnd));
    check(&serde_json::to_string_pretty(&value).unwrap(), Some(Guess::CompactJson));
    check(&body.replace("opened", "closed"), None);

    let other = vector("github");
    let secrets = [secret("wrong", "wrong"), secret("elsewhere", &other.secret)];
    let result = other.judge(&secrets[..1], &secrets, 0);
    let guess = Guess::OtherSecret("elsewhere".into());
    assert_eq!(result.reason, Some(Reason::WouldMatch(guess)));
}

#[test]
fn guesses_at_other_bodies() {
    // Signed, and what arrives when something on the way has changed it.
    let check = |signed: &str, arrived: &str, expected: Guess| {
        let mut vector = vector("github");
        vector.secret = "key".to_owned();
        vector.body = arrived.to_owned();
        vector.headers = [signed_by_github("key", signed)].into();
        let reason = vector.judge(&vector.secrets(), &[], 0).reason;
        assert_eq!(reason, Some(Reason::WouldMatch(expected)), "{arrived:?}");
    };
    check("a\n", "a", Guess::AddedNewline);
    check("a", "a\n", Guess::TrimmedEnd);
    check("a\nb", "a\r\nb", Guess::LineFeeds);
    check("a\r\nb\r\n\r\n", "a\nb\r\n\n", Guess::CarriageReturns);
    check("", "a", Guess::EmptyBody);
    check(r#"{"a":[1,2]}"#, r#"{ "a": [1, 2] }"#, Guess::CompactJson);
    check(r#"{"a": [1, 2], "b": "\u00e9"}"#, "{\"a\":[1,2],\"b\":\"\u{e9}\"}", Guess::SpacedJson);
    check(
        "{\"a\": [1, 2], \"b\": \"\u{e9}\"}",
        "{\"a\":[1,2],\"b\":\"\u{e9}\"}",
        Guess::SpacedJson,
    );
    check("{\n  \"a\": 1\n}", r#"{"a":1}"#, Guess::IndentedJson(2));
    check("{\n    \"a\": 1\n}", r#"{"a":1}"#, Guess::IndentedJson(4));
    check(r#"{"a":"\u00e9"}"#, r#"{"a":"é"}"#, Guess::EscapedJson);
    check(r#"{"b":"\u00e9\/x","a":1}"#, r#"{ "b": "é/x", "a": 1 }"#, Guess::SlashedJson);
    check("{}", "\u{feff}{}", Guess::WithoutMark);
}

#[test]
fn what_is_needed_and_not_there() {
    let mut twilio = vector("twilio");
    twilio.url.clear();
    let result = twilio.judge(&twilio.secrets(), &[], 0);
    assert_eq!((result.status, result.reason), (Status::Unverifiable, Some(Reason::NoPublicUrl)));

    let mut slack = vector("slack");
    slack.headers.retain(|name, _| !name.to_lowercase().contains("timestamp"));
    let result = slack.judge(&slack.secrets(), &[], 0);
    assert_eq!((result.status, result.reason), (Status::Invalid, Some(Reason::NoTimestamp)));

    let svix = vector("svix");
    let result = svix.judge(&[secret("own", "no base64!")], &[], 0);
    assert_eq!((result.status, result.reason), (Status::Unverifiable, Some(Reason::NoUsableKey)));

    let mut github = vector("github");
    github.headers = [("X-Hub-Signature-256".to_owned(), "sha256=xyz".to_owned())].into();
    let result = github.judge(&github.secrets(), &[], 0);
    assert_eq!((result.status, result.reason), (Status::Invalid, Some(Reason::Malformed)));
}

#[test]
fn a_weaker_signature_does_not_stand_in_for_a_stronger() {
    let mut github = vector("github");
    // RFC 2104 with SHA-1 over the same body would be valid alone; the other one decides.
    github.headers.insert("X-Hub-Signature".to_owned(), "sha1=00".to_owned());
    assert_eq!(github.judge(&github.secrets(), &[], 0).status, Status::Valid);
    let strong = github.headers.iter_mut().find(|(name, _)| name.ends_with("256")).unwrap();
    *strong.1 = format!("sha256={}", "00".repeat(32));
    assert_eq!(github.judge(&github.secrets(), &[], 0).scheme, Some("hmac-sha256"));
    assert_eq!(github.judge(&github.secrets(), &[], 0).status, Status::Invalid);
}

#[test]
fn lines_of_one_name_are_one_list() {
    let check = |provider: &str, name: &str, lines: &[&str], expected: Status| {
        let mut vector = vector(provider);
        let (_, signed) = vector.headers.remove_entry(name).unwrap();
        let line = |line: &&str| format!("{name}: {}", line.replace("GOOD", &signed));
        let repeated = lines.iter().map(line).collect::<Vec<_>>().join("\n");
        // The helper writes a line for each name; this one is several.
        let (_, rest) = repeated.split_once(": ").unwrap();
        vector.headers.insert(name.to_owned(), rest.to_owned());
        assert_eq!(vector.judge(&vector.secrets(), &[], 0).status, expected, "{lines:?}");
    };
    check("svix", "svix-signature", &["v1,AAAA", "GOOD"], Status::Valid);
    check("svix", "svix-signature", &["GOOD", "v1,AAAA"], Status::Valid);
    check("svix", "svix-signature", &["v1,AAAA", "v1,BBBB"], Status::Invalid);
    check("stripe", "Stripe-Signature", &["v0=00", "GOOD"], Status::Valid);
    check("github", "X-Hub-Signature-256", &["sha256=00", "GOOD"], Status::Invalid);
}

#[test]
fn tokens_are_compared_whole() {
    let gitlab = Vector {
        provider: "gitlab".to_owned(),
        source: "a token".to_owned(),
        secret: "glwt-secret".to_owned(),
        headers: [("X-Gitlab-Token".to_owned(), "glwt-secret".to_owned())].into(),
        method: post(),
        body: "{}".to_owned(),
        url: String::new(),
        subscription: String::new(),
        clock: 0,
    };
    let check = |own: &str, content: Result<&[u8], NoContent>, expected| {
        let result = gitlab.judge_content(content, &[secret("own", own)], &[], 0);
        assert_eq!((result.status, result.reason), expected, "{own}, {content:?}");
    };
    let wrong = || (Status::Invalid, Some(Reason::OtherToken));
    for content in
        [Ok(&b"{}"[..]), Err(NoContent::NotKept), Err(NoContent::Cut), Err(NoContent::Gap)]
    {
        check("glwt-secret", content, (Status::Valid, None));
        check("glwt-secre", content, wrong());
        check("glwt-secret1", content, wrong());
        check("x", content, wrong());
    }
    let unknown = |why| (Status::Unverifiable, Some(Reason::Body(why)));
    let (cut, disputed) = (NoContent::CutHead, NoContent::Disputed);
    check("glwt-secret", Err(cut), (Status::Valid, None));
    check("glwt-secret1", Err(cut), unknown(cut));
    check("glwt-secret", Err(disputed), unknown(disputed));
}

#[test]
fn what_is_signed_without_the_body_needs_none() {
    let config = "[[provider]]
        name = 'acme'
        recognise = ['header x-acme']
        [[provider.signature]]
        algorithm = 'hmac-sha256'
        signature = 'header x-acme'
        signed = '{method} {timestamp}'
        timestamp = ['header x-time']";
    let config = crate::config::Config::parse(config, "test").unwrap();
    let provider = &config.providers[0];
    let (_, tag) = signed_by_github("key", "POST 7");
    let tag = tag.trim_start_matches("sha256=");
    let check = |lines: &str, content: Result<&[u8], NoContent>, expected| {
        let headers = fixture::headers(lines);
        let message = Message { method: b"POST", target: b"/", headers: &headers, content };
        let keys = Check::new(provider, &[secret("own", "key")]);
        let result = keys.judge(provider, &message, Timestamp(0), Terms::default()).unwrap();
        assert_eq!(result.status, expected, "{lines:?}, {content:?}");
    };
    let (good, late) = (format!("x-acme: {tag}\nx-time: 7"), format!("x-acme: {tag}\nx-time: 8"));
    for content in [Ok(&b"{}"[..]), Err(NoContent::NotKept), Err(NoContent::Gap)] {
        check(&good, content, Status::Valid);
        check(&late, content, Status::Invalid);
    }
    check(&good, Err(NoContent::CutHead), Status::Valid);
    check(&late, Err(NoContent::CutHead), Status::Unverifiable);
    check(&format!("x-acme: {tag}"), Err(NoContent::CutHead), Status::Unverifiable);
}

#[test]
fn what_cannot_be_checked_leaves_the_next_scheme() {
    let body = "[{}]";
    let check = |provider: &str, secret: &str, headers: &[(&str, String)], url: &str, expected| {
        let vector = Vector {
            provider: provider.to_owned(),
            source: provider.to_owned(),
            secret: secret.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            method: post(),
            body: body.to_owned(),
            url: url.to_owned(),
            subscription: String::new(),
            clock: 0,
        };
        let result = vector.judge(&vector.secrets(), &[], 0);
        assert_eq!((result.status, result.scheme), expected, "{provider}");
    };
    let (v3, hash) = (Some("hmac-sha256"), Some("sha256"));
    let digest = sha2::Sha256::digest([b"secret", body.as_bytes()].concat());
    let digits: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    let text = |text: &str| text.to_owned();
    let both = [
        ("X-HubSpot-Signature-v3", text("AAAA")),
        ("X-HubSpot-Request-Timestamp", text("0")),
        ("X-HubSpot-Signature-Version", text("v1")),
        ("X-HubSpot-Signature", digits),
    ];
    check("hubspot", "secret", &both, "", (Status::Valid, hash));
    check("hubspot", "another", &both, "", (Status::Invalid, hash));
    check("hubspot", "secret", &both, "https://h/", (Status::Invalid, v3));
    check("hubspot", "secret", &both[..2], "", (Status::Unverifiable, v3));
    let both = [
        ("webhook-id", text("1")),
        ("webhook-timestamp", text("0")),
        ("webhook-signature", text("v1,AAAA")),
        ("X-Gitlab-Token", text("a token")),
    ];
    check("gitlab", "a token", &both, "", (Status::Valid, Some("token")));
    check("gitlab", "another", &both[..3], "", (Status::Unverifiable, v3));
    check("gitlab", "whsec_AAAA", &both, "", (Status::Invalid, v3));
}

proptest! {
    #[test]
    fn no_header_is_a_panic(header in "\\PC{0,60}", body: Vec<u8>) {
        for name in ["github", "stripe", "svix", "sendgrid", "discord", "paypal", "twilio"] {
            let table = Table::new(&[]);
            let provider = &table.providers()[table.position(name).unwrap()];
            let lines: Vec<_> = provider
                .signature
                .iter()
                .filter_map(|scheme| match &scheme.signature {
                    crate::config::Source::Header(name) => Some(format!("{name}: {header}")),
                    _ => None,
                })
                .collect();
            let headers = fixture::headers(&lines.join("\n"));
            let message = Message { method: b"POST", target: b"/", headers: &headers, content: Ok(&body) };
            let secrets = [secret("own", &header), secret("key", "aGVsbG8=")];
            let check = Check::new(provider, &secrets);
            let terms = Terms { url: "https://h/", diagnose: true, ..Terms::default() };
            let result = check.judge(provider, &message, Timestamp(0), terms);
            prop_assert!(result.is_none_or(|result| result.status != Status::Valid));
        }
    }
}
