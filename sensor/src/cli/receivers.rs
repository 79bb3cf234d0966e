//! The part of `hooksensor status` on how our own receivers serve their senders.
//!
//! It must not know how a figure came about.

use std::collections::BTreeMap;

use super::output::table;
use crate::export::ReceiverFigures;

/// What becomes of a delivery: each has one of these.
const OUTCOMES: [&str; 4] = ["served", "refused", "broken", "silent"];

/// A table with a row for each endpoint, provider and event type, and a line for each pair of them
/// whose deliveries have stopped; `None` where nothing was delivered.
pub(super) fn describe(receivers: &[ReceiverFigures]) -> Option<String> {
    let rows: Vec<_> = receivers
        .iter()
        .flat_map(|one| one.events.iter().map(move |(event, figures)| row(one, event, figures)))
        .collect();
    let stopped = receivers.iter().filter(|one| one.stopped).map(|one| {
        format!(
            "stopped    {} of {}: deliveries that should come do not",
            one.endpoint, one.provider
        )
    });
    let headings =
        ["ENDPOINT", "PROVIDER", "EVENT TYPE", "DELIVERIES", "2XX", "5XX", "LATE", "RETRIED"];
    let table = (!rows.is_empty()).then(|| table(&headings, &rows));
    let parts: Vec<_> = table.into_iter().chain(stopped).collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

fn row(receiver: &ReceiverFigures, event: &str, figures: &BTreeMap<String, u64>) -> Vec<String> {
    let figure = |name: &str| figures.get(name).copied().unwrap_or_default();
    let all: u64 = OUTCOMES.iter().map(|outcome| figure(outcome)).sum();
    vec![
        receiver.endpoint.clone(),
        receiver.provider.clone(),
        event.to_owned(),
        all.to_string(),
        share(figure("served"), all),
        figure("broken").to_string(),
        figure("late").to_string(),
        figure("retries").to_string(),
    ]
}

/// `part` of `all` in per cent, rounded down, so that only all of them are 100.
fn share(part: u64, all: u64) -> String {
    match u128::from(part).saturating_mul(100).checked_div(all.into()) {
        Some(percent) => format!("{percent} %"),
        None => String::from("-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_by_event_type() {
        let figures = |served: u64, broken: u64, retries: u64| {
            [("served", served), ("broken", broken), ("retries", retries)]
                .map(|(name, figure)| (name.to_owned(), figure))
                .into()
        };
        let receiver = |stopped| ReceiverFigures {
            endpoint: "hooks".to_owned(),
            provider: "github".to_owned(),
            events: [
                ("ping".to_owned(), figures(0, 0, 0)),
                ("push".to_owned(), figures(999, 1, 2)),
            ]
            .into(),
            stopped,
            ..ReceiverFigures::default()
        };
        let expected = "\
ENDPOINT  PROVIDER  EVENT TYPE  DELIVERIES  2XX   5XX  LATE  RETRIED
hooks     github    ping        0           -     0    0     0
hooks     github    push        1000        99 %  1    0     2";
        assert_eq!(describe(&[receiver(false)]).as_deref(), Some(expected));
        let stopped = describe(&[receiver(true)]).unwrap();
        assert!(
            stopped.ends_with("stopped    hooks of github: deliveries that should come do not")
        );
        assert_eq!(describe(&[]), None);
    }
}
