//! The entry points of the fuzz targets, with a bounded number of inputs that are the same in every
//! run: what a change breaks at once shows here, what takes hours is for cargo-fuzz.

use std::fs;

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library of its own to the fuzz targets")]
mod entry;

/// Inputs made of the seeds of a target: a few seconds for all of them without optimisation.
const ROUNDS: usize = 2_000;

/// Changes of one input.
const CHANGES: u32 = 6;

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

fn check(target: &str, entry: fn(&[u8])) {
    let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let seeds: Vec<_> = fs::read_dir(&folder).expect(&folder).flatten().collect();
    assert!(!seeds.is_empty(), "no seeds in {folder}");
    for seed in &seeds {
        let seed = fs::read(seed.path()).expect("a seed can be read");
        entry(&seed);
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for _ in 0..ROUNDS / seeds.len() {
            let mut octets = seed.clone();
            for _ in 0..CHANGES {
                numbers.change(&mut octets);
                entry(&octets);
            }
        }
    }
}

#[test]
fn captures() {
    check("capture", entry::capture);
}

#[test]
fn frames() {
    check("frame", entry::frame);
}

#[test]
fn segments() {
    check("reassembly", entry::reassembly);
}

#[test]
fn what_clients_say() {
    check("requests", entry::requests);
}

#[test]
fn what_proxies_put_before_it() {
    check("proxy", entry::proxy);
}

#[test]
fn what_tls_clients_say() {
    check("client_hello", entry::client_hello);
}

#[test]
fn what_bodies_hold() {
    check("body", entry::body);
}

#[test]
fn what_servers_say() {
    check("responses", entry::responses);
}

#[test]
fn what_is_cut_into_segments() {
    check("segmentation", entry::segmentation);
}

#[test]
fn what_is_lost_of_it() {
    check("loss", entry::loss);
}
