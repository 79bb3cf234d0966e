//! What the kernel counted, by the names of the agent's metrics.
//!
//! It must not know how figures are shown.

use std::ops::Sub;

use harness::metrics::Metrics;

/// One reading of the counters.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Figures {
    /// Packets to watched ports.
    pub(super) packets: u64,
    /// Of those, dropped.
    pub(super) dropped: u64,
    /// Of those, passed only because decisions are simulated.
    pub(super) would_drop: u64,
    /// HTTP requests seen.
    pub(super) requests: u64,
    /// HTTP responses with 2xx.
    pub(super) accepted: u64,
    /// HTTP responses with 4xx and 5xx.
    pub(super) rejected: u64,
    /// Delivery records written.
    pub(super) recorded: u64,
}

impl From<&Metrics> for Figures {
    fn from(metrics: &Metrics) -> Self {
        let verdicts = |reason| metrics.sum("hooksensor_verdicts_total", &[("reason", reason)]);
        let responses = |class| metrics.sum("hooksensor_responses_total", &[("class", class)]);
        Self {
            packets: metrics.sum("hooksensor_packets_total", &[("direction", "ingress")]),
            dropped: verdicts("drop_banned") + verdicts("drop_limited"),
            would_drop: verdicts("would_drop_banned") + verdicts("would_drop_limited"),
            requests: metrics.sum("hooksensor_requests_total", &[]),
            accepted: responses("2xx"),
            rejected: responses("4xx") + responses("5xx"),
            recorded: metrics.sum("hooksensor_records_total", &[("dataset", "delivery")]),
        }
    }
}

impl Sub for Figures {
    type Output = Self;

    /// What was counted since `earlier`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            packets: self.packets - earlier.packets,
            dropped: self.dropped - earlier.dropped,
            would_drop: self.would_drop - earlier.would_drop,
            requests: self.requests - earlier.requests,
            accepted: self.accepted - earlier.accepted,
            rejected: self.rejected - earlier.rejected,
            recorded: self.recorded - earlier.recorded,
        }
    }
}

/// `number` with a comma between groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Octets as MiB with one decimal place.
pub(super) fn mebibytes(octets: u64) -> String {
    let tenths = octets * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), expected);
        }
        assert_eq!(mebibytes(3 << 19), "1.5 MiB");
    }

    #[test]
    fn drops_are_summed_over_their_reasons() {
        let metrics = Metrics::parse(
            "hooksensor_verdicts_total{port=\"1\",reason=\"drop_banned\"} 2\n\
             hooksensor_verdicts_total{port=\"1\",reason=\"drop_limited\"} 3\n\
             hooksensor_verdicts_total{port=\"1\",reason=\"would_drop_limited\"} 5\n\
             hooksensor_responses_total{port=\"1\",class=\"4xx\"} 7\n",
        );
        let expected = Figures { dropped: 5, would_drop: 5, rejected: 7, ..Figures::default() };
        assert_eq!(Figures::from(&metrics), expected);
    }
}
