//! A request out of a capture, by its number or by what names it.
//!
//! It must not know what the request is for.

use super::request_file::{RequestFile, headers};
use super::which::{Which, several};
use crate::capture::decode::Decoder;
use crate::capture::pcap::{Error, Reader};
use crate::http::{
    Allowance, BodyPolicies, BodyPolicy, Engine, Exchange, Observation, Options, Request,
};
use crate::webhook::{Message, Table};

/// Octets of the largest body that is put together: what the agent itself keeps.
const MAX_BODY_BYTES: usize = 25 << 20;

/// Whether these octets begin as a capture does.
pub(super) fn is_capture(octets: &[u8]) -> bool {
    !matches!(Reader::new(octets), Err(Error::Unsupported { .. } | Error::Truncated(_)))
}

/// The request of a capture; says in words why there is none.
pub(super) fn read(octets: &[u8], which: Which<'_>, table: &Table) -> Result<RequestFile, String> {
    let policy = BodyPolicy { sha256: false, content_cap: MAX_BODY_BYTES };
    let contents = Allowance::new(4 * MAX_BODY_BYTES);
    let bodies = BodyPolicies::all(policy);
    let mut engine = Engine::new(Options { contents, bodies, ..Options::default() });
    let (mut seen, mut meant, mut found) = (0, 0, None);
    let mut look = |observation| {
        let Observation::Exchange(exchange) = observation else { return };
        let Some(request) = &exchange.request else { return };
        seen += 1;
        if which.is(seen, &Message::new(request, &exchange), table) {
            meant += 1;
            found.get_or_insert_with(|| from_exchange(request, &exchange));
        }
    };
    let mut reader = Reader::new(octets).map_err(|error| error.to_string())?;
    let mut decoder = Decoder::default();
    let end = loop {
        match reader.next_frame() {
            // What is no TCP segment is not looked for.
            Ok(Some(frame)) => {
                if let Ok(segment) = decoder.segment(&frame) {
                    engine.segment(&segment, &mut look);
                }
            }
            Ok(None) => break None,
            // As that of a capture which is still being written.
            Err(error) => break Some(error.to_string()),
        }
    };
    engine.finish(&mut look);
    let Some(mut request) = found else {
        return Err(end.unwrap_or_else(|| which.missing(seen)));
    };
    request.notes.extend(several(meant));
    request.notes.extend(end.map(|why| format!("The capture was read up to where {why}.")));
    Ok(request)
}

fn from_exchange(request: &Request, exchange: &Exchange) -> RequestFile {
    let owned = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let fields: Vec<_> =
        request.headers.iter().map(|(name, value)| (owned(name), value.to_vec())).collect();
    RequestFile {
        method: owned(&request.method),
        target: owned(&request.target),
        headers: headers(&fields),
        body: Message::new(request, exchange).content.map(<[u8]>::to_vec),
        url: None,
        sent: Some(request.started),
        // What the wire lacks is said by the body.
        is_cut: false,
        notes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_told_by_their_first_octets() {
        for (octets, expected) in [
            (&b"POST / HTTP/1.1\r\n\r\n"[..], false),
            (b"{\"log\":{}}", false),
            (b"", false),
            (&[&0xa1b2_c3d4_u32.to_le_bytes()[..], &[2, 0, 4, 0], &[0; 16]].concat(), true),
        ] {
            assert_eq!(is_capture(octets), expected, "{octets:?}");
        }
    }
}
