//! Knows how the files begin that are no captures this reader knows, to say what they are.
//!
//! It must not know how to read them.

use std::fmt;

/// First octets of captures of other programs, as Wireshark's `wiretap` has them.
const CAPTURES: [([u8; 4], &str); 11] = [
    (*b"snoo", "snoop"),
    (*b"GMBU", "Network Monitor"),
    (*b"RTSS", "Network Monitor"),
    (*b"TRSN", "Sniffer"),
    (*b"XCP\0", "NetXray"),
    (*b"Obse", "Observer"),
    (*b"iptr", "iptrace"),
    (*b"\x05VNF", "Visual Networks"),
    (*b"\xaa\xaa\xaa\xaa", "5View"),
    (*b"TR\0d", "nettl"),
    (*b"\x01\x10\x4c\0", "LANalyzer"),
];

/// First octets of files that are compressed otherwise than by gzip, and the program that undoes
/// it.
const COMPRESSED: [([u8; 4], &str); 5] = [
    (*b"\xfd7zX", "xz"),
    (*b"\x28\xb5\x2f\xfd", "zstd"),
    (*b"\x04\x22\x4d\x18", "lz4"),
    (*b"PK\x03\x04", "unzip"),
    (*b"BZh9", "bzip2"),
];

/// Says what a file is that begins so, and what to do with it.
pub(super) fn describe(magic: [u8; 4], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let of = |table: &[([u8; 4], &'static str)]| {
        table.iter().find(|(start, _)| *start == magic).map(|(_, name)| *name)
    };
    if let Some(format) = of(&CAPTURES) {
        write!(formatter, "a capture as {format} has them: `editcap -F pcap FILE NEW` converts it")
    } else if let Some(program) = of(&COMPRESSED) {
        write!(formatter, "compressed, and not by gzip: unpack it with {program} first")
    } else {
        let [a, b, c, d] = magic;
        write!(formatter, "not a pcap or pcapng file: it starts {a:02x} {b:02x} {c:02x} {d:02x}")
    }
}
