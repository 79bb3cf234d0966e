//! Scores records against the transactions that others derived from the same capture.
//!
//! It must not know where records or expectations come from.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

/// Transactions of one capture beyond which it weighs no more, so that one long capture does not
/// decide the whole score.
const MOST_WEIGHT: f64 = 100.0;

/// What a matched transaction is worth when it had to be found, beside 1 for one that may be
/// missing: more than any capture has of those, so that none ever takes the place of a firm one.
const FIRM: u32 = 100_000;

/// One HTTP transaction, in the terms in which sources are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    flow: Flow,
    method: String,
    uri: String,
    status: Option<u64>,
    tolerance: Tolerance,
}

/// Source and destination.
type Flow = (String, Option<u64>, String, Option<u64>);

/// What the sources of an expectation do not agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tolerance(u8);

impl Tolerance {
    /// Whether there is such a transaction.
    const EXISTENCE: u8 = 1;
    const STATUS: u8 = 2;
    const URI: u8 = 4;
    const EVERYTHING: u8 = 8;

    fn has(self, what: u8) -> bool {
        self.0 & what != 0
    }
}

/// How a capture's records compare with its expectations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Transactions found, of those that had to be.
    pub matched: u32,
    /// What had to be found and was not.
    pub missing: Vec<Transaction>,
    /// Records of nothing that was expected.
    pub extra: Vec<Transaction>,
    /// Transactions found with another status or out of order: missing and extra at once.
    pub wrong_status: u32,
}

/// The weighted sum of comparisons.
#[derive(Debug, Clone, Copy, Default)]
pub struct Score {
    matched: f64,
    missing: f64,
    extra: f64,
    wrong_status: f64,
}

impl Transaction {
    /// The transaction of a delivery record; none when the record has no request.
    #[must_use]
    pub fn of_record(record: &Value) -> Option<Self> {
        let at = |pointer| record.pointer(pointer).unwrap_or(&Value::Null);
        let (method, uri) = (at("/http/request/method"), at("/url/original"));
        let flow = (
            address(at("/source/ip")),
            number(at("/source/port")),
            address(at("/destination/ip")),
            number(at("/destination/port")),
        );
        let status = number(at("/http/response/status_code"));
        (!text(method).is_empty() || !text(uri).is_empty()).then(|| Self {
            flow,
            method: text(method).to_owned(),
            uri: comparable(text(uri)),
            status,
            tolerance: Tolerance::default(),
        })
    }

    /// The transaction of an expectation; none when it speaks of a response alone.
    #[must_use]
    pub fn of_expectation(expectation: &Value) -> Option<Self> {
        let at = |name: &str| expectation.get(name).unwrap_or(&Value::Null);
        let set = |name: &str| at(name).as_bool() == Some(true);
        // What a proxy of SOCKS hands on is not looked for; what is in a tunnel is.
        let tolerance = [
            (set("optional") || at("layer") == "socks", Tolerance::EXISTENCE),
            (set("status_any"), Tolerance::STATUS),
            (set("uri_any"), Tolerance::URI),
            (set("any"), Tolerance::EVERYTHING | Tolerance::EXISTENCE),
        ];
        let tolerance =
            tolerance.iter().filter(|(set, _)| *set).fold(0, |all, (_, what)| all | what);
        (!at("method").is_null()).then(|| Self {
            flow: (
                address(at("src")),
                number(at("sport")),
                address(at("dst")),
                number(at("dport")),
            ),
            method: text(at("method")).to_owned(),
            uri: comparable(text(at("uri"))),
            status: number(at("status")),
            tolerance: Tolerance(tolerance),
        })
    }

    fn may_be_missing(&self) -> bool {
        self.tolerance.has(Tolerance::EXISTENCE)
    }

    /// Whether `record` is what is expected here.
    fn accepts(&self, record: &Self, with_status: bool) -> bool {
        let tolerates = |what| self.tolerance.has(what);
        let request =
            self.method == record.method && (tolerates(Tolerance::URI) || self.uri == record.uri);
        let status = !with_status || tolerates(Tolerance::STATUS) || self.status == record.status;
        tolerates(Tolerance::EVERYTHING) || (request && status)
    }
}

impl Comparison {
    /// Compares the records of a capture with what is expected of it: connection by connection, in
    /// order.
    #[must_use]
    pub fn new(expected: Vec<Transaction>, records: Vec<Transaction>) -> Self {
        let mut flows: BTreeMap<Flow, (Vec<Transaction>, Vec<Transaction>)> = BTreeMap::new();
        for transaction in expected {
            flows.entry(transaction.flow.clone()).or_default().0.push(transaction);
        }
        for transaction in records {
            flows.entry(transaction.flow.clone()).or_default().1.push(transaction);
        }
        let mut comparison = Self::default();
        for (expected, records) in flows.into_values() {
            comparison.connection(expected, records);
        }
        comparison
    }

    fn connection(&mut self, mut expected: Vec<Transaction>, mut records: Vec<Transaction>) {
        self.matched += take_pairs(&mut expected, &mut records, true);
        self.wrong_status += take_pairs(&mut expected, &mut records, false);
        self.missing.extend(expected.into_iter().filter(|one| !one.may_be_missing()));
        self.extra.append(&mut records);
    }

    /// Whether nothing is missing, too much, or different.
    #[must_use]
    pub fn is_perfect(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.wrong_status == 0
    }
}

impl Score {
    /// Adds a capture.
    pub fn add(&mut self, comparison: &Comparison) {
        let count = |list: &[Transaction]| u32::try_from(list.len()).unwrap_or(u32::MAX);
        let (missing, extra) = (count(&comparison.missing), count(&comparison.extra));
        let expected = f64::from(comparison.matched + missing + comparison.wrong_status);
        let weight = if expected > MOST_WEIGHT { MOST_WEIGHT / expected } else { 1.0 };
        self.matched += weight * f64::from(comparison.matched);
        self.missing += weight * f64::from(missing);
        self.extra += weight * f64::from(extra);
        self.wrong_status += weight * f64::from(comparison.wrong_status);
    }

    /// The share of what had to be found that was, from 0 to 1.
    #[must_use]
    pub fn recall(&self) -> f64 {
        self.matched / (self.matched + self.missing + self.wrong_status)
    }

    /// The share of what was found that is right, from 0 to 1.
    #[must_use]
    pub fn precision(&self) -> f64 {
        self.matched / (self.matched + self.extra + self.wrong_status)
    }
}

/// Takes the longest common subsequence out of both lists, and says how many of it had to be there.
fn take_pairs(
    expected: &mut Vec<Transaction>,
    records: &mut Vec<Transaction>,
    with_status: bool,
) -> u32 {
    let worth = |one: &Transaction| if one.may_be_missing() { 1 } else { FIRM };
    let width = records.len() + 1;
    let mut best = vec![0; (expected.len() + 1) * width];
    for (row, one) in expected.iter().enumerate().rev() {
        for (column, record) in records.iter().enumerate().rev() {
            let place = row * width + column;
            let pair = one.accepts(record, with_status);
            let taken = if pair { best[place + width + 1] + worth(one) } else { 0 };
            best[place] = taken.max(best[place + width]).max(best[place + 1]);
        }
    }
    let (mut row, mut column, mut firm) = (0, 0, 0);
    let mut pairs = Vec::new();
    while row < expected.len() && column < records.len() {
        let (one, place) = (&expected[row], row * width + column);
        let pair = one.accepts(&records[column], with_status);
        if pair && best[place] == best[place + width + 1] + worth(one) {
            firm += u32::from(!one.may_be_missing());
            pairs.push((row, column));
            (row, column) = (row + 1, column + 1);
        } else if best[place] == best[place + width] {
            row += 1;
        } else {
            column += 1;
        }
    }
    for (row, column) in pairs.into_iter().rev() {
        expected.remove(row);
        records.remove(column);
    }
    firm
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Zero stands for what is not known.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().filter(|number| *number > 0)
}

/// An address in the one form it has here, whatever the source's way to write it.
fn address(value: &Value) -> String {
    let written = text(value).trim_matches(['[', ']']);
    let plain = written.split('%').next().unwrap_or_default();
    plain
        .parse::<IpAddr>()
        .map_or_else(|_| written.to_owned(), |address| address.to_canonical().to_string())
}

/// A target with every run of octets that sources write in different ways as one question mark:
/// whatever is not visible ASCII, escaped or not.
fn comparable(uri: &str) -> String {
    let mut shown = String::new();
    let mut rest = uri;
    let mut in_run = false;
    while let Some(first) = rest.chars().next() {
        let escape = escape_length(rest);
        let odd = escape > 0 || !first.is_ascii_graphic();
        if !odd {
            shown.push(first);
        } else if !in_run {
            shown.push('?');
        }
        in_run = odd;
        rest = &rest[escape.max(first.len_utf8())..];
    }
    shown
}

/// Length of the escape sequence that `text` starts with, of the kinds that sources write: `\x`
/// or `\u00` with two digits, or a letter.
fn escape_length(text: &str) -> usize {
    let Some(escaped) = text.strip_prefix('\\') else { return 0 };
    let digits = |prefix: &str| {
        let digits = escaped.strip_prefix(prefix).and_then(|rest| rest.as_bytes().get(..2));
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    match escaped.as_bytes().first() {
        Some(b'x') if digits("x") => 4,
        Some(b'u') if digits("u00") => 6,
        Some(b'r' | b'n' | b't' | b'0') => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expected(uri: &str, status: u64) -> Value {
        json!({"src": "::ffff:192.0.2.1", "sport": 1, "dst": "192.0.2.2", "dport": 80,
            "method": "GET", "uri": uri, "status": status})
    }

    fn record(uri: &str, status: u64) -> Value {
        json!({"source": {"ip": "192.0.2.1", "port": 1},
            "destination": {"ip": "192.0.2.2", "port": 80},
            "http": {"request": {"method": "GET"}, "response": {"status_code": status}},
            "url": {"original": uri}})
    }

    /// Compares, and expects (matched, missing, extra, wrong status).
    fn check(expectations: &[Value], records: &[Value], expected: (u32, usize, usize, u32)) {
        let expectations = expectations.iter().filter_map(Transaction::of_expectation).collect();
        let records = records.iter().filter_map(Transaction::of_record).collect();
        let found = Comparison::new(expectations, records);
        let figures = (found.matched, found.missing.len(), found.extra.len(), found.wrong_status);
        assert_eq!(figures, expected, "{found:?}");
    }

    #[test]
    fn records_meet_expectations_in_order() {
        check(&[expected("/a", 200)], &[record("/a", 200)], (1, 0, 0, 0));
        check(&[expected("/a", 200)], &[record("/b", 200)], (0, 1, 1, 0));
        check(&[expected("/a", 200)], &[record("/a", 404)], (0, 0, 0, 1));
        check(
            &[expected("/a", 200), expected("/b", 200)],
            &[record("/b", 200), record("/a", 200)],
            (1, 0, 0, 1),
        );
        check(&[expected("/a\\x01\u{2}b", 200)], &[record("/a\u{fffd}b", 200)], (1, 0, 0, 0));
        check(&[json!({"method": null, "status": 200})], &[], (0, 0, 0, 0));
    }

    #[test]
    fn doubt_is_tolerated_where_it_is() {
        let with = |key: &str, value: Value| {
            let mut expectation = expected("/a", 200);
            expectation[key] = value;
            expectation
        };
        check(&[with("optional", json!(true))], &[], (0, 0, 0, 0));
        check(&[with("layer", json!("socks"))], &[], (0, 0, 0, 0));
        check(&[with("layer", json!("tunnel"))], &[], (0, 1, 0, 0));
        check(&[with("status_any", json!(true))], &[record("/a", 500)], (1, 0, 0, 0));
        check(&[with("uri_any", json!(true))], &[record("/b", 200)], (1, 0, 0, 0));
        check(&[with("any", json!(true))], &[record("/c", 500)], (0, 0, 0, 0));
        let both = [with("optional", json!(true)), expected("/a", 200)];
        check(&both, &[record("/a", 200)], (1, 0, 0, 0));
    }

    #[test]
    fn long_captures_weigh_as_much_as_a_hundred() {
        let mut score = Score::default();
        score.add(&Comparison { matched: 1000, ..Comparison::default() });
        let missing = Transaction::of_expectation(&expected("/", 200)).unwrap();
        score.add(&Comparison { missing: vec![missing; 25], ..Comparison::default() });
        assert!((score.recall() - 0.8).abs() < 1e-9);
        assert!((score.precision() - 1.0).abs() < 1e-9);
    }
}
