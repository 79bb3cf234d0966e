//! On what grounds the bans were made that are in force, for the agent after the next restart: the
//! kernel keeps whom they cover and until when, and nothing else.
//!
//! It must not know whether a ban is still in force: the kernel does.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::decide::{ChokePoint, Decision, Origin};
use crate::detect::Rule;
use crate::enforce::Enforcer;

/// Octets that are kept of all bans, beside which everything else that is saved has room: the
/// grounds of some ten thousand. A long list, whose bans all have the same, is what is cut.
const MAX_BYTES: usize = 1 << 20;

/// Why bans were made, by what they cover.
#[derive(Debug, Default)]
pub(super) struct Grounds(BTreeMap<IpNet, Kept>);

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    target: IpNet,
    /// When it ends, in kernel time, by which it is known from another ban on the same target.
    expires: u64,
    /// The rule and its version; none where an operator asked.
    rule: Option<(String, u32)>,
    reason: String,
}

impl Grounds {
    /// The grounds that [`to_octets`] wrote.
    pub(super) fn from_octets(octets: &[u8]) -> Self {
        let lines = octets.split(|octet| *octet == b'\n');
        let kept = lines.filter_map(|line| serde_json::from_slice::<Kept>(line).ok());
        Self(kept.map(|kept| (kept.target, kept)).collect())
    }

    /// Who asked for the ban on `target` that ends at `expires`, in kernel time, and why, where
    /// that is known and the rule is one this agent has.
    pub(super) fn of(&self, target: &IpNet, expires: u64) -> Option<(Origin, String)> {
        let kept = self.0.get(target).filter(|kept| kept.expires == expires)?;
        let origin = match &kept.rule {
            Some((id, version)) => Origin::Rule(Rule::that_bans(id, *version)?),
            None => Origin::Operator,
        };
        Some((origin, kept.reason.clone()))
    }
}

/// The grounds of the bans in force, the newest first and as many as there is room for.
pub(super) fn to_octets(choke_point: &ChokePoint, enforcer: &Enforcer) -> Vec<u8> {
    let mut bans: Vec<_> = choke_point.active().collect();
    bans.sort_unstable_by_key(|ban| Reverse(ban.time));
    lines(bans.into_iter().filter_map(|ban| kept(ban, enforcer.expiry(ban))), MAX_BYTES)
}

fn kept(ban: &Decision, expires: u64) -> Option<Kept> {
    let rule = match ban.origin {
        Origin::Rule(rule) => Some((rule.id.to_owned(), rule.version)),
        Origin::Operator => None,
        Origin::Restart => return None,
    };
    Some(Kept { target: ban.target, expires, rule, reason: ban.reason.clone() })
}

fn lines(kept: impl Iterator<Item = Kept>, limit: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    for one in kept {
        let before = octets.len();
        // Names and numbers can always be written.
        let written = serde_json::to_writer(&mut octets, &one).is_ok();
        octets.push(b'\n');
        if !written || octets.len() > limit {
            octets.truncate(before);
            break;
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(number: u8, rule: Option<(&str, u32)>) -> Kept {
        Kept {
            target: IpNet::from(std::net::IpAddr::from([192, 0, 2, number])),
            expires: 1_000 + u64::from(number),
            rule: rule.map(|(id, version)| (id.to_owned(), version)),
            reason: format!("reason \"{number}\"\n"),
        }
    }

    #[test]
    fn the_same_ban_has_the_same_grounds_after_a_restart() {
        let kept = [
            some(1, None),
            some(2, Some(("failed-requests", 1))),
            some(3, Some(("a-rule-of-another-time", 1))),
        ];
        let octets = lines(kept.into_iter(), MAX_BYTES);
        let grounds = Grounds::from_octets(&[&octets[..], b"{\n"].concat());
        let of = |number: u8, expires| {
            let target = IpNet::from(std::net::IpAddr::from([192, 0, 2, number]));
            grounds.of(&target, expires)
        };
        assert_eq!(of(1, 1_001), Some((Origin::Operator, "reason \"1\"\n".to_owned())));
        assert_eq!(of(1, 1_002), None, "another ban on the same address");
        let Some((Origin::Rule(rule), _)) = of(2, 1_002) else { panic!("{grounds:?}") };
        assert_eq!((rule.id, rule.version), ("failed-requests", 1));
        assert_eq!(of(3, 1_003), None, "nothing is known of its rule");
        assert_eq!(of(4, 1_004), None);
    }

    #[test]
    fn there_is_room_for_so_many() {
        let line = lines([some(1, None)].into_iter(), MAX_BYTES).len();
        for (limit, expected) in [(0, 0), (line - 1, 0), (line, 1), (3 * line - 1, 2)] {
            let octets = lines((1..=4).map(|number| some(number, None)), limit);
            assert_eq!(Grounds::from_octets(&octets).0.len(), expected, "{limit}");
        }
    }
}
