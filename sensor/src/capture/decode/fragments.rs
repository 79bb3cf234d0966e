//! Puts the fragments of IP datagrams together, as their receiver does (RFC 791, section 3.2;
//! RFC 8200, section 4.5).
//!
//! It must not know link layers, nor what a datagram holds.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::Skipped;
use super::ip::{Fragment, Packet};
use crate::capture::Timestamp;

/// Datagrams waited for at once, the oldest of which make room: TCP avoids fragments, so that few
/// are under way, and 4 MiB is the most these take.
pub(super) const DATAGRAMS: usize = 64;

/// Fragments of one datagram: the largest one in the smallest packets that every host takes, of 576
/// octets, is 119.
pub(super) const PIECES: usize = 128;

/// The longest datagram: its length is a field of 16 bits.
const LONGEST: usize = u16::MAX as usize;

/// How long the rest of a datagram is waited for: as Linux does (`net.ipv4.ipfrag_time`).
const PATIENCE: Duration = Duration::from_secs(30);

/// What tells the fragments of one datagram from others. That of IPv4 has the protocol, too; with
/// IPv6 each fragment may say another, and the first one is right (RFC 8200, section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name {
    source: IpAddr,
    destination: IpAddr,
    identification: u32,
    protocol: Option<u8>,
}

/// A datagram of which fragments have come.
#[derive(Debug)]
struct Datagram {
    name: Name,
    since: Timestamp,
    octets: Vec<u8>,
    /// What it holds, by the fragment that came first in it.
    protocol: u8,
    /// Start and end of each fragment.
    pieces: Vec<(usize, usize)>,
    /// Octets of the whole, once its last fragment has come.
    length: Option<usize>,
    /// Whether its fragments contradict each other; the receiver drops it and what comes of it.
    refused: bool,
}

/// A datagram of which every fragment has come.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) octets: Vec<u8>,
    pub(super) protocol: u8,
    /// Fragments that it was made of.
    pub(super) pieces: u64,
}

/// The datagrams that wait for fragments, oldest first.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    waiting: VecDeque<Datagram>,
}

impl Fragments {
    /// Takes a fragment in; what it makes whole.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        part: &Packet<'_>,
        fragment: Fragment,
    ) -> Result<Whole, Skipped> {
        // One that the capture cut is as good as lost.
        let octets = part.octets.get(..part.length).ok_or(Skipped::Fragment)?;
        let at = self.find(now, Name::of(part, fragment));
        let datagram = &mut self.waiting[at];
        datagram.add(octets, part.protocol, fragment)?;
        if !datagram.is_whole() {
            return Err(Skipped::Fragment);
        }
        let Datagram { octets, protocol, pieces, .. } =
            self.waiting.remove(at).ok_or(Skipped::Fragment)?;
        Ok(Whole { octets, protocol, pieces: pieces.len() as u64 })
    }

    /// Where the datagram of this name is, which waits from now on if it did not.
    fn find(&mut self, now: Timestamp, name: Name) -> usize {
        let is_over =
            |old: &Datagram| u128::from(now.nanoseconds_since(old.since)) >= PATIENCE.as_nanos();
        while self.waiting.front().is_some_and(is_over) {
            self.waiting.pop_front();
        }
        if let Some(at) = self.waiting.iter().position(|datagram| datagram.name == name) {
            return at;
        }
        if self.waiting.len() >= DATAGRAMS {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Datagram::new(now, name));
        self.waiting.len() - 1
    }
}

impl Name {
    fn of(part: &Packet<'_>, fragment: Fragment) -> Self {
        Self {
            source: part.source,
            destination: part.destination,
            identification: fragment.identification,
            protocol: part.source.is_ipv4().then_some(part.protocol),
        }
    }
}

impl Datagram {
    fn new(since: Timestamp, name: Name) -> Self {
        let (octets, pieces) = (Vec::new(), Vec::new());
        Self { name, since, octets, protocol: 0, pieces, length: None, refused: false }
    }

    /// Takes a fragment in. The same one again changes nothing; one that overlaps others spoils the
    /// datagram (RFC 5722, and Linux for IPv4 too since 7969e5c40dfd).
    fn add(&mut self, octets: &[u8], protocol: u8, fragment: Fragment) -> Result<(), Skipped> {
        let (start, end) = (fragment.offset, fragment.offset + octets.len());
        if self.pieces.contains(&(start, end)) {
            return Ok(());
        }
        self.refused |= !self.fits(start, end, fragment.more);
        if self.refused {
            (self.octets, self.pieces) = (Vec::new(), Vec::new());
            return Err(Skipped::Malformed);
        }
        if !fragment.more {
            self.length = Some(end);
        }
        if start == 0 {
            self.protocol = protocol;
        }
        self.octets.resize(self.octets.len().max(end), 0);
        self.octets[start..end].copy_from_slice(octets);
        self.pieces.push((start, end));
        Ok(())
    }

    /// Whether a fragment from `start` to `end` can be part of it beside the others.
    fn fits(&self, start: usize, end: usize, more: bool) -> bool {
        let is_even = !more || (end - start).is_multiple_of(8);
        let ends_there = match self.length {
            Some(length) => more && end < length,
            None => more || end >= self.octets.len(),
        };
        let is_apart = |(from, to): &(usize, usize)| *to <= start || end <= *from;
        let is_piece = start < end && end <= LONGEST && self.pieces.len() < PIECES;
        is_piece && is_even && ends_there && self.pieces.iter().all(is_apart)
    }

    fn is_whole(&self) -> bool {
        let came = self.pieces.iter().map(|(start, end)| end - start).sum();
        self.length == Some(came)
    }
}
