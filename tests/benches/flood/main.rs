//! What a flood costs the host that receives it, beside peers that drop the same frames, and what
//! an honest client has of the server meanwhile.
//!
//! One core sends frames, a thread on the other receives them. What counts is the frames that this
//! thread takes in a second of its core: other programs take some of both cores, and what is taken
//! off the link in a second stands beside. Receivers take turns in several rounds, and medians are
//! compared.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod honest;
mod pace;
mod receivers;
mod stage;

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use honest::Honest;
use receivers::{Receiver, Receivers};
use stage::Stage;

/// Rounds whose median is shown: odd, so that it is one of them.
const ROUNDS: usize = 5;

/// A rate that must be reached, as a multiple of another's.
struct Limit {
    ours: Receiver,
    peer: Receiver,
    at_least: f64,
}

const LIMITS: [Limit; 5] = [
    Limit { ours: Receiver::Banned, peer: Receiver::NftablesSet, at_least: 2.5 },
    Limit { ours: Receiver::Banned, peer: Receiver::XdpFilter, at_least: 1.4 },
    Limit { ours: Receiver::Banned, peer: Receiver::Bare, at_least: 0.95 },
    Limit { ours: Receiver::Limited, peer: Receiver::NftablesLimit, at_least: 2.5 },
    Limit { ours: Receiver::Limited, peer: Receiver::Hashlimit, at_least: 2.5 },
];

fn main() -> Result<ExitCode> {
    let stage = Stage::build()?;
    let mut receivers = Receivers::load(&stage)?;
    let rates = measure(&stage, &mut receivers)?;
    let rate = |wanted: Receiver| -> Result<f64> {
        let found = rates.iter().find(|(receiver, _)| *receiver == wanted);
        found.map(|(_, rates)| rates.possible).context("every receiver was measured")
    };
    println!("{:<44} {:>12} {:>15}", "receiver", "M a second", "M a busy second");
    for (receiver, rates) in &rates {
        let (received, possible) = (rates.received / 1e6, rates.possible / 1e6);
        println!("{:<44} {received:>12.2} {possible:>15.2}", receiver.name());
    }
    println!("\n{:<68} {:>6} {:>9}", "ratio", "is", "at least");
    let mut held = true;
    for Limit { ours, peer, at_least } in LIMITS {
        let ratio = rate(ours)? / rate(peer)?;
        let verdict = if ratio >= at_least { "" } else { "  missed" };
        held &= verdict.is_empty();
        let name = format!("{} : {}", ours.name(), peer.name());
        println!("{name:<68} {ratio:>6.2} {at_least:>9.2}{verdict}");
    }
    held &= compare_honest(&stage, &mut receivers)?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Frames a second that a receiver took, and would take if it had nothing else to do.
struct Rates {
    received: f64,
    possible: f64,
}

/// The median rates of each receiver.
fn measure(stage: &Stage, receivers: &mut Receivers<'_>) -> Result<Vec<(Receiver, Rates)>> {
    let mut rounds = vec![Vec::new(); Receiver::ALL.len()];
    for _ in 0..ROUNDS {
        for (receiver, rounds) in Receiver::ALL.into_iter().zip(&mut rounds) {
            let in_place = receivers.put(receiver)?;
            let received = stage.flood().with_context(|| receiver.name())?;
            received.check(receiver)?;
            rounds.push((received.a_second(), received.a_busy_second()));
            drop(in_place);
        }
    }
    let rates = rounds.into_iter().map(|rounds| {
        let (received, possible) = rounds.into_iter().unzip();
        Rates { received: median(received), possible: median(possible) }
    });
    Ok(Receiver::ALL.into_iter().zip(rates).collect())
}

/// What an honest client has during a flood, with our programs and with nftables. Whether it is as
/// it must be.
fn compare_honest(stage: &Stage, receivers: &mut Receivers<'_>) -> Result<bool> {
    let mut measured = Vec::new();
    println!(
        "\n{:<44} {:>8} {:>8} {:>8}",
        "honest client during the flood", "answered", "p50 ms", "p99 ms"
    );
    for receiver in [Receiver::Banned, Receiver::NftablesSet] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let in_place = receivers.put(receiver)?;
            rounds.push(honest::during(stage)?);
            drop(in_place);
        }
        let honest = Honest::median(&rounds);
        println!(
            "{:<44} {:>7.1}% {:>8.1} {:>8.1}",
            receiver.name(),
            honest.answered * 100.0,
            honest.p50 * 1e3,
            honest.p99 * 1e3
        );
        measured.push(honest);
    }
    let [ours, theirs] = &measured[..] else { unreachable!("two were measured") };
    let held = ours.answered >= 1.0 && ours.p99 < theirs.p99;
    if !held {
        println!("missed: every request must be answered, and p99 below that of nftables");
    }
    Ok(held)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
