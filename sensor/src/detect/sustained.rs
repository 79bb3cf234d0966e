//! The rules `sustained-flood` and `unproven-flood`: a source stays over its packet limit.
//!
//! The kernel already drops what is over the limit; these find sources worth no packet at all, and
//! those that only may be. They must not know how the limit is counted.

use std::net::IpAddr;
use std::time::Duration;

use lru::LruCache;

use super::claims::{QUIET, rule};
use super::quota::Quota;
use super::{Consequence, Finding, OverLimit, REMEMBERED_SOURCES, Rule};
use crate::capture::Timestamp;
use crate::config;

pub(super) const PROVEN: Rule =
    Rule { id: "sustained-flood", version: 2, consequence: Consequence::Ban };

/// Of a source that never completed a handshake. Anybody can put its address on a packet, so that a
/// ban would do to an honest sender what the flood wants done to it.
const UNPROVEN: Rule = rule("unproven-flood");

/// The kernel repeats its notice ten times a second while a source stays over its limit; after
/// this much silence the source is taken to have stopped.
const SILENCE: Duration = Duration::from_secs(1);

/// Since when each source is over its limit.
#[derive(Debug)]
pub(super) struct Sustained {
    bound: Duration,
    sources: LruCache<(IpAddr, u16), Spell>,
    quota: Quota,
}

#[derive(Debug, Clone, Copy)]
struct Spell {
    since: Timestamp,
    last: Timestamp,
    /// When it was told that its source is not proven.
    told: Option<Timestamp>,
}

impl Sustained {
    pub(super) fn new(ban: &config::Ban) -> Self {
        Self {
            bound: ban.over_limit_for,
            sources: LruCache::new(REMEMBERED_SOURCES),
            quota: Quota::default(),
        }
    }

    pub(super) fn look(&mut self, notice: OverLimit) -> Option<Finding> {
        let OverLimit { source, port, established, time } = notice;
        if self.bound.is_zero() {
            return None;
        }
        let fresh = Spell { since: time, last: time, told: None };
        let spell = self.sources.get_or_insert_mut((source, port), || fresh);
        if passed(time, spell.last) > SILENCE {
            *spell = fresh;
        } else if passed(spell.last, time) > SILENCE {
            *spell = Spell { told: spell.told, ..fresh };
        }
        spell.last = time;
        let lasted = passed(spell.since, time);
        if lasted < self.bound {
            return None;
        }
        spell.since = time;
        let find = |rule, why| {
            let reason = format!("over its packet limit for {:.1} s{why}", lasted.as_secs_f64());
            Finding::new(rule, time, source, port, reason, Vec::new())
        };
        if established {
            return Some(find(PROVEN, ""));
        }
        if spell.told.is_some_and(|told| passed(told, time) < QUIET) {
            return None;
        }
        let mut finding = find(UNPROVEN, ", and never completed a handshake: it may be made up");
        self.quota.admits(&mut finding).then(|| {
            spell.told = Some(time);
            finding
        })
    }
}

fn passed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_nanos(to.nanoseconds_since(from))
}
