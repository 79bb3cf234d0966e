//! The table of webhook providers: which headers tell them, name their events and sign them.
//!
//! Data only; it must not know how a header is read. Sources are the providers' own manuals.

use super::provider::{Attempt, Mark, Provider};

/// What a row has where it says nothing.
const PLAIN: Provider = Provider {
    name: "",
    marks: &[],
    event_type: &[],
    delivery_id: &[],
    attempt: None,
    signatures: &[],
};

/// Every known provider. The first that matches is taken, so that one who also sends the headers
/// of another, as Gitea does with GitHub's, stands before it.
pub(super) const PROVIDERS: &[Provider] = &[
    Provider {
        name: "gitea",
        marks: &[Mark::header("x-gitea-event"), Mark::header("x-forgejo-event")],
        event_type: &["x-forgejo-event", "x-gitea-event"],
        delivery_id: &["x-forgejo-delivery", "x-gitea-delivery"],
        signatures: &[
            "x-forgejo-signature",
            "x-gitea-signature",
            "x-hub-signature-256",
            "x-hub-signature",
        ],
        ..PLAIN
    },
    Provider {
        name: "github",
        marks: &[Mark::header("x-github-event"), Mark::header("x-github-delivery")],
        event_type: &["x-github-event"],
        delivery_id: &["x-github-delivery"],
        signatures: &["x-hub-signature-256", "x-hub-signature"],
        ..PLAIN
    },
    Provider {
        name: "gitlab",
        marks: &[Mark::header("x-gitlab-event")],
        event_type: &["x-gitlab-event"],
        delivery_id: &["idempotency-key", "webhook-id", "x-gitlab-event-uuid"],
        signatures: &["webhook-signature", "x-gitlab-token"],
        ..PLAIN
    },
    Provider {
        name: "bitbucket",
        marks: &[
            Mark::header("x-hook-uuid"),
            Mark::value("x-event-key", "repo:"),
            Mark::value("x-event-key", "pr:"),
            Mark::value("x-event-key", "pullrequest:"),
            Mark::value("x-event-key", "diagnostics:"),
        ],
        event_type: &["x-event-key"],
        delivery_id: &["x-request-uuid"],
        attempt: Some(Attempt::counted("x-attempt-number")),
        signatures: &["x-hub-signature"],
    },
    Provider {
        name: "stripe",
        marks: &[Mark::header("stripe-signature")],
        signatures: &["stripe-signature"],
        ..PLAIN
    },
    Provider {
        name: "slack",
        marks: &[Mark::header("x-slack-signature"), Mark::header("x-slack-request-timestamp")],
        attempt: Some(Attempt::retries("x-slack-retry-num")),
        signatures: &["x-slack-signature"],
        ..PLAIN
    },
    Provider {
        name: "shopify",
        marks: &[Mark::header("x-shopify-topic"), Mark::header("x-shopify-hmac-sha256")],
        event_type: &["x-shopify-topic"],
        delivery_id: &["x-shopify-webhook-id"],
        signatures: &["x-shopify-hmac-sha256"],
        ..PLAIN
    },
    Provider {
        name: "sendgrid",
        marks: &[Mark::header("x-twilio-email-event-webhook-signature")],
        signatures: &["x-twilio-email-event-webhook-signature"],
        ..PLAIN
    },
    Provider {
        name: "twilio",
        marks: &[Mark::header("x-twilio-signature"), Mark::header("i-twilio-idempotency-token")],
        delivery_id: &["i-twilio-idempotency-token"],
        signatures: &["x-twilio-signature"],
        ..PLAIN
    },
    Provider {
        name: "zoom",
        marks: &[Mark::header("x-zm-signature"), Mark::header("x-zm-request-timestamp")],
        signatures: &["x-zm-signature"],
        ..PLAIN
    },
    Provider {
        name: "pagerduty",
        marks: &[Mark::header("x-pagerduty-signature")],
        signatures: &["x-pagerduty-signature"],
        ..PLAIN
    },
    Provider {
        name: "square",
        marks: &[Mark::header("x-square-hmacsha256-signature"), Mark::header("x-square-signature")],
        attempt: Some(Attempt::retries("square-retry-number")),
        signatures: &["x-square-hmacsha256-signature", "x-square-signature"],
        ..PLAIN
    },
    Provider {
        name: "paddle",
        marks: &[Mark::header("paddle-signature")],
        signatures: &["paddle-signature"],
        ..PLAIN
    },
    Provider {
        name: "paypal",
        marks: &[Mark::header("paypal-transmission-id"), Mark::header("paypal-transmission-sig")],
        delivery_id: &["paypal-transmission-id"],
        signatures: &["paypal-transmission-sig"],
        ..PLAIN
    },
    Provider {
        name: "aws-sns",
        marks: &[Mark::header("x-amz-sns-message-type")],
        event_type: &["x-amz-sns-message-type"],
        delivery_id: &["x-amz-sns-message-id"],
        // Its signature is in the body.
        ..PLAIN
    },
    Provider {
        name: "linear",
        marks: &[
            Mark::header("linear-event"),
            Mark::header("linear-delivery"),
            Mark::header("linear-signature"),
        ],
        event_type: &["linear-event"],
        delivery_id: &["linear-delivery"],
        signatures: &["linear-signature"],
        ..PLAIN
    },
    Provider {
        name: "sentry",
        marks: &[Mark::header("sentry-hook-resource"), Mark::header("sentry-hook-signature")],
        event_type: &["sentry-hook-resource"],
        delivery_id: &["request-id"],
        signatures: &["sentry-hook-signature"],
        ..PLAIN
    },
    Provider {
        name: "typeform",
        marks: &[Mark::header("typeform-signature")],
        signatures: &["typeform-signature"],
        ..PLAIN
    },
    Provider {
        name: "hubspot",
        marks: &[Mark::header("x-hubspot-signature-v3"), Mark::header("x-hubspot-signature")],
        signatures: &["x-hubspot-signature-v3", "x-hubspot-signature"],
        ..PLAIN
    },
    Provider {
        name: "twitch",
        marks: &[Mark::header("twitch-eventsub-message-id")],
        event_type: &["twitch-eventsub-subscription-type"],
        delivery_id: &["twitch-eventsub-message-id"],
        attempt: Some(Attempt::retries("twitch-eventsub-message-retry")),
        signatures: &["twitch-eventsub-message-signature"],
    },
    Provider {
        name: "vercel",
        marks: &[Mark::header("x-vercel-signature")],
        signatures: &["x-vercel-signature"],
        ..PLAIN
    },
    Provider {
        name: "woocommerce",
        marks: &[Mark::header("x-wc-webhook-topic"), Mark::header("x-wc-webhook-signature")],
        event_type: &["x-wc-webhook-topic"],
        delivery_id: &["x-wc-webhook-delivery-id"],
        signatures: &["x-wc-webhook-signature"],
        ..PLAIN
    },
    Provider {
        name: "discord",
        marks: &[Mark::header("x-signature-ed25519")],
        signatures: &["x-signature-ed25519"],
        ..PLAIN
    },
    Provider {
        name: "meta",
        marks: &[
            Mark::value("user-agent", "facebookexternalua"),
            Mark::value("user-agent", "facebookplatform"),
        ],
        signatures: &["x-hub-signature-256", "x-hub-signature"],
        ..PLAIN
    },
    Provider {
        name: "svix",
        marks: &[Mark::header("svix-signature"), Mark::header("svix-id")],
        delivery_id: &["svix-id"],
        signatures: &["svix-signature"],
        ..PLAIN
    },
    Provider {
        name: "standard-webhooks",
        marks: &[Mark::header("webhook-signature")],
        delivery_id: &["webhook-id"],
        signatures: &["webhook-signature"],
        ..PLAIN
    },
];
