//! Checks of what a delivery says: that it is what it declares, what its schema and its past say,
//! and that nothing in it is meant for a shell.
//!
//! Pure. It must not judge whether any of that matters; that is `detect`'s part. What was not seen
//! whole is not judged.

mod charset;
mod coding;
mod content;
mod document;
mod effort;
mod fault;
mod kept;
mod media;
mod open;
mod pointer;
mod schema;
mod shape;
mod shapes;
mod signs;

use serde_json::Value;

use super::Past;
use super::message::Message;
use crate::config::{Endpoint, PayloadCheck};
use crate::time::Timestamp;

pub use coding::{Coding, unpacked};
pub use document::Malformed;
pub use fault::{Fault, Payload, Unjudged};
pub use schema::{Mismatch, Schema, SchemaError, Schemas};
pub use shape::{Drift, Kinds, Shape};
pub use shapes::Shapes;

use content::{Content, Reading};
use effort::Effort;
use pointer::Pointer;
use schema::{Held, Validators};
use shapes::Kind;

/// Faults of one payload that are named; who reads of so many looks at the payload.
const MAX_FAULTS: usize = 8;

/// Who vouches for a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voucher {
    /// Its signature, which one of the secrets made.
    Signature,
    /// The application, which took it where no signature says otherwise.
    Application,
    /// Nobody so far.
    Nobody,
    /// Nobody, where a signature should: its endpoint has secrets.
    Denied,
}

/// What is known beforehand of a payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) schemas: &'a Schemas,
    pub(super) provider: &'a str,
    pub(super) event_type: &'a str,
    pub(super) voucher: Voucher,
    pub(super) now: Timestamp,
}

/// Everything that is remembered to check payloads by.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    validators: Validators,
    effort: Effort,
}

impl Payloads {
    /// Lets go of schemas that were replaced.
    pub(super) fn renew(&mut self) {
        self.validators.forget();
    }

    /// Checks the payload of `message` as its endpoint asks; `None` when that asks for nothing.
    pub(super) fn judge(
        &mut self,
        origin: Origin<'_>,
        message: &Message<'_>,
        past: &Past,
    ) -> Option<Payload> {
        if !origin.endpoint.checks_payloads() {
            return None;
        }
        let octets = match message.content {
            Ok([]) => return Some(Payload::unjudged(Unjudged::Empty)),
            Ok(octets) => octets,
            Err(why) => return Some(Payload::unjudged(Unjudged::Body(why))),
        };
        let content = match self.read(origin, message, octets) {
            Ok(content) => content,
            Err(why) => return Some(Payload::unjudged(why)),
        };
        let mut payload = Payload::default();
        if origin.endpoint.checks.contains(&PayloadCheck::Content) {
            payload.faults.extend(content.faults);
        }
        payload.unjudged = content.unjudged;
        match &content.found {
            Some(Content::Json(tree)) => {
                self.judge_tree(origin, (tree, octets.len()), past, &mut payload);
            }
            Some(Content::Form(fields)) if origin.looks_for(PayloadCheck::Injection) => {
                for (name, value) in fields {
                    look_for_signs(name, value, || Pointer::new(name), &mut payload);
                }
            }
            _ => {}
        }
        Some(payload)
    }

    /// Reads `octets`, unless they are not worth it: what is forged never is, and of what no
    /// signature proves, which costs its sender nothing, only so much within a second.
    fn read(
        &mut self,
        origin: Origin<'_>,
        message: &Message<'_>,
        octets: &[u8],
    ) -> Result<Reading, Unjudged> {
        match origin.voucher {
            Voucher::Denied => Err(Unjudged::NotGenuine),
            Voucher::Signature => Ok(content::read(message.headers, octets)),
            Voucher::Application | Voucher::Nobody => {
                let is_left = self.effort.is_left(origin.now);
                let content = is_left
                    .then(|| content::read(message.headers, octets))
                    .ok_or(Unjudged::Busy)?;
                self.effort.spend(content.octets);
                Ok(content)
            }
        }
    }

    fn judge_tree(
        &mut self,
        origin: Origin<'_>,
        (tree, octets): (&Value, usize),
        past: &Past,
        payload: &mut Payload,
    ) {
        let when = (origin.teaches(), origin.now);
        match self.validators.hold(origin.schemas, origin.event_type, tree, when) {
            Held::Unasked => {}
            Held::Busy => payload.unjudged = Some(Unjudged::Busy),
            Held::NotCompiled => payload.unjudged = Some(Unjudged::NotVouched),
            Held::Checked(result) => {
                if let Err(mismatch) = &result {
                    payload.faults.push(Fault::Schema(mismatch.clone()));
                }
                payload.schema = Some(result);
            }
        }
        if origin.looks_for(PayloadCheck::Shape) {
            let kind = origin.kind(tree);
            let enough = origin.endpoint.shape_after;
            let drifts = past.shapes().look(kind, (tree, octets as u64), enough, origin.teaches());
            payload.faults.extend(drifts.into_iter().map(Fault::Shape));
        }
        if origin.looks_for(PayloadCheck::Injection) {
            look_for_signs_in("", tree, &mut Pointer::default(), payload);
        }
        payload.faults.truncate(MAX_FAULTS);
    }
}

impl<'a> Origin<'a> {
    fn looks_for(&self, check: PayloadCheck) -> bool {
        self.endpoint.checks.contains(&check)
    }

    /// Whether it is genuine enough to learn from.
    fn teaches(&self) -> bool {
        matches!(self.voucher, Voucher::Signature | Voucher::Application)
    }

    fn kind(&self, tree: &'a Value) -> Kind<'a> {
        Kind {
            endpoint: &self.endpoint.name,
            provider: self.provider,
            event_type: self.event_type,
            action: tree["action"].as_str().unwrap_or_default(),
        }
    }
}

/// Looks for signs of injection in every string below `value`, which stands under `member`.
fn look_for_signs_in(member: &str, value: &Value, place: &mut Pointer, payload: &mut Payload) {
    if payload.faults.len() >= MAX_FAULTS {
        return;
    }
    match value {
        Value::String(text) => look_for_signs(member, text, || place.clone(), payload),
        Value::Object(members) => {
            for (name, value) in members {
                let mark = place.push(name);
                look_for_signs_in(name, value, place, payload);
                place.back(mark);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let mark = place.push(&index.to_string());
                look_for_signs_in(member, value, place, payload);
                place.back(mark);
            }
        }
        _ => {}
    }
}

fn look_for_signs(
    member: &str,
    text: &str,
    place: impl FnOnce() -> Pointer,
    payload: &mut Payload,
) {
    if let Some(rule) = signs::sign(member, text) {
        payload.faults.push(Fault::Injection { rule, pointer: place().into_text() });
    }
}

#[cfg(test)]
mod tests;
