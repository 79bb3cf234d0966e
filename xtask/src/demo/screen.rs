//! What a person sees while the demo runs: a table that is redrawn on a terminal, and a line now
//! and then elsewhere.
//!
//! It must not know the story.

use std::io::{IsTerminal as _, stdout};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::agent::Agent;
use harness::load::Progress;

use super::figures::{Figures, grouped, mebibytes};
use crate::shell::say;

/// Between two lines where there is no terminal: a log that is read later.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// The state of the table.
pub(super) struct Screen {
    started: Instant,
    terminal: bool,
    /// Lines of the table on the terminal, to be drawn over.
    drawn: usize,
    act: &'static str,
    last: Option<Reading>,
    last_line: Option<Instant>,
}

/// The figures at one time.
#[derive(Clone, Copy)]
struct Reading {
    time: Instant,
    figures: Figures,
    sent: u64,
    answered: u64,
    memory: u64,
    enforce: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            terminal: stdout().is_terminal(),
            drawn: 0,
            act: "",
            last: None,
            last_line: None,
        }
    }

    /// Shows the present figures under the name of the act.
    pub(super) fn show(
        &mut self,
        act: &'static str,
        agent: &Agent<'_>,
        progress: &Progress,
    ) -> Result<()> {
        let reading = Reading::take(agent, progress)?;
        let last = self.last.replace(reading).unwrap_or(reading);
        if self.terminal {
            self.draw(act, &reading, &last);
        } else {
            self.print(act, &reading);
        }
        Ok(())
    }

    fn draw(&mut self, act: &str, now: &Reading, last: &Reading) {
        let mode = if now.enforce { "enforcement" } else { "simulation" };
        let mut lines = vec![
            format!("hooksensor demo, {} s, {mode}: {act}", self.started.elapsed().as_secs()),
            format!("  {:<34}{:>14}{:>14}", "", "a second", "in all"),
        ];
        for (name, figure) in ROWS {
            let (value, before) = (figure(now), figure(last));
            let rate = per_second(value - before, now.time - last.time);
            lines.push(format!("  {name:<34}{:>14}{:>14}", grouped(rate), grouped(value)));
        }
        lines.push(format!("  {:<34}{:>28}", "memory of the agent", mebibytes(now.memory)));
        // Up over the last table, then clear to the end of the screen.
        let back =
            if self.drawn > 0 { format!("\x1b[{}A\x1b[J", self.drawn) } else { String::new() };
        self.drawn = lines.len();
        say(&format!("{back}{}", lines.join("\n")));
    }

    fn print(&mut self, act: &'static str, now: &Reading) {
        if self.act != act {
            self.act = act;
            say(&format!("--- {act}"));
        } else if self.last_line.is_some_and(|time| now.time - time < LINE_EVERY) {
            return;
        }
        self.last_line = Some(now.time);
        let Reading { figures, sent, answered, .. } = *now;
        let seconds = self.started.elapsed().as_secs();
        let [packets, would_drop, dropped] =
            [figures.packets, figures.would_drop, figures.dropped].map(grouped);
        let [sent, answered, recorded] = [sent, answered, figures.recorded].map(grouped);
        say(&format!(
            "{seconds:>3} s  packets {packets}, would drop {would_drop}, dropped {dropped}; \
             deliveries sent {sent}, answered {answered}, recorded {recorded}"
        ));
    }
}

type Row = (&'static str, fn(&Reading) -> u64);

/// The rows of the table.
const ROWS: [Row; 9] = [
    ("packets to the port", |r| r.figures.packets),
    ("would have been dropped", |r| r.figures.would_drop),
    ("dropped in the kernel", |r| r.figures.dropped),
    ("deliveries sent", |r| r.sent),
    ("deliveries answered", |r| r.answered),
    ("requests counted", |r| r.figures.requests),
    ("responses 2xx", |r| r.figures.accepted),
    ("responses 4xx, 5xx", |r| r.figures.rejected),
    ("delivery records", |r| r.figures.recorded),
];

impl Reading {
    fn take(agent: &Agent<'_>, progress: &Progress) -> Result<Self> {
        Ok(Self {
            time: Instant::now(),
            figures: Figures::from(&agent.metrics()?),
            sent: progress.sent.load(Ordering::Relaxed),
            answered: progress.answered.load(Ordering::Relaxed),
            memory: agent.resident_bytes()?,
            enforce: agent.status()?["enforce"] == true,
        })
    }
}

fn per_second(count: u64, time: Duration) -> u64 {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    (count * 1000).checked_div(milliseconds).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second() {
        assert_eq!(per_second(100, Duration::from_millis(250)), 400);
        assert_eq!(per_second(100, Duration::ZERO), 0);
    }
}
