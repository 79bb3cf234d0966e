//! The entry points of the fuzz targets, with a bounded number of inputs that are the same in every
//! run: what a change breaks at once shows here, what takes hours is for cargo-fuzz.

use std::time::Duration;

use harness::packet::{Packet, flag};
use harness::pcap::pcap;

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library of its own to the fuzz targets")]
mod entry;

/// Inputs made of each seed: a few seconds for all of them without optimisation.
const ROUNDS: u32 = 1_000;

/// Changes of one input.
const CHANGES: u32 = 6;

const HEAD: &[u8] = b"\x10POST /hooks?a=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
    GET http://b/ HTTP/1.0\r\nA: b\r\n c\r\n\r\n";
const PROXY_LINE: &[u8] = b"\x05PROXY TCP4 192.0.2.9 192.0.2.2 5 80\r\nGET / HTTP/1.1\r\n\r\n";
const PROXY_BINARY: &[u8] =
    b"\x40\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x09\xc0\0\x02\x02\0\x05\0\x50\
    GET / HTTP/1.1\r\n\r\n";
const HELLO: &[u8] = b"\x20\x16\x03\x01\0\x48\x01\0\0\x44\x03\x03................................\
    \0\0\x02\x13\x01\x01\0\0\x19\0\0\0\x0e\0\x0c\0\0\x09a.example\0\x2b\0\x03\x02\x03\x04";
const CHUNKS: &[u8] = b"\x035;a=b\r\nhello\r\n0\r\nT: u\r\n\r\nGET / HTTP/1.1\r\n\r\n";
const ANSWER: &[u8] =
    b"\x30HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\
    \r\n\r\n2\r\n{}\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";

/// Xorshift (Marsaglia, 2003): the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.0 % end).unwrap_or_default()
    }

    /// Overwrites, repeats, removes or cuts a part of `octets`.
    fn change(&mut self, octets: &mut Vec<u8>) {
        let place = self.below(octets.len());
        let end = (place + 1 + self.below(8)).min(octets.len());
        match self.below(5) {
            0 => octets.truncate(place + 1),
            1 => drop(octets.drain(place..end)),
            2 => octets.extend_from_within(place..end),
            3 => octets.insert(place, b"\r\n\0 :;\xff0"[self.below(8)]),
            _ => {
                if let Some(octet) = octets.get_mut(place) {
                    *octet ^= 1 << self.below(8);
                }
            }
        }
    }
}

fn check(entry: fn(&[u8]), seed: &[u8]) {
    entry(seed);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        let mut octets = seed.to_vec();
        for _ in 0..CHANGES {
            numbers.change(&mut octets);
            entry(&octets);
        }
    }
}

/// An exchange as a capture.
fn file() -> Vec<u8> {
    let client = ([192, 0, 2, 1], 40_000).into();
    let server = ([192, 0, 2, 2], 80).into();
    let request = b"GET / HTTP/1.1\r\n\r\n";
    let frames = [
        Packet::tcp(client, server).flags(flag::SYN).numbers(0, 0).frame(),
        Packet::tcp(client, server).payload(request).frame(),
        Packet::tcp(server, client).numbers(1, 19).payload(b"HTTP/1.1 204 N\r\n\r\n").frame(),
    ];
    pcap(frames.iter().map(|frame| (Duration::from_secs(1), frame.as_slice())))
}

#[test]
fn captures() {
    check(entry::capture, &file());
}

#[test]
fn frames() {
    const AFTER_HEADERS: usize = 24 + 16;
    let file = file();
    check(entry::frame, &[&[1], &file[AFTER_HEADERS..]].concat());
}

#[test]
fn segments() {
    let seed: Vec<u8> =
        (0..9_u8).flat_map(|n| [&[n, n.wrapping_mul(64), n, 30][..], &[n; 64]].concat()).collect();
    check(entry::reassembly, &seed);
}

#[test]
fn what_clients_say() {
    for seed in [HEAD, PROXY_LINE, PROXY_BINARY, HELLO] {
        check(entry::requests, seed);
    }
}

#[test]
fn what_bodies_hold() {
    check(entry::body, CHUNKS);
}

#[test]
fn what_servers_say() {
    check(entry::responses, ANSWER);
}
