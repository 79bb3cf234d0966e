//! What is kept of a source on one port: found, made, proven real, counted.
//!
//! It must not decide anything.
#![expect(unsafe_code, reason = "map values are behind pointers")]

use aya_ebpf::bindings::BPF_NOEXIST;
use hooksensor_ebpf::abi::{Limit, SourceKey, SourceState};

use crate::{atomic, maps};

/// The state of a source that was not seen before.
static NEW: SourceState = SourceState::NEW;

/// The state of one source. The kernel hands out pointers that stay valid while the program runs;
/// other CPUs change the same words, so each is touched by one atomic instruction.
#[derive(Clone, Copy)]
pub(crate) struct Source(*mut SourceState);

/// A word of a limit.
#[derive(Clone, Copy)]
pub(crate) struct Arrival(*mut u64);

impl Source {
    /// The source that has this key, if it is known.
    #[inline(always)]
    pub(crate) fn find(key: &SourceKey) -> Option<Self> {
        match maps::SOURCES.get_ptr_mut(key) {
            Some(state) => Some(Self(state)),
            None => maps::NEWCOMERS.get_ptr_mut(key).map(Self),
        }
    }

    /// The source that has this key, if it completed a handshake: it is not made up.
    #[inline(always)]
    pub(crate) fn real(key: &SourceKey) -> Option<Self> {
        maps::SOURCES.get_ptr_mut(key).map(Self)
    }

    /// Makes room for a source that is not known; `None` where there is none. Where another CPU
    /// was first, its state stays: it holds what that CPU has counted.
    #[inline(always)]
    pub(crate) fn make(key: &SourceKey) -> Option<Self> {
        // From where it lies: a copy would take a quarter of the stack.
        let new = &NEW;
        maps::NEWCOMERS.insert(key, new, BPF_NOEXIST.into()).ok();
        maps::NEWCOMERS.get_ptr_mut(key).map(Self)
    }

    /// Remembers which acknowledgement number completes a handshake, from the SYN that was
    /// answered with `sequence`. Only who receives the answer can send it back.
    #[inline(always)]
    pub(crate) fn answered(key: &SourceKey, sequence: u32) {
        if let Some(state) = maps::NEWCOMERS.get_ptr_mut(key) {
            let expected = SourceState::PENDING | u64::from(sequence.wrapping_add(1));
            // SAFETY: see `Source`.
            unsafe { (&raw mut (*state).handshake).write_volatile(expected) };
        }
    }

    /// Moves the source to those that completed a handshake, if this acknowledgement does; where
    /// it is then.
    #[inline(always)]
    pub(crate) fn acknowledged(self, key: &SourceKey, number: u32) -> Self {
        // SAFETY: see `Source`.
        let handshake = unsafe { (&raw const (*self.0).handshake).read_volatile() };
        if handshake != SourceState::PENDING | u64::from(number) {
            return self;
        }
        // SAFETY: see `Source`. The copy may miss what another CPU counts at this moment.
        let state = unsafe {
            (&raw mut (*self.0).handshake).write_volatile(0);
            &*self.0
        };
        if maps::SOURCES.insert(key, state, 0).is_err() {
            return self;
        }
        maps::NEWCOMERS.remove(key).ok();
        maps::SOURCES.get_ptr_mut(key).map_or(self, Self)
    }

    /// Counts a packet that came from the source.
    #[inline(always)]
    pub(crate) fn count(self, bytes: u64, connection: bool, request: bool) {
        // SAFETY: see `Source`; the addresses of fields are taken, nothing is read.
        let counts = unsafe { &raw mut (*self.0).counts };
        // SAFETY: as above.
        let places = unsafe {
            [
                (&raw mut (*counts).packets, 1),
                (&raw mut (*counts).bytes, bytes),
                (&raw mut (*counts).connections, u64::from(connection)),
                (&raw mut (*counts).requests, u64::from(request)),
            ]
        };
        for (place, amount) in places {
            if amount != 0 {
                atomic::add(place, amount);
            }
        }
    }

    /// Whether it asked for little so far, or failed within `recently` before `now`.
    #[inline(always)]
    pub(crate) fn stands_out(self, few: u64, now: u64, recently: u64) -> bool {
        // SAFETY: the addresses of fields are taken; nothing is read.
        let (requests, failed) =
            unsafe { (&raw const (*self.0).counts.requests, &raw const (*self.0).failed) };
        let failed = atomic::load(failed);
        atomic::load(requests) <= few || (failed != 0 && now.saturating_sub(failed) < recently)
    }

    /// Counts a response of this class that was sent to the source at `now`.
    #[inline(always)]
    pub(crate) fn responded(self, class: usize, now: u64) {
        if class == 4 || class == 5 {
            // SAFETY: see `Source`.
            unsafe { (&raw mut (*self.0).failed).write_volatile(now) };
        }
        // SAFETY: see `Source`.
        let responses = unsafe { &raw mut (*self.0).counts.responses };
        if class < 6 {
            // SAFETY: the index is in the array.
            atomic::add(unsafe { responses.cast::<u64>().add(class) }, 1);
        }
    }

    /// The state of its limit of packets.
    #[inline(always)]
    pub(crate) fn packets(self) -> Arrival {
        // SAFETY: the address of a field is taken; nothing is read.
        Arrival(unsafe { &raw mut (*self.0).packets })
    }

    /// The state of its limit of connections.
    #[inline(always)]
    pub(crate) fn connections(self) -> Arrival {
        // SAFETY: as above.
        Arrival(unsafe { &raw mut (*self.0).connections })
    }

    /// The state of its limit of requests.
    #[inline(always)]
    pub(crate) fn requests(self) -> Arrival {
        // SAFETY: as above.
        Arrival(unsafe { &raw mut (*self.0).requests })
    }

    /// Counts an event over a limit; whether the agent should hear of it, which is so at most once
    /// in `interval`.
    #[inline(always)]
    pub(crate) fn over(self, now: u64, interval: u64) -> bool {
        // SAFETY: the addresses of fields are taken; nothing is read.
        let (over, noticed) =
            unsafe { (&raw mut (*self.0).over_limit, &raw mut (*self.0).noticed) };
        atomic::add(over, 1);
        let last = atomic::load(noticed);
        now.saturating_sub(last) >= interval && atomic::replace(noticed, last, now) == last
    }
}

impl Arrival {
    /// The port's limit of new sources.
    #[inline(always)]
    pub(crate) fn of_new_sources(slot: u32) -> Option<Self> {
        maps::GATES.get_ptr_mut(slot).map(Self)
    }

    /// Takes one event from what `limit` allows; whether it allows it. An event that other CPUs
    /// get in the way of so often that it cannot be counted is allowed.
    #[inline(always)]
    pub(crate) fn takes(self, limit: &Limit, now: u64) -> bool {
        use hooksensor_ebpf::limit::{Outcome, judge};

        /// Attempts at the word before an event is allowed for want of a quiet moment. Each that
        /// fails is an event another CPU has counted: of two CPUs that do nothing else one failed
        /// four times in a row once in a million events. The verifier follows each attempt anew,
        /// some seven thousand instructions, which is why there are no more.
        const SWAPS: usize = 8;

        if limit.interval == 0 {
            return true;
        }
        let mut seen = atomic::load(self.0);
        for _ in 0..SWAPS {
            let Outcome::Conforming(next) = judge(*limit, seen, now) else { return false };
            let found = atomic::replace(self.0, seen, next);
            if found == seen {
                return true;
            }
            seen = found;
        }
        true
    }
}
