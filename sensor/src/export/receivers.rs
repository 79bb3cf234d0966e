//! The metrics of how our own receivers serve their senders.
//!
//! Labels are names of the configuration, and event types that a provider signed, of which only so
//! many are told apart. It must not know how a figure came about.

use std::collections::HashMap;

use anyhow::Result;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::metrics::{Page, Sample};
use super::snapshot::{AnswerFigures, ReceiverFigures, Snapshot};

/// What becomes of a delivery: each has one of these.
const OUTCOMES: [&str; 4] = ["served", "refused", "broken", "silent"];

/// Adds the metrics of every receiver.
pub(super) fn receivers(page: &Page, snapshot: &Snapshot) -> Result<()> {
    let receivers = &snapshot.receivers;
    page.counter(
        "deliveries_total",
        "Deliveries by what their sender got: served (2xx), refused (other answers), broken (5xx), \
         silent (none).",
        &["endpoint", "provider", "event_type", "outcome"],
        OUTCOMES.iter().flat_map(|outcome| {
            by_event(receivers, outcome).map(|(mut labels, figure)| {
                labels.push(outcome);
                (labels, figure)
            })
        }),
    )?;
    page.counter(
        "deliveries_late_total",
        "Deliveries answered later than their provider waits.",
        &["endpoint", "provider", "event_type"],
        by_event(receivers, "late"),
    )?;
    page.counter(
        "deliveries_retried_total",
        "Deliveries sent again because an earlier attempt had failed.",
        &["endpoint", "provider", "event_type"],
        by_event(receivers, "retries"),
    )?;
    page.gauge(
        "deliveries_stopped",
        "1 while deliveries that should come do not.",
        &["endpoint", "provider"],
        receivers.iter().map(|one| {
            (vec![one.endpoint.as_str(), one.provider.as_str()], u64::from(one.stopped))
        }),
    )?;
    page.counter(
        "deliveries_untracked_total",
        "Deliveries to more pairs of an endpoint and a provider than are followed.",
        &[],
        [(vec![], snapshot.receivers_untracked)],
    )?;
    Ok(page.registry.register(Box::new(AnswerTimes::new(receivers)?))?)
}

/// The figure `name` of each event type.
fn by_event<'a>(
    receivers: &'a [ReceiverFigures],
    name: &'a str,
) -> impl Iterator<Item = Sample<'a>> {
    receivers.iter().flat_map(move |one| {
        one.events.iter().map(move |(event, figures)| {
            let labels = vec![one.endpoint.as_str(), one.provider.as_str(), event.as_str()];
            (labels, figures.get(name).copied().unwrap_or_default())
        })
    })
}

/// Histograms that were counted elsewhere. The library's own can only be made by observing.
struct AnswerTimes {
    description: Desc,
    metrics: Vec<Metric>,
}

impl AnswerTimes {
    const NAME: &str = "answer_seconds";
    const HELP: &str = "Time from a delivery's first octet to its answer's.";

    fn new(receivers: &[ReceiverFigures]) -> Result<Self> {
        let labels = ["endpoint", "provider"].map(str::to_owned).to_vec();
        let description =
            Desc::new(Self::NAME.to_owned(), Self::HELP.to_owned(), labels, HashMap::new())?;
        Ok(Self { description, metrics: receivers.iter().map(metric).collect() })
    }
}

impl Collector for AnswerTimes {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name(Self::NAME.to_owned());
        family.set_help(Self::HELP.to_owned());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(self.metrics.clone());
        vec![family]
    }
}

fn metric(receiver: &ReceiverFigures) -> Metric {
    let label = |name: &str, value: &str| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    let mut metric = Metric::default();
    metric.set_label(vec![
        label("endpoint", &receiver.endpoint),
        label("provider", &receiver.provider),
    ]);
    metric.set_histogram(histogram(&receiver.answers));
    metric
}

fn histogram(answers: &AnswerFigures) -> Histogram {
    let bucket = |(bound, count): &(u64, u64)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(seconds(*bound));
        bucket.set_cumulative_count(*count);
        bucket
    };
    let mut histogram = Histogram::default();
    histogram.set_bucket(answers.within.iter().map(bucket).collect());
    histogram.set_sample_count(answers.count);
    histogram.set_sample_sum(seconds(answers.milliseconds));
    histogram
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}
