//! What the demo showed, in numbers, and whether they hold.
//!
//! It must not know where numbers come from beyond the agent's own output and the senders' books.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::agent::Agent;
use harness::eventually;

use super::figures::{grouped, mebibytes};
use super::play::Flooded;
use super::traffic::Honest;

/// How long the last records may take to be written.
const SETTLE: Duration = Duration::from_secs(5);

/// What the agent may occupy, as the project promises.
const MAX_MEMORY: u64 = 40 << 20;

/// Beyond the configured time, how long a ban may take: the agent looks once a second.
const BAN_DELAY: Duration = Duration::from_secs(2);

/// The limit that the flood met.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    /// Packets a second.
    pub(super) rate: u64,
    /// Packets at once.
    pub(super) burst: u64,
    /// How long a source is over it before it is banned.
    pub(super) ban_after: Duration,
}

/// The lines of the summary.
pub(super) struct Summary {
    lines: Vec<Line>,
}

struct Line {
    title: &'static str,
    value: String,
    /// `None` for a figure that is only told.
    holds: Option<bool>,
}

impl Summary {
    /// Takes the last figures from the agent, which must still run.
    pub(super) fn collect(
        agent: &Agent<'_>,
        honest: &Honest,
        [simulated, enforced]: [Flooded; 2],
        limit: Limit,
    ) -> Result<Self> {
        let sent = honest.sent.len() as u64;
        let recorded = recorded(agent, &honest.sent);
        let decisions = agent.dataset("decision")?.len() as u64;
        let memory = agent.resident_bytes()?;
        let let_through = enforced.report.sent.saturating_sub(enforced.counted.dropped);
        let lines = vec![
            Line::check("deliveries sent", grouped(sent), sent > 0),
            Line::check("deliveries recorded", grouped(recorded), recorded == sent),
            Line::check(
                "honest deliveries lost",
                format!("{}{}", grouped(sent - honest.answered), listed(&honest.errors)),
                sent == honest.answered,
            ),
            Line::told("99 % of them answered within", milliseconds(honest.latency)),
            Line::told("simulated flood, packets sent", grouped(simulated.report.sent)),
            Line::check(
                "  would have been dropped",
                grouped(simulated.counted.would_drop),
                simulated.report.sent
                    <= simulated.counted.would_drop + limit.allowed(simulated.report.lasted),
            ),
            Line::check(
                "  dropped",
                grouped(simulated.counted.dropped),
                simulated.counted.dropped == 0,
            ),
            Line::told("enforced flood, packets sent", grouped(enforced.report.sent)),
            Line::told("  packets a second", grouped(enforced.report.rate())),
            Line::check(
                "  dropped in the kernel",
                grouped(enforced.counted.dropped),
                enforced.counted.dropped > 0,
            ),
            Line::check(
                "  within the limit, let through",
                grouped(let_through),
                let_through <= limit.allowed(limit.ban_after + BAN_DELAY),
            ),
            Line::told("  first packet to first drop seen", milliseconds(enforced.noticed)),
            Line::check("decisions recorded", grouped(decisions), decisions >= 2),
            Line::check("memory of the agent", mebibytes(memory), memory < MAX_MEMORY),
        ];
        Ok(Self { lines })
    }

    /// An error that names the lines that do not hold.
    pub(super) fn verdict(&self) -> Result<()> {
        let broken = self.lines.iter().filter(|line| line.holds == Some(false));
        let broken: Vec<&str> = broken.map(|line| line.title.trim()).collect();
        ensure!(broken.is_empty(), "the numbers do not hold: {}", broken.join(", "));
        Ok(())
    }
}

impl Limit {
    /// Packets that a source may get through in `time`.
    fn allowed(&self, time: Duration) -> u64 {
        self.burst + self.rate * (time.as_secs() + 1)
    }
}

impl Line {
    fn told(title: &'static str, value: String) -> Self {
        Self { title, value, holds: None }
    }

    fn check(title: &'static str, value: String, holds: bool) -> Self {
        Self { title, value, holds: Some(holds) }
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("\nWhat happened, by the kernel's counters and the records:")?;
        for Line { title, value, holds } in &self.lines {
            let mark = match holds {
                Some(true) => "  ok",
                Some(false) => "  DOES NOT HOLD",
                None => "",
            };
            write!(f, "\n  {title:<36}{value:>14}{mark}")?;
        }
        Ok(())
    }
}

/// How many of the deliveries have a record, once all have or the time is up.
fn recorded(agent: &Agent<'_>, sent: &BTreeSet<String>) -> u64 {
    let mut count = 0;
    let all = eventually(SETTLE, "all deliveries are recorded", || {
        let records = agent.dataset("delivery").ok()?;
        let ids = records.iter().filter_map(|record| record["webhook"]["delivery_id"].as_str());
        count = ids.filter(|id| sent.contains(*id)).collect::<BTreeSet<_>>().len();
        (count == sent.len()).then_some(())
    });
    // A deadline that passed shows in the number.
    all.ok();
    count as u64
}

fn listed(errors: &[String]) -> String {
    errors.first().map_or(String::new(), |first| format!(" ({first})"))
}

fn milliseconds(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_line_fails_the_demo() {
        let line = |holds| Line { title: "t", value: "1".to_owned(), holds };
        for (holds, expected) in [(None, true), (Some(true), true), (Some(false), false)] {
            let summary = Summary { lines: vec![line(Some(true)), line(holds)] };
            assert_eq!(summary.verdict().is_ok(), expected, "{holds:?}");
        }
    }

    #[test]
    fn the_limit_allows_its_burst_and_its_rate() {
        let limit = Limit { rate: 10, burst: 100, ban_after: Duration::ZERO };
        assert_eq!(limit.allowed(Duration::from_secs(4)), 150);
    }
}
