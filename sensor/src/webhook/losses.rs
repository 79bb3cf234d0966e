//! Whatever of genuine deliveries is lost on the way to the sensor, none is called forged.
//!
//! It must not know how a loss is noticed, nor how a signature is checked.

use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use proptest::sample::Index;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Knowledge, Secret, Status, Webhooks};
use crate::config::{Config, Endpoint};
use crate::http::{Allowance, BodyPolicies, BodyPolicy, Engine, Observation, Options};
use crate::tcp::wire::{From, Packet, Wire};

const KEY: &str = "a key";

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// What bodies are filled with: what may look like part of a request, and like a whole one.
const TEXTS: [&str; 2] =
    ["POST /{\"a\":1}\r\n", "POST /in HTTP/1.1\r\nX-GitHub-Event: push\r\n\r\n"];

/// A delivery whose body is so long, in chunks or with its length, which stands behind the
/// signature or before it, or with a token in the place of that.
#[derive(Debug, Clone, Copy)]
struct Plan {
    length: usize,
    in_chunks: bool,
    signature_first: bool,
    has_token: bool,
    text: &'static str,
}

fn plan() -> impl Strategy<Value = Plan> {
    let text = prop::sample::select(&TEXTS[..]);
    (0_usize..300, any::<[bool; 3]>(), text).prop_map(
        |(length, [in_chunks, signature_first, has_token], text)| Plan {
            length,
            in_chunks,
            signature_first,
            has_token,
            text,
        },
    )
}

fn delivery(plan: Plan) -> Vec<u8> {
    let Plan { length, in_chunks, signature_first, has_token, text } = plan;
    let body: Vec<u8> = text.bytes().cycle().take(length).collect();
    let (event, signature) = if has_token {
        ("X-Gitlab-Event: Push Hook", format!("X-Gitlab-Token: {KEY}"))
    } else {
        ("X-GitHub-Event: push", format!("X-Hub-Signature-256: sha256={}", tag(&body)))
    };
    let framing = if in_chunks {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {length}")
    };
    let [first, last] = if signature_first { [signature, framing] } else { [framing, signature] };
    let head = format!("POST /in HTTP/1.1\r\n{event}\r\n{first}\r\n{last}\r\n\r\n");
    let (size, end) = (format!("{length:x}\r\n"), &b"\r\n0\r\n\r\n"[..]);
    match (in_chunks, length) {
        (false, _) => [head.as_bytes(), &body].concat(),
        (true, 0) => [head.as_bytes(), &end[2..]].concat(),
        (true, _) => [head.as_bytes(), size.as_bytes(), &body, end].concat(),
    }
}

/// The digits by which GitHub signs a body.
fn tag(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What became of a segment on its way to the sensor.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Lost,
    Cut(u8),
    Skipped,
}

fn fates() -> impl Strategy<Value = Vec<(Index, Fate)>> {
    let fate = prop_oneof![
        2 => Just(Fate::Lost),
        1 => any::<u8>().prop_map(Fate::Cut),
        1 => Just(Fate::Skipped),
    ];
    prop::collection::vec((any::<Index>(), fate), 0..6)
}

fn spoilt(wire: &Wire, fates: &[(Index, Fate)]) -> Wire {
    let mut packets: Vec<Packet> = wire.packets.clone();
    for (index, fate) in fates {
        let at = index.index(packets.len());
        let packet = &mut packets[at];
        match fate {
            Fate::Lost => drop(packets.remove(at)),
            Fate::Cut(kept) => packet.payload.truncate(usize::from(*kept)),
            Fate::Skipped if packet.from == From::Client => {
                packet.payload.clear();
                packet.skipped = true;
            }
            Fate::Skipped => {}
        }
        if packets.is_empty() {
            break;
        }
    }
    wire.with(packets)
}

/// The status of each delivery to the endpoint that was told from `wire`, with a secret or without.
fn statuses(wire: &Wire, kept: usize, is_configured: bool) -> Vec<Status> {
    let secrets = if is_configured { vec!["env:UNSET".parse().unwrap()] } else { Vec::new() };
    let endpoint = Endpoint {
        name: "in".to_owned(),
        port: 80,
        path_prefix: "/".to_owned(),
        secrets,
        ..Endpoint::default()
    };
    let keys = is_configured.then(|| Secret::new("own", Zeroizing::new(KEY.as_bytes().to_vec())));
    let config = Config { endpoints: vec![endpoint], ..Config::default() };
    let knowledge = Knowledge::new(&config, vec![keys.into_iter().collect()]);
    let mut stage = Webhooks::new(Arc::new(knowledge), Arc::default());
    let bodies = BodyPolicies::all(BodyPolicy { sha256: false, content_cap: kept });
    let options = Options { contents: Allowance::new(1 << 20), bodies, ..Options::default() };
    let mut engine = Engine::new(options);
    let mut found = Vec::new();
    let mut sink = |observation| {
        if let Observation::Exchange(exchange) = observation {
            found.extend(stage.deliver(exchange).signature.map(|signature| signature.status));
        }
    };
    for segment in wire.segments() {
        engine.segment(&segment, &mut sink);
    }
    engine.finish(&mut sink);
    found
}

/// A delivery of so many octets in no chunks.
fn posted(length: usize) -> Plan {
    Plan { length, in_chunks: false, signature_first: true, has_token: false, text: TEXTS[0] }
}

/// The head of the first is lost, and its body ends in the middle of a line: in `POST `.
#[test]
fn the_end_of_a_body_and_the_line_behind_it_are_no_request() {
    let sent = [delivery(posted(80)), delivery(posted(0)), delivery(posted(40))].concat();
    let answered = Wire::midstream().server(OK);
    let wire = sent[1..].chunks(1).fold(answered, Wire::client).close();
    assert_eq!(statuses(&wire, 300, true), [Status::Valid]);
}

/// A token is in the head, and is known whatever becomes of the body behind it.
#[test]
fn a_token_needs_no_body() {
    let whole = delivery(Plan { has_token: true, ..posted(40) });
    let (head, body) = whole.split_at(whole.len() - 40);
    let sent = Wire::open().client(head).client(body);
    let check = |wire: Wire, kept| {
        assert_eq!(statuses(&wire.server(OK).close(), kept, true), [Status::Valid], "{kept}");
    };
    check(sent.clone(), 0);
    check(sent.clone(), 20);
    check(sent.lose().client(""), 300);
}

#[test]
fn what_was_sent_twice_and_differs_is_not_vouched_for() {
    let whole = delivery(posted(40));
    let (head, body) = whole.split_at(whole.len() - 40);
    let sent = |again: &[u8]| {
        let wire = Wire::open().client(head).client(body).again(again);
        statuses(&wire.server(OK).close(), 300, true)
    };
    assert_eq!(sent(body), [Status::Valid]);
    assert_eq!(sent(&body.to_ascii_lowercase()), [Status::Unverifiable]);
}

proptest! {
    #[test]
    fn what_is_genuine_is_never_called_forged(
        plans in prop::collection::vec(plan(), 1..5),
        segment in 1_usize..120,
        fates in fates(),
        kept in prop_oneof![Just(0_usize), 1_usize..300, Just(1 << 16)],
        is_configured: bool,
        is_known_from_the_start: bool,
    ) {
        let mut wire = if is_known_from_the_start { Wire::open() } else { Wire::midstream() };
        for plan in &plans {
            for part in delivery(*plan).chunks(segment) {
                wire = wire.client(part);
            }
            wire = wire.server(OK);
        }
        let wire = wire.close();
        for status in statuses(&spoilt(&wire, &fates), kept, is_configured) {
            let expected = if is_configured {
                matches!(status, Status::Valid | Status::Unverifiable)
            } else {
                matches!(status, Status::Unchecked | Status::Unverifiable)
            };
            prop_assert!(expected, "{:?}", status);
        }
        if fates.is_empty() && is_known_from_the_start && is_configured && kept >= 300 {
            let whole = statuses(&wire, kept, is_configured);
            prop_assert_eq!(whole, vec![Status::Valid; plans.len()]);
        }
    }
}
