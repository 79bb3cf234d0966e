//! What two sides say, of which segments are lost, come twice or come late.
//!
//! It must not know what is said.

use hooksensor::capture::{Segment, TcpFlags};
use hooksensor::http::{Engine, Exchange, Headers, Observation, Options};

use super::{CLIENT, SERVER, TURN, next_segment, segment};

/// Octets that say what becomes of segments, again and again.
const FATES: usize = 8;

/// What becomes of a segment.
#[derive(Clone, Copy)]
enum Fate {
    Arrives,
    Twice,
    /// After the next one of its turn.
    Late,
    Lost,
}

impl Fate {
    const fn of(octet: u8) -> Self {
        match octet % 8 {
            0 => Self::Lost,
            1 => Self::Twice,
            2 => Self::Late,
            _ => Self::Arrives,
        }
    }
}

/// What comes twice or late makes no difference; of what is lost, nothing is put together. The
/// first octet says how long segments are.
pub fn loss(octets: &[u8]) {
    let Some((length, rest)) = octets.split_first() else { return };
    let Some((fates, said)) = rest.split_at_checked(FATES) else { return };
    let fates: Vec<_> = fates.iter().map(|octet| Fate::of(*octet)).collect();
    let length = usize::from(*length).max(1);
    let seen = exchanges(said, length, &fates);
    if !fates.iter().any(|fate| matches!(fate, Fate::Lost)) {
        let whole = exchanges(said, length, &[Fate::Arrives]);
        assert_eq!(seen, whole, "order and repetition make a difference");
    }
    let [client, server] = [0, 1].map(|side| -> Vec<u8> {
        said.split(|octet| *octet == TURN).skip(side).step_by(2).flatten().copied().collect()
    });
    for Exchange { request, response, .. } in &seen {
        if let Some(request) = request {
            is_of(&client, &request.method);
            is_of(&client, &request.target);
            are_of(&client, &request.headers);
        }
        if let Some(response) = response {
            are_of(&server, &response.headers);
        }
    }
}

/// The fields of a head were sent as they are; an obsolete line folding is as many spaces (RFC
/// 9112, section 5.2).
fn are_of(said: &[u8], headers: &Headers) {
    for (name, value) in headers.iter() {
        is_of(said, name);
        is_of(said, value);
    }
}

fn is_of(said: &[u8], part: &[u8]) {
    let folded = |octet: &u8| if matches!(octet, b'\r' | b'\n') { b' ' } else { *octet };
    let is_part = |window: &[u8]| window.iter().map(folded).eq(part.iter().map(folded));
    let is_there = part.is_empty() || said.windows(part.len()).any(is_part);
    assert!(is_there, "invented: {}", part.escape_ascii());
}

fn exchanges(said: &[u8], length: usize, fates: &[Fate]) -> Vec<Exchange> {
    let mut engine = Engine::new(Options::default());
    let mut seen = Vec::new();
    let mut sink = |observation| {
        if let Observation::Exchange(exchange) = observation {
            seen.push(*exchange);
        }
    };
    // Both openings are seen: without one, what comes late is taken for what was before the start.
    for (from, to, flags) in
        [(CLIENT, SERVER, TcpFlags::SYN), (SERVER, CLIENT, TcpFlags::SYN | TcpFlags::ACK)]
    {
        let opening = segment(from.into(), to.into(), b"");
        engine.segment(&Segment { flags: TcpFlags(flags), ..opening }, &mut sink);
    }
    let (mut sent, mut fates) = ([1, 1], fates.iter().cycle());
    for (turn, octets) in said.split(|octet| *octet == TURN).enumerate() {
        let side = turn % 2;
        let mut late = None;
        for piece in octets.chunks(length) {
            let numbered = next_segment(&mut sent, side, piece);
            let fate = fates.next().copied().unwrap_or(Fate::Arrives);
            if matches!(fate, Fate::Late) && late.is_none() {
                late = Some(numbered);
                continue;
            }
            if !matches!(fate, Fate::Lost) {
                engine.segment(&numbered, &mut sink);
            }
            if matches!(fate, Fate::Twice) {
                engine.segment(&numbered, &mut sink);
            }
            if let Some(late) = late.take() {
                engine.segment(&late, &mut sink);
            }
        }
        if let Some(late) = late {
            engine.segment(&late, &mut sink);
        }
    }
    engine.finish(&mut sink);
    assert_eq!(engine.buffered(), 0, "nothing is kept of what has ended");
    seen
}
