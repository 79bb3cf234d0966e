//! The rule `sustained-flood`: a source stays over its packet limit.
//!
//! The kernel already drops what is over the limit; this rule finds sources worth no packet at
//! all. It must not know how the limit is counted.

use std::net::IpAddr;
use std::time::Duration;

use lru::LruCache;

use super::{Consequence, Finding, OverLimit, REMEMBERED_SOURCES, Rule};
use crate::capture::Timestamp;
use crate::config;

const RULE: Rule = Rule { id: "sustained-flood", version: 1, consequence: Consequence::Ban };

/// The kernel repeats its notice ten times a second while a source stays over its limit; after
/// this much silence the source is taken to have stopped.
const SILENCE: Duration = Duration::from_secs(1);

/// Since when each source is over its limit.
#[derive(Debug)]
pub(super) struct Sustained {
    bound: Duration,
    sources: LruCache<(IpAddr, u16), Spell>,
}

#[derive(Debug, Clone, Copy)]
struct Spell {
    since: Timestamp,
    last: Timestamp,
}

impl Sustained {
    pub(super) fn new(ban: &config::Ban) -> Self {
        Self { bound: ban.over_limit_for, sources: LruCache::new(REMEMBERED_SOURCES) }
    }

    pub(super) fn look(&mut self, notice: OverLimit) -> Option<Finding> {
        let OverLimit { source, port, time } = notice;
        if self.bound.is_zero() {
            return None;
        }
        let fresh = Spell { since: time, last: time };
        let spell = self.sources.get_or_insert_mut((source, port), || fresh);
        let is_set_back = passed(time, spell.last) > SILENCE;
        if is_set_back || passed(spell.last, time) > SILENCE {
            *spell = fresh;
        }
        spell.last = time;
        let lasted = passed(spell.since, time);
        if lasted < self.bound {
            return None;
        }
        spell.since = time;
        let reason = format!("over its packet limit for {:.1} s", lasted.as_secs_f64());
        Some(Finding::new(RULE, time, source, port, reason, Vec::new()))
    }
}

fn passed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_nanos(to.nanoseconds_since(from))
}
