//! What a flood costs the host that receives it, beside peers that drop the same frames, and what
//! an honest client has of the server meanwhile.
//!
//! One core sends frames, a thread on the other receives them. What counts is the frames that this
//! thread takes in a second of its core: other programs take some of both cores, and what is taken
//! off the link in a second stands beside. Receivers take turns in several rounds, and medians are
//! compared.
//!
//! A bare drop touches nothing of a frame. A program that drops by the source it reads, and does
//! nothing else, stands beside it and is only shown: no program that looks at packets does less.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod cores;
mod honest;
mod link;
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

/// Rounds of an honest client, odd as well: what else runs on this machine disturbs more of them.
const ROUNDS_OF_HONEST: usize = 15;

/// A rate that must be reached, as a multiple of another's; or that is only shown.
struct Limit {
    ours: Receiver,
    peer: Receiver,
    at_least: Option<f64>,
}

const LIMITS: [Limit; 7] = [
    Limit { ours: Receiver::Banned, peer: Receiver::NftablesSet, at_least: Some(2.5) },
    Limit { ours: Receiver::Banned, peer: Receiver::XdpFilter, at_least: Some(1.4) },
    Limit { ours: Receiver::Banned, peer: Receiver::Bare, at_least: Some(0.95) },
    Limit { ours: Receiver::Banned, peer: Receiver::Reading, at_least: None },
    Limit { ours: Receiver::Reading, peer: Receiver::Bare, at_least: None },
    Limit { ours: Receiver::Limited, peer: Receiver::NftablesLimit, at_least: Some(2.5) },
    Limit { ours: Receiver::Limited, peer: Receiver::Hashlimit, at_least: Some(2.5) },
];

fn main() -> Result<ExitCode> {
    let stage = Stage::build()?;
    let mut receivers = Receivers::load(&stage)?;
    let rates = measure(&stage, &mut receivers)?;
    println!("{:<44} {:>12} {:>15}", "receiver", "M a second", "M a busy second");
    for (receiver, rates) in &rates {
        let (received, possible) = (rates.received / 1e6, rates.possible / 1e6);
        println!("{:<44} {received:>12.2} {possible:>15.2}", receiver.name());
    }
    let held = compare_rates(&rates)?;
    let honest = compare_honest(&stage, &mut receivers)?;
    Ok(if held && honest { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints how rates compare; whether all that must be reached are.
fn compare_rates(rates: &[(Receiver, Rates)]) -> Result<bool> {
    let rate = |wanted: Receiver| -> Result<f64> {
        let found = rates.iter().find(|(receiver, _)| *receiver == wanted);
        found.map(|(_, rates)| rates.possible).context("every receiver was measured")
    };
    println!("\n{:<68} {:>6} {:>9}", "ratio", "is", "at least");
    let mut held = true;
    for Limit { ours, peer, at_least } in LIMITS {
        let ratio = rate(ours)? / rate(peer)?;
        let missed = at_least.is_some_and(|least| ratio < least);
        held &= !missed;
        let name = format!("{} : {}", ours.name(), peer.name());
        let least = at_least.map_or_else(String::new, |least| format!("{least:.2}"));
        let verdict = if missed { "  missed" } else { "" };
        println!("{name:<68} {ratio:>6.2} {least:>9}{verdict}");
    }
    Ok(held)
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

/// What an honest client has during a flood, with our programs, with nftables, and with the least
/// that a program can do, in turns. Whether it is as it must be.
fn compare_honest(stage: &Stage, receivers: &mut Receivers<'_>) -> Result<bool> {
    let compared = [Receiver::Reading, Receiver::Banned, Receiver::NftablesSet];
    let mut rounds = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS_OF_HONEST {
        for (receiver, rounds) in compared.into_iter().zip(&mut rounds) {
            let in_place = receivers.put(receiver)?;
            rounds.push(honest::during(stage)?);
            drop(in_place);
        }
    }
    let [least, ours, theirs] = rounds.map(|rounds| Honest::median(&rounds));
    println!(
        "\n{:<44} {:>8} {:>8} {:>8}",
        "honest client during the flood", "answered", "p50 ms", "p99 ms"
    );
    for (receiver, honest) in compared.into_iter().zip([&least, &ours, &theirs]) {
        let Honest { answered, p50, p99 } = honest;
        let (name, answered) = (receiver.name(), answered * 100.0);
        println!("{name:<44} {answered:>7.1}% {:>8.2} {:>8.2}", p50 * 1e3, p99 * 1e3);
    }
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
