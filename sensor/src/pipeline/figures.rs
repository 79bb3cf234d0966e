//! The counters of the stages under the names they have in `status` and in metrics.
//!
//! It must not know who asks.

use std::time::Duration;

use super::stages::Stages;
use crate::detect::{ANSWER_BOUNDS, Level, Place, Receiver, Receivers, Times};
use crate::export::{AnswerFigures, ReceiverFigures, StreamFigures, named};

/// The figures of one shard.
pub(super) fn streams(stages: &Stages) -> StreamFigures {
    let http = stages.counters();
    let tcp = stages.tcp_counters();
    let totals = named([
        ("segments", tcp.segments),
        ("stray_segments", tcp.stray_segments),
        ("late_segments", tcp.late_segments),
        ("implausible_segments", tcp.implausible_segments),
        ("doubtful_segments", tcp.doubtful_segments),
        ("clock_setbacks", tcp.clock_setbacks),
        ("connections_opened", tcp.opened),
        ("connections_midstream", tcp.midstream),
        ("connections_evicted", tcp.closed_evicted + http.head_evictions),
        ("connections_opaque", http.opaque_connections),
        ("gaps", tcp.gaps),
        ("gap_octets", tcp.gap_octets),
        ("skipped_octets", tcp.skipped_octets),
        ("repeated_octets", tcp.repeated_octets),
        ("conflicting_octets", tcp.conflicting_octets),
        ("buffer_overflows", tcp.buffer_overflows),
        ("requests", http.requests),
        ("responses", http.responses),
        ("orphan_responses", http.orphan_responses),
        ("unanswered", http.unanswered),
        ("long_heads", http.long_heads),
        ("unkept_contents", http.unkept_contents),
        ("pipeline_overflows", http.pipeline_overflows),
        ("unrecognised_octets", http.unrecognised_octets),
        ("opaque_octets", http.opaque_octets),
    ]);
    let coverage = named([
        ("full", http.full),
        ("gap", http.gap),
        ("truncated", http.truncated),
        ("midstream", http.midstream),
        ("sampled", http.sampled),
    ]);
    let open_connections = u64::try_from(stages.open_flows()).unwrap_or(u64::MAX);
    let endpoints = stages.coverage();
    StreamFigures { open_connections, totals, coverage, endpoints, idle_seconds: 0 }
}

/// The figures of every receiver, and the deliveries to others.
pub(super) fn receivers(receivers: &Receivers) -> (Vec<ReceiverFigures>, u64) {
    let figures = receivers.iter().map(|(place, one)| receiver(place, one)).collect();
    (figures, receivers.untracked())
}

fn receiver(place: &Place, receiver: &Receiver) -> ReceiverFigures {
    let of_event = |(name, level): (&str, &Level)| {
        let figures = named([
            ("served", level.served),
            ("refused", level.refused),
            ("broken", level.broken),
            ("silent", level.silent),
            ("late", level.late),
            ("retries", level.retries),
        ]);
        (name.to_owned(), figures)
    };
    ReceiverFigures {
        endpoint: place.endpoint.clone(),
        provider: place.provider.clone(),
        events: receiver.levels().map(of_event).collect(),
        answers: answers(receiver.times()),
        stopped: receiver.has_stopped(),
    }
}

fn answers(times: &Times) -> AnswerFigures {
    let mut sum = 0;
    let within = ANSWER_BOUNDS.iter().zip(times.counts).map(|(bound, count)| {
        sum += count;
        (milliseconds(*bound), sum)
    });
    let within = within.collect();
    AnswerFigures { within, count: times.count, milliseconds: milliseconds(times.sum) }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
