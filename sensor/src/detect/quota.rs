//! How many findings of one rule a minute has room for, and how many it had none for.
//!
//! It must not know what a rule is about.

use std::collections::BTreeMap;

use super::Finding;

/// Findings of one rule that are said within a minute. Each is of another source, and nobody reads
/// more; an attacker with a network of addresses would make thousands, and fill the disk with them.
const MOST_A_MINUTE: u32 = 100;

const MINUTE: u64 = 60_000_000_000;

/// What each rule said in its last minute.
#[derive(Debug, Default)]
pub(super) struct Quota(BTreeMap<&'static str, Said>);

#[derive(Debug, Default)]
struct Said {
    /// The minute of packet time.
    minute: u64,
    findings: u32,
    /// Findings there was no room for since one was said.
    kept_back: u64,
}

impl Quota {
    /// Whether there is room for `finding`, which then says how many before it were kept back.
    pub(super) fn admits(&mut self, finding: &mut Finding) -> bool {
        let said = self.0.entry(finding.rule.id).or_default();
        let minute = finding.time.0 / MINUTE;
        if said.minute != minute {
            said.minute = minute;
            said.findings = 0;
        }
        if said.findings >= MOST_A_MINUTE {
            said.kept_back += 1;
            return false;
        }
        said.findings += 1;
        if said.kept_back > 0 {
            let more = format!("; {} of this rule before it were not told", said.kept_back);
            finding.reason.push_str(&more);
            said.kept_back = 0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Timestamp;
    use crate::detect::claims::rule;

    #[test]
    fn a_minute_has_room_for_so_many() {
        let mut quota = Quota::default();
        let mut said = |id, second: u64| {
            let time = Timestamp(second * 1_000_000_000);
            let source = "192.0.2.1".parse().unwrap();
            let reason = "why".to_owned();
            let mut finding = Finding::new(rule(id), time, source, 80, reason, Vec::new());
            quota.admits(&mut finding).then_some(finding.reason)
        };
        for _ in 0..MOST_A_MINUTE {
            assert_eq!(said("a", 119).as_deref(), Some("why"));
        }
        assert_eq!(said("a", 119), None);
        assert_eq!(said("a", 119), None);
        assert_eq!(said("b", 119).as_deref(), Some("why"), "another rule");
        let told = Some("why; 2 of this rule before it were not told");
        assert_eq!(said("a", 120).as_deref(), told);
        assert_eq!(said("a", 120).as_deref(), Some("why"));
        assert_eq!(said("a", 60).as_deref(), Some("why"), "a clock set back");
    }
}
