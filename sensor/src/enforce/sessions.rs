//! Which peers of the SSH ports have logged in, as far as a connection's age can tell.
//!
//! Anyone may open a connection to sshd; it closes those that have not logged in after
//! `LoginGraceTime`. It must not know how connections are listed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Longer than sshd's default `LoginGraceTime` of 120 s (`sshd_config(5)`).
const LOGIN_GRACE: Duration = Duration::from_secs(150);

/// Every connection to an SSH port, with the moment it was first seen; `None` for those that were
/// there when the agent started, whose age is not known and which are given the benefit of it.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    seen: Option<BTreeMap<SocketAddr, Option<Instant>>>,
}

impl Sessions {
    /// The peers that count as logged in, of those that are connected now.
    pub(super) fn update(&mut self, connected: &[SocketAddr], now: Instant) -> Vec<IpAddr> {
        let fresh = self.seen.as_ref().map(|_| now);
        let before = self.seen.take().unwrap_or_default();
        let seen: BTreeMap<_, _> = connected
            .iter()
            .map(|peer| (*peer, before.get(peer).copied().unwrap_or(fresh)))
            .collect();
        let is_old = |since: &Option<Instant>| {
            since.is_none_or(|since| now.duration_since(since) >= LOGIN_GRACE)
        };
        let trusted = seen.iter().filter(|(_, since)| is_old(since));
        let trusted = trusted.map(|(peer, _)| peer.ip().to_canonical()).collect();
        self.seen = Some(seen);
        trusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_counts_when_it_outlives_the_time_to_log_in() {
        let start = Instant::now();
        let peer = |number: u8| SocketAddr::new([192, 0, 2, number].into(), 4000);
        let mut sessions = Sessions::default();
        let rows: [(u64, &[u8], &[u8]); 6] = [
            (0, &[1], &[1]),
            (10, &[1, 2], &[1]),
            (150, &[1, 2], &[1]),
            (160, &[1, 2], &[1, 2]),
            (170, &[2], &[2]),
            (180, &[1, 2], &[2]),
        ];
        for (second, connected, expected) in rows {
            let connected: Vec<_> = connected.iter().map(|number| peer(*number)).collect();
            let expected: Vec<_> = expected.iter().map(|number| peer(*number).ip()).collect();
            let trusted = sessions.update(&connected, start + Duration::from_secs(second));
            assert_eq!(trusted, expected, "after {second} s");
        }
    }
}
