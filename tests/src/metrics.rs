//! Reads the text format of Prometheus.
//!
//! It must not know which metrics there are.

use std::collections::BTreeMap;

/// One scrape of `/metrics`.
#[derive(Debug, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Reads an exposition; lines that are no samples are left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { samples: text.lines().filter_map(Sample::parse).collect() }
    }

    /// The sum of the samples of `name` that carry all of `labels`; 0 when there is none. Counters
    /// are whole numbers.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let sum: f64 =
            self.samples.iter().filter(|sample| sample.is(name, labels)).map(|s| s.value).sum();
        #[expect(clippy::cast_possible_truncation, reason = "counters here stay below 2^53")]
        #[expect(clippy::cast_sign_loss, reason = "a counter is never negative")]
        let whole = sum as u64;
        whole
    }
}

impl Sample {
    /// `name{label="value",...} number`. Label values with a comma or a quote do not occur.
    fn parse(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split(',').filter_map(|pair| {
            let (label, value) = pair.split_once('=')?;
            Some((label.to_owned(), value.trim_matches('"').to_owned()))
        });
        Some(Self { name: name.to_owned(), labels: labels.collect(), value: value.parse().ok()? })
    }

    fn is(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.name == name
            && labels
                .iter()
                .all(|(label, value)| self.labels.get(*label).is_some_and(|v| v == value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_what_the_labels_select() {
        let metrics = Metrics::parse(
            "# TYPE v counter\nv{port=\"1\",reason=\"a\"} 2\nv{port=\"2\",reason=\"a\"} 3\n\
             v{port=\"1\",reason=\"b\"} 10\nplain 7\nbroken\n",
        );
        for (name, labels, expected) in [
            ("v", &[][..], 15),
            ("v", &[("reason", "a")], 5),
            ("v", &[("reason", "a"), ("port", "2")], 3),
            ("v", &[("reason", "c")], 0),
            ("plain", &[], 7),
            ("broken", &[], 0),
        ] {
            assert_eq!(metrics.sum(name, labels), expected, "{name} {labels:?}");
        }
    }
}
