//! A delivery of each built-in provider, as its manual has it.
//!
//! It must not know how the sensor describes a provider. Signatures that anybody can make are made
//! when the test runs, because most are good for minutes; those of keys come from the vectors, and
//! are of providers that let them be of any age.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;
use sha1::Sha1;
use sha2::Sha256;

/// How the provider reaches the endpoints.
pub(crate) const HOST: &str = "https://hooks.example.com";

const SECRET: &str = "a secret of the test";
/// What schemes sign with whose secrets are base64, after "whsec_".
const DECODED: &[u8] = b"0123456789abcdef0123456789abcdef";

/// What Meta asks, with the token that it was told to use.
pub(crate) const VERIFICATION: &str =
    "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock";

const VECTORS: &str = include_str!("../../vectors/signatures.json");
const VERDICTS: &str = include_str!("../../vectors/verdicts.json");

/// What one provider sends, and what is to be read in it.
pub(crate) struct Case {
    pub(crate) provider: &'static str,
    pub(crate) secret: String,
    pub(crate) subscription: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
    /// Another body of the same length.
    pub(crate) changed: String,
    pub(crate) event: &'static str,
    pub(crate) id: &'static str,
    pub(crate) attempt: Option<u64>,
    pub(crate) handshake: Option<Handshake>,
}

/// What a provider sends to learn who owns an endpoint.
#[derive(Clone)]
pub(crate) enum Handshake {
    /// A POST, signed as deliveries are.
    Post(Vec<String>, String),
    /// A GET with this query, which nobody signs.
    Get(Vec<String>, &'static str),
}

impl Case {
    fn new(provider: &'static str, headers: &[&str], body: &str) -> Self {
        let headers: Vec<_> = headers.iter().map(|&line| line.to_owned()).collect();
        Self {
            provider,
            secret: SECRET.to_owned(),
            subscription: String::new(),
            headers,
            body: body.to_owned(),
            changed: changed(body),
            event: "-",
            id: "-",
            attempt: None,
            handshake: None,
        }
    }

    /// Where it is sent to.
    pub(crate) fn path(&self) -> String {
        format!("/any/{}", self.provider)
    }

    const fn tells(mut self, event: &'static str, id: &'static str) -> Self {
        (self.event, self.id) = (event, id);
        self
    }

    const fn attempt(mut self, number: u64) -> Self {
        self.attempt = Some(number);
        self
    }

    fn handshake(mut self, headers: &[&str], body: &str) -> Self {
        let headers = headers.iter().map(|&line| line.to_owned()).collect();
        self.handshake = Some(Handshake::Post(headers, body.to_owned()));
        self
    }

    fn question(mut self, headers: &[&str], query: &'static str) -> Self {
        let headers = headers.iter().map(|&line| line.to_owned()).collect();
        self.handshake = Some(Handshake::Get(headers, query));
        self
    }

    /// With the secret as Svix writes them.
    fn with_base64(mut self) -> Self {
        self.secret = format!("whsec_{}", STANDARD.encode(DECODED));
        self
    }
}

/// One of every provider.
pub(crate) fn cases() -> Vec<Case> {
    [forges(), shops(), timed(), standard(), by_keys()].into_iter().flatten().collect()
}

/// `body` with its last letter or digit changed.
fn changed(body: &str) -> String {
    let last = body.rfind(|c: char| c.is_ascii_alphanumeric()).unwrap();
    let other = if body.as_bytes()[last] == b'7' { "8" } else { "7" };
    [&body[..last], other, &body[last + 1..]].concat()
}

fn sha256(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn sha1(text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn digits(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn hex(text: &str) -> String {
    digits(&sha256(SECRET.as_bytes(), text))
}

fn base64(text: &str) -> String {
    STANDARD.encode(sha256(SECRET.as_bytes(), text))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Providers of repositories, and others who sign the body in hexadecimal digits.
fn forges() -> Vec<Case> {
    let body = r#"{"ref":"refs/heads/main"}"#;
    let signed = format!("X-Hub-Signature-256: sha256={}", hex(body));
    let gitea = format!("X-Gitea-Signature: {}", hex(body));
    let bitbucket = format!("X-Hub-Signature: sha256={}", hex(body));
    let sentry = format!("Sentry-Hook-Signature: {}", hex(body));
    let pagerduty = r#"{"event":{"id":"01B","event_type":"incident.triggered"}}"#;
    let pages = format!("X-PagerDuty-Signature: v1={},v1={}", "0".repeat(64), hex(pagerduty));
    let vercel = r#"{"id":"uev_1","type":"deployment.created"}"#;
    let ping = ["X-GitHub-Event: ping", "X-GitHub-Delivery: g0", &signed];
    let diagnosis = ["X-Event-Key: diagnostics:ping", "X-Request-UUID: b0", &bitbucket];
    let meta = r#"{"object":"page","entry":[]}"#;
    let facebook = format!("X-Hub-Signature-256: sha256={}", hex(meta));
    vec![
        Case::new("github", &["X-GitHub-Event: push", "X-GitHub-Delivery: g1", &signed], body)
            .tells("push", "g1")
            .handshake(&ping, body),
        // It sends GitHub's headers too.
        Case::new(
            "gitea",
            &["X-GitHub-Event: push", "X-Gitea-Event: push", "X-Gitea-Delivery: t1", &gitea],
            body,
        )
        .tells("push", "t1"),
        Case::new(
            "bitbucket",
            &["X-Event-Key: repo:push", "X-Request-UUID: b1", "X-Attempt-Number: 2", &bitbucket],
            body,
        )
        .tells("repo:push", "b1")
        .attempt(2)
        .handshake(&diagnosis, body),
        Case::new("sentry", &["Sentry-Hook-Resource: issue", "Request-ID: s1", &sentry], body)
            .tells("issue", "s1"),
        Case::new("pagerduty", &[&pages], pagerduty).tells("incident.triggered", "01B"),
        Case::new("vercel", &[&format!("x-vercel-signature: {}", digits(&sha1(vercel)))], vercel)
            .tells("deployment.created", "uev_1"),
        Case::new("meta", &["User-Agent: facebookexternalua", &facebook], meta)
            .tells("page", "-")
            .question(&["User-Agent: facebookplatform/1.0"], VERIFICATION),
    ]
}

/// Those who sign in base64, some of them the URL too.
fn shops() -> Vec<Case> {
    let order = r#"{"id":820982911946154508}"#;
    let shopify = format!("X-Shopify-Hmac-Sha256: {}", base64(order));
    let woocommerce = format!("X-WC-Webhook-Signature: {}", base64(order));
    let form = r#"{"event_id":"01T","event_type":"form_response"}"#;
    let typeform = format!("Typeform-Signature: sha256={}", base64(form));
    let paid = r#"{"event_id":"6a8f","type":"payment.created"}"#;
    let square = base64(&format!("{HOST}/any/square{paid}"));
    let square = format!("X-Square-HmacSha256-Signature: {square}");
    // Names and values in their order, behind the URL.
    let call = format!("{HOST}/any/twilioCallSidCA1CallStatusringing");
    let twilio = format!("X-Twilio-Signature: {}", STANDARD.encode(sha1(&call)));
    let kind = "Content-Type: application/x-www-form-urlencoded";
    vec![
        Case::new(
            "shopify",
            &["X-Shopify-Topic: orders/create", "X-Shopify-Webhook-Id: p1", &shopify],
            order,
        )
        .tells("orders/create", "p1"),
        Case::new(
            "woocommerce",
            &["X-WC-Webhook-Topic: order.created", "X-WC-Webhook-Delivery-ID: w1", &woocommerce],
            order,
        )
        .tells("order.created", "w1"),
        Case::new("typeform", &[&typeform], form).tells("form_response", "01T"),
        Case::new("square", &["Square-Retry-Number: 1", &square], paid)
            .tells("payment.created", "6a8f")
            .attempt(2),
        Case::new(
            "twilio",
            &["I-Twilio-Idempotency-Token: i1", kind, &twilio],
            "CallStatus=ringing&CallSid=CA1",
        )
        .tells("ringing", "i1"),
    ]
}

/// Those who sign a time that is good for minutes.
fn timed() -> Vec<Case> {
    let time = now();
    let event = r#"{"id":"evt_1","type":"charge.succeeded"}"#;
    let stripe = format!("Stripe-Signature: t={time},v1={}", hex(&format!("{time}.{event}")));
    let slack = |body: &str| {
        let signature = hex(&format!("v0:{time}:{body}"));
        [format!("X-Slack-Request-Timestamp: {time}"), format!("X-Slack-Signature: v0={signature}")]
    };
    let zoom = |body: &str| {
        let signature = hex(&format!("v0:{time}:{body}"));
        [format!("x-zm-request-timestamp: {time}"), format!("x-zm-signature: v0={signature}")]
    };
    let message = r#"{"event_id":"Ev1","event":{"type":"message"},"type":"event_callback"}"#;
    let url = r#"{"type":"url_verification","challenge":"c"}"#;
    let ([slack_time, slack_sign], [url_time, url_sign]) = (slack(message), slack(url));
    let meeting = r#"{"event":"meeting.started"}"#;
    let validation = r#"{"event":"endpoint.url_validation"}"#;
    let ([zoom_time, zoom_sign], [v_time, v_sign]) = (zoom(meeting), zoom(validation));
    let bill = r#"{"event_id":"ntf_1","event_type":"transaction.paid"}"#;
    let paddle = format!("Paddle-Signature: ts={time};h1={}", hex(&format!("{time}:{bill}")));
    let issue = format!(r#"{{"type":"Issue","webhookTimestamp":{time}000,"url":"u"}}"#);
    let linear = format!("Linear-Signature: {}", hex(&issue));
    vec![
        Case::new("stripe", &[&stripe], event).tells("charge.succeeded", "evt_1"),
        Case::new("slack", &["X-Slack-Retry-Num: 2", &slack_time, &slack_sign], message)
            .tells("message", "Ev1")
            .attempt(3)
            .handshake(&[&url_time, &url_sign], url),
        Case::new("zoom", &[&zoom_time, &zoom_sign], meeting)
            .tells("meeting.started", "-")
            .handshake(&[&v_time, &v_sign], validation),
        Case::new("paddle", &[&paddle], bill).tells("transaction.paid", "ntf_1"),
        Case::new("linear", &["Linear-Event: Issue", "Linear-Delivery: l1", &linear], &issue)
            .tells("Issue", "l1"),
        hubspot(time),
        twitch(),
    ]
}

fn hubspot(time: u64) -> Case {
    let body = r#"[{"eventId":7,"subscriptionType":"contact.creation","attemptNumber":0}]"#;
    let signature = base64(&format!("POST{HOST}/any/hubspot{body}{time}000"));
    let headers = [
        format!("X-HubSpot-Request-Timestamp: {time}000"),
        format!("X-HubSpot-Signature-v3: {signature}"),
    ];
    Case::new("hubspot", &[&headers[0], &headers[1]], body)
        .tells("contact.creation", "7")
        .attempt(1)
}

fn twitch() -> Case {
    let time = "Twitch-Eventsub-Message-Timestamp";
    let body = r#"{"subscription":{"id":"f1c2"},"event":{}}"#;
    let sent = rfc3339(now());
    let head = |id: &str, kind: &str| {
        let signature = hex(&format!("{id}{sent}{body}"));
        [
            format!("Twitch-Eventsub-Message-Id: {id}"),
            format!("Twitch-Eventsub-Message-Type: {kind}"),
            format!("{time}: {sent}"),
            "Twitch-Eventsub-Message-Retry: 0".to_owned(),
            "Twitch-Eventsub-Subscription-Type: stream.online".to_owned(),
            format!("Twitch-Eventsub-Message-Signature: sha256={signature}"),
        ]
    };
    let (delivery, proof) =
        (head("e1", "notification"), head("e0", "webhook_callback_verification"));
    Case::new("twitch", &delivery.each_ref().map(String::as_str), body)
        .tells("stream.online", "e1")
        .attempt(1)
        .handshake(&proof.each_ref().map(String::as_str), body)
}

/// A moment as text, by the program that is everywhere.
fn rfc3339(second: u64) -> String {
    let mut date = std::process::Command::new("date");
    let output = date.args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d", &format!("@{second}")]).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}

/// Those who sign as Standard Webhooks says.
fn standard() -> Vec<Case> {
    let body = r#"{"type":"user.created","data":{"id":7}}"#;
    let time = now();
    let signature = STANDARD.encode(sha256(DECODED, &format!("m1.{time}.{body}")));
    let head = |name: &str| {
        let fields = [("id", "m1"), ("timestamp", &time.to_string())]
            .map(|(field, value)| format!("{name}-{field}: {value}"));
        let [id, time] = fields;
        [id, time, format!("{name}-signature: v1,AAAA v1,{signature}")]
    };
    let (svix, webhook) = (head("svix"), head("webhook"));
    let [id, time, signature] = webhook.each_ref().map(String::as_str);
    vec![
        Case::new("svix", &svix.each_ref().map(String::as_str), body)
            .tells("user.created", "m1")
            .with_base64(),
        Case::new("standard-webhooks", &[id, time, signature], body)
            .tells("user.created", "m1")
            .with_base64(),
        Case::new(
            "gitlab",
            &["X-Gitlab-Event: Push Hook", "Idempotency-Key: k1", id, time, signature],
            body,
        )
        .tells("Push Hook", "k1")
        .with_base64(),
    ]
}

/// Those who sign with a private key.
fn by_keys() -> Vec<Case> {
    let confirmation = vector("aws-sns", "SubscriptionConfirmation, version 2, as made");
    let mut sns = vector("aws-sns", "Notification with a subject, version 2, as made")
        .tells("Notification", "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324");
    sns.handshake = Some(Handshake::Post(confirmation.headers, confirmation.body));
    sns.headers.push("x-amz-sns-message-id: 22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324".to_owned());
    // What stands last in it is not signed.
    sns.changed = sns.body.replacen("lines", "limes", 1);
    vec![
        discord(),
        vector("sendgrid", "node:crypto").tells("delivered", "e1"),
        vector("paypal", "as made").tells("PAYMENT.SALE.COMPLETED", "WH-2WR"),
        sns,
    ]
}

fn discord() -> Case {
    let keys = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let time = now();
    let head = |body: &str| {
        let signature = keys.sign(format!("{time}{body}").as_bytes());
        let signature = format!("X-Signature-Ed25519: {}", digits(signature.as_ref()));
        [signature, format!("X-Signature-Timestamp: {time}")]
    };
    let event = r#"{"version":1,"type":1,"event":{"type":"ENTITLEMENT_CREATE"}}"#;
    let ping = r#"{"version":1,"type":0}"#;
    let (delivery, proof) = (head(event), head(ping));
    let mut case = Case::new("discord", &delivery.each_ref().map(String::as_str), event)
        .tells("ENTITLEMENT_CREATE", "-")
        .handshake(&proof.each_ref().map(String::as_str), ping);
    case.secret = digits(keys.public_key().as_ref());
    case
}

/// The vector of this name.
fn vector(provider: &'static str, name: &str) -> Case {
    let lists = [VECTORS, VERDICTS].map(|text| serde_json::from_str::<Vec<Value>>(text).unwrap());
    let is_it = |one: &&Value| {
        one["provider"] == provider && (one["source"] == name || one["what"] == name)
    };
    let one = lists.iter().flatten().find(is_it).unwrap();
    let fields = one["headers"].as_object().unwrap().iter();
    let lines: Vec<_> =
        fields.map(|(name, value)| format!("{name}: {}", value.as_str().unwrap())).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let mut case = Case::new(provider, &lines, one["body"].as_str().unwrap());
    case.secret = one["secret"].as_str().unwrap().to_owned();
    case.subscription = one["subscription"].as_str().unwrap_or_default().to_owned();
    case
}
