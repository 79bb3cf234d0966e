//! What the shards know together, for a sender is not bound to one address: the deliveries that
//! were seen, what is found about sources and receivers, and what became of the requests of each
//! endpoint; and the memory for bodies, for one client may send the largest.
//!
//! Pure but for its locks, which are held for a look-up or two at a time, once or twice a delivery.
//! It must not know shards.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::coverage::Covered;
use super::figures;
use crate::config::{Ban, Config};
use crate::detect::{Detector, Finding, OverLimit, Receivers, Watch};
use crate::export::{EndpointCoverage, ReceiverFigures};
use crate::http::Allowance;
use crate::time::Timestamp;
use crate::webhook::{Delivery, Past};

/// What is known of the deliveries of all shards, and what they have for those under way.
pub(super) struct Common {
    past: Arc<Past>,
    contents: Allowance,
    judges: Mutex<Judges>,
}

/// Those who look at every delivery.
struct Judges {
    detector: Detector,
    /// What the detector was made for: it forgets nothing while that stays.
    ban: Ban,
    receivers: Receivers,
    covered: Covered,
}

impl Common {
    /// Nothing is known yet.
    pub(super) fn new(config: &Config) -> Self {
        let judges = Judges {
            detector: Detector::new(&config.ban),
            ban: config.ban.clone(),
            receivers: Receivers::default(),
            covered: Covered::default(),
        };
        let contents = Allowance::new(config.http.memory);
        Self { past: Arc::default(), contents, judges: Mutex::new(judges) }
    }

    /// Takes on another configuration; what is known stays, as far as it speaks of that.
    pub(super) fn configure(&self, config: &Config) {
        let mut judges = self.judges();
        if judges.ban != config.ban {
            judges.detector = Detector::new(&config.ban);
            judges.ban = config.ban.clone();
        }
        judges.receivers.keep(&config.endpoints);
    }

    /// What is remembered of earlier deliveries.
    pub(super) fn past(&self) -> &Arc<Past> {
        &self.past
    }

    /// The memory for the contents of bodies under way.
    pub(super) fn contents(&self) -> &Allowance {
        &self.contents
    }

    /// Counts a delivery and looks at it; each finding goes to `find`.
    pub(super) fn delivery(&self, delivery: &Delivery, find: &mut impl FnMut(Finding)) {
        let Judges { detector, receivers, covered, .. } = &mut *self.judges();
        covered.count(delivery);
        detector.delivery(delivery, find);
        receivers.delivery(delivery, find);
    }

    /// Looks at a notice of the kernel.
    pub(super) fn over_limit(&self, notice: OverLimit) -> Option<Finding> {
        self.judges().detector.over_limit(notice)
    }

    /// Looks for deliveries that should have come by `now`, as far as traffic is watched. Whoever
    /// asks first of several finds.
    pub(super) fn watch(&self, now: Timestamp, watch: Watch, find: &mut impl FnMut(Finding)) {
        self.judges().receivers.tick(now, watch, find);
    }

    /// Does something with what is known of our own receivers.
    pub(super) fn with_receivers<T>(&self, work: impl FnOnce(&mut Receivers) -> T) -> T {
        work(&mut self.judges().receivers)
    }

    /// How our own receivers serve their senders, and the deliveries to others.
    pub(super) fn receivers(&self) -> (Vec<ReceiverFigures>, u64) {
        self.with_receivers(|receivers| figures::receivers(receivers))
    }

    /// Requests by endpoint and coverage.
    pub(super) fn coverage(&self) -> Vec<EndpointCoverage> {
        self.judges().covered.figures()
    }

    fn judges(&self) -> MutexGuard<'_, Judges> {
        // Every one of them is whole between two of its calls, whatever became of the caller.
        self.judges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
