//! Event identifiers that a replay repeats, because they are made of packet time and content.
//!
//! Pure: no clock, no randomness. It must not know what is identified.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::capture::Timestamp;

/// Octets of a version 7 UUID that are not its time (RFC 9562, section 5.7).
const REST: usize = 10;

/// The identifier of the event at `time` that `seed` tells from every other: a version 7 UUID of
/// the time in milliseconds and a hash of both.
///
/// `seed` should begin with the kind of event, so that a finding and the decision it leads to at
/// the same moment stay apart.
#[must_use]
pub fn event_id(time: Timestamp, seed: &[u8]) -> Uuid {
    let digest = Sha256::new().chain_update(time.0.to_be_bytes()).chain_update(seed).finalize();
    let mut rest = [0; REST];
    rest.copy_from_slice(&digest[..REST]);
    Builder::from_unix_timestamp_millis(time.0 / 1_000_000, &rest).into_uuid()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_identifier_never_changes() {
        let id = event_id(Timestamp(1_700_000_000_123_456_789), b"seed");
        assert_eq!(id.to_string(), "018bcfe5-687b-7ecf-9e15-e515ec75e6dd");
    }

    proptest! {
        #[test]
        fn version_time_and_difference(time: u64, seed: Vec<u8>, other: Vec<u8>) {
            let id = event_id(Timestamp(time), &seed);
            prop_assert_eq!(id.get_version_num(), 7);
            let milliseconds = (id.as_u128() >> 80) as u64;
            prop_assert_eq!(milliseconds, time / 1_000_000);
            prop_assert_eq!(id == event_id(Timestamp(time), &other), seed == other);
            prop_assert_ne!(id, event_id(Timestamp(time ^ 1), &seed));
        }
    }
}
