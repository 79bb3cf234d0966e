//! The packets of a whole TCP connection with one exchange on it, for where no stack plays along.
//!
//! It must not know who sends them.

use std::net::SocketAddr;

use crate::packet::{Packet, flag};

/// Who sends a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The end that connects.
    Client,
    /// The end that answers.
    Server,
}

/// From SYN to the last ACK: `request` in one segment, `response` in another.
///
/// # Panics
/// When a text does not fit a segment.
#[must_use]
pub fn conversation(
    client: SocketAddr,
    server: SocketAddr,
    request: &str,
    response: &str,
) -> Vec<(Side, Packet)> {
    let there = |flags| (Side::Client, Packet::tcp(client, server).flags(flags));
    let back = |flags| (Side::Server, Packet::tcp(server, client).flags(flags));
    let (asked, answered) = (1 + length(request), 1 + length(response));
    [
        (there(flag::SYN), (0, 0), ""),
        (back(flag::SYN | flag::ACK), (0, 1), ""),
        (there(flag::ACK), (1, 1), ""),
        (there(flag::PSH | flag::ACK), (1, 1), request),
        (back(flag::PSH | flag::ACK), (1, asked), response),
        (there(flag::FIN | flag::ACK), (asked, answered), ""),
        (back(flag::FIN | flag::ACK), (answered, asked + 1), ""),
        (there(flag::ACK), (asked + 1, answered + 1), ""),
    ]
    .into_iter()
    .map(|((side, packet), (sequence, acknowledgement), payload)| {
        (side, packet.numbers(sequence, acknowledgement).payload(payload.as_bytes()))
    })
    .collect()
}

fn length(text: &str) -> u32 {
    u32::try_from(text.len()).expect("a text that fits a segment")
}
