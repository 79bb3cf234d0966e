//! Writes captures in the classic pcap format.
//!
//! It must not know what the frames are.

use std::time::Duration;

/// Magic number of a file with microseconds, in the byte order of the writer.
const MAGIC: u32 = 0xa1b2_c3d4;
const ETHERNET: u32 = 1;
const SNAPLEN: u32 = 65_535;

/// A capture of Ethernet `frames`, each with its time since 1970.
///
/// # Panics
/// When a frame is longer than 4 GiB or a time after 2106: the format has 32 bits for each.
#[must_use]
pub fn pcap<'a>(frames: impl IntoIterator<Item = (Duration, &'a [u8])>) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(MAGIC.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    file.extend([0; 8]);
    file.extend(SNAPLEN.to_le_bytes());
    file.extend(ETHERNET.to_le_bytes());
    for (time, frame) in frames {
        let seconds = u32::try_from(time.as_secs()).expect("a time before 2106");
        let length = u32::try_from(frame.len()).expect("a frame of less than 4 GiB");
        for field in [seconds, time.subsec_micros(), length, length] {
            file.extend(field.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_their_sizes() {
        assert_eq!(pcap([]).len(), 24);
        let file = pcap([(Duration::new(7, 5_000), &[1, 2, 3][..])]);
        assert_eq!(file.len(), 24 + 16 + 3);
        assert_eq!(file[24..32], [7, 0, 0, 0, 5, 0, 0, 0]);
    }
}
