//! An honest client's deliveries during a flood.
//!
//! It must not know who drops the flood.

use anyhow::Result;
use harness::load::{Load, Progress};
use harness::network::SERVER_V4;
use harness::server::LOCATIONS;

use crate::cores::{awake, before_the_flood};
use crate::stage::{PORT, Stage};

/// Deliveries of a round: enough for a hundredth of them to be several.
const DELIVERIES: u64 = 600;

/// What an honest client had, times in seconds.
pub(crate) struct Honest {
    /// The part of its deliveries that were answered.
    pub(crate) answered: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Delivers while the flood lasts.
pub(crate) fn during(stage: &Stage) -> Result<Honest> {
    let load = Load {
        target: (SERVER_V4, PORT).into(),
        path: LOCATIONS[0].0.to_owned(),
        rate: 500,
        count: DELIVERIES,
        connections: 8,
        keep_alive: false,
        body_bytes: 500,
        prefix: "honest-".to_owned(),
    };
    let client = &stage.network.clients[0].namespace;
    let deliver = || client.run(|| load.run(&Progress::default()));
    let report = awake(|| stage.during(|| before_the_flood(deliver)?))?;
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
    let answered = report.latencies.len() as f64 / DELIVERIES as f64;
    let [p50, p99] = [50, 99].map(|percent| report.latency(percent).as_secs_f64());
    Ok(Honest { answered, p50, p99 })
}

impl Honest {
    /// The worst share and the median times of several rounds.
    pub(crate) fn median(rounds: &[Self]) -> Self {
        let answered = rounds.iter().map(|round| round.answered).fold(1.0, f64::min);
        let (p50, p99) = rounds.iter().map(|round| (round.p50, round.p99)).unzip();
        Self { answered, p50: crate::median(p50), p99: crate::median(p99) }
    }
}
