//! Deliveries a second that one core recognises, verifies and checks, beside the bare hash of their
//! bodies: `cargo bench -p hooksensor --bench webhook`.
//!
//! Exits with 1 when a measure misses its bound.

mod delivery;
mod pipeline;
mod schema;
mod timing;
mod verification;

use std::process::ExitCode;

/// Octets of a body: those of a usual event of the large senders.
const BODY_BYTES: usize = 2048;

/// Whether a measure is within its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Within,
    Missed,
}

impl From<bool> for Outcome {
    fn from(is_within: bool) -> Self {
        if is_within { Self::Within } else { Self::Missed }
    }
}

fn main() -> ExitCode {
    let body: Vec<u8> = (0..BODY_BYTES).map(|place| b"{\"a\": [1]}"[place % 10]).collect();
    let outcomes = [verification::run(&body), schema::run(), pipeline::run(&body)];
    if outcomes.contains(&Outcome::Missed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
