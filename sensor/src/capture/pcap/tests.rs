//! Capture files built octet by octet, whole, cut and damaged.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Damage, Error, Reader};

/// Hands out a file in pieces of a few octets, as a pipe may.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.len().min(buffer.len()).min(3);
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

/// Reads to the end: each frame as `time/interface/link/data/length`, then what stopped it.
fn read(file: &[u8]) -> (Vec<String>, Option<Error>) {
    let mut frames = Vec::new();
    let mut reader = match Reader::new(Trickle(file)) {
        Ok(reader) => reader,
        Err(error) => return (frames, Some(error)),
    };
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => frames.push(format!(
                "{}/{}/{:?}/{}/{}",
                frame.time.0,
                frame.interface,
                frame.link,
                String::from_utf8_lossy(frame.data),
                frame.wire_length,
            )),
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

/// Writes numbers in either byte order.
#[derive(Clone, Copy)]
struct Order(bool);

impl Order {
    fn words(self, words: &[u32]) -> Vec<u8> {
        let octets = |word: &u32| if self.0 { word.to_be_bytes() } else { word.to_le_bytes() };
        words.iter().flat_map(octets).collect()
    }

    fn halves(self, halves: &[u16]) -> Vec<u8> {
        let octets = |half: &u16| if self.0 { half.to_be_bytes() } else { half.to_le_bytes() };
        halves.iter().flat_map(octets).collect()
    }

    fn classic(self, magic: u32, fraction: u32) -> Vec<u8> {
        let mut file = self.words(&[magic, 0x0004_0002, 0, 0, 65535, 1]);
        file.extend(self.words(&[10, fraction, 2, 60]));
        file.extend(b"ab");
        file.extend(self.words(&[11, 0, 3, 3]));
        file.extend(b"cde");
        file
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(12 + body.len().next_multiple_of(4)).unwrap();
        let mut block = self.words(&[kind, length]);
        block.extend(body);
        block.resize(length as usize - 4, 0);
        block.extend(self.words(&[length]));
        block
    }

    fn section(self) -> Vec<u8> {
        let body = [self.words(&[0x1a2b_3c4d]), self.halves(&[1, 0]), vec![0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    fn interface(self, link: u16, options: &[u8]) -> Vec<u8> {
        let body = [self.halves(&[link, 0]), self.words(&[0]), options.to_vec()].concat();
        self.block(1, &body)
    }

    fn packet(self, interface: u32, ticks: u64, data: &[u8]) -> Vec<u8> {
        let (high, low) = (u32::try_from(ticks >> 32).unwrap(), (ticks & 0xffff_ffff) as u32);
        let length = u32::try_from(data.len()).unwrap();
        let body = [self.words(&[interface, high, low, length, 99]), data.to_vec()].concat();
        self.block(6, &body)
    }
}

const ORDERS: [Order; 2] = [Order(false), Order(true)];

#[test]
fn classic_files_are_read_in_both_orders_and_resolutions() {
    for order in ORDERS {
        for (magic, nanoseconds) in [(0xa1b2_c3d4, 7000), (0xa1b2_3c4d, 7)] {
            let (frames, error) = read(&order.classic(magic, 7));
            let first = format!("{}/0/Ethernet/ab/60", 10_000_000_000_u64 + nanoseconds);
            assert_eq!(frames, [first, "11000000000/0/Ethernet/cde/3".to_owned()]);
            assert!(error.is_none());
        }
    }
}

#[test]
fn longer_packet_headers_are_passed() {
    for order in ORDERS {
        let mut file = order.words(&[0xa1b2_cd34, 0x0004_0002, 0, 0, 65535, 1]);
        file.extend(order.words(&[10, 7, 2, 60, 3, 0x0008_0000]));
        file.extend(b"ab");
        file.extend(order.words(&[11, 0, 3, 3, 3, 0x0008_0000]));
        file.extend(b"cde");
        let (frames, error) = read(&file);
        assert_eq!(frames, ["10000007000/0/Ethernet/ab/60", "11000000000/0/Ethernet/cde/3"]);
        assert!(error.is_none());
        assert!(matches!(read(&file[..60]).1, Some(Error::Truncated(_))));
    }
}

#[test]
fn a_cut_file_gives_every_frame_before_the_cut() {
    let file = ORDERS[0].classic(0xa1b2_c3d4, 7);
    for length in 0..file.len() {
        let (frames, error) = read(&file[..length]);
        let whole = [24 + 18, 24 + 18 + 19].iter().filter(|end| length >= **end).count();
        assert_eq!(frames.len(), whole, "{length}");
        match error {
            None => assert!(length == 24 || length == 42, "{length}"),
            Some(Error::Truncated(place)) => assert_eq!(place.frames, whole as u64),
            Some(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_length_that_no_capture_has_is_damage() {
    let mut file = ORDERS[0].classic(0xa1b2_c3d4, 7);
    file[42 + 8..42 + 12].fill(0xff);
    let (frames, error) = read(&file);
    assert_eq!(frames.len(), 1);
    let Some(error @ Error::Damaged(place, Damage::FrameLength(u32::MAX))) = error else {
        panic!("{error:?}");
    };
    assert_eq!((place.offset, place.frames), (42, 1));
    assert_eq!(
        error.to_string(),
        "a packet claims 4294967295 octets, at octet 42, after 1 packets"
    );
}

#[test]
fn compressed_files_are_read_as_if_they_were_not() {
    let file = ORDERS[0].classic(0xa1b2_c3d4, 7);
    let gzip = |octets: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(octets).unwrap();
        encoder.finish().unwrap()
    };
    let (plain, _) = read(&file);
    let (frames, error) = read(&[gzip(&file[..30]), gzip(&file[30..])].concat());
    assert!(error.is_none(), "{error:?}");
    assert_eq!(frames, plain);
    let whole = gzip(&file);
    for length in 2..whole.len() {
        let (frames, error) = read(&whole[..length]);
        assert!(plain.starts_with(&frames));
        assert!(matches!(error, Some(Error::Truncated(_))), "{length} {error:?}");
    }
    let mut damaged = whole;
    damaged[12] ^= 0xff;
    assert!(read(&damaged).1.is_some());
}

#[test]
fn other_files_are_named_by_how_they_start() {
    let (_, error) = read(b"GET / HTTP/1.1\r\n\r\n");
    assert!(matches!(error, Some(Error::Unsupported { magic: [b'G', b'E', b'T', b' '] })));
    assert!(matches!(read(b"ab").1, Some(Error::Truncated(_))));
    let check = |file: &[u8], expected: &str| {
        assert_eq!(read(file).1.map(|error| error.to_string()).as_deref(), Some(expected));
    };
    check(b"GET / HTTP/1.1", "not a pcap or pcapng file: it starts 47 45 54 20");
    check(b"snoop\0\0\0", "a capture as snoop has them: `editcap -F pcap FILE NEW` converts it");
    check(b"\xfd7zXZ\0", "compressed, and not by gzip: unpack it with xz first");
}

#[test]
fn sections_and_interfaces_have_their_own_order_link_and_clock() {
    let mut file = Vec::new();
    for order in ORDERS {
        let nanoseconds = [order.halves(&[9, 1]), vec![9, 0, 0, 0], order.halves(&[0, 0])].concat();
        let binary = [order.halves(&[9, 1]), vec![0x81, 0, 0, 0]].concat();
        let mut offset = order.halves(&[14, 8]);
        offset.extend(if order.0 { 5_u64.to_be_bytes() } else { 5_u64.to_le_bytes() });
        file.extend(order.section());
        file.extend(order.interface(1, &[]));
        file.extend(order.interface(101, &nanoseconds));
        file.extend(order.interface(113, &binary));
        file.extend(order.interface(276, &offset));
        file.extend(order.block(5, &[0; 300]));
        file.extend(order.packet(0, 3, b"a"));
        file.extend(order.packet(1, (1 << 32) + 1, b"bc"));
        file.extend(order.packet(2, 3, b"def"));
        file.extend(order.packet(3, 3, b""));
    }
    let (frames, error) = read(&file);
    assert!(error.is_none(), "{error:?}");
    let expected = |first: u32| {
        [
            format!("3000/{first}/Ethernet/a/99"),
            format!("4294967297/{}/RawIp/bc/99", first + 1),
            format!("1500000000/{}/Cooked/def/99", first + 2),
            format!("5000003000/{}/CookedV2//99", first + 3),
        ]
    };
    assert_eq!(frames, [expected(0), expected(4)].concat());
}

#[test]
fn simple_and_obsolete_packets_are_read() {
    for order in ORDERS {
        let mut file = [order.section(), order.interface(1, &[])].concat();
        file.extend(order.block(3, &[order.words(&[2]), b"ab".to_vec()].concat()));
        let body = [order.halves(&[0, 0]), order.words(&[0, 4, 2, 7]), b"cd".to_vec()].concat();
        file.extend(order.block(2, &body));
        assert_eq!(read(&file).0, ["0/0/Ethernet/ab/2", "4000/0/Ethernet/cd/7"]);
    }
}

#[test]
fn packets_without_a_time_have_that_of_the_one_before() {
    let order = ORDERS[0];
    let simple = order.block(3, &[order.words(&[1]), b"a".to_vec()].concat());
    let start = [order.section(), order.interface(1, &[])].concat();
    let file = [start, simple.clone(), order.packet(0, 4, b"b"), simple.clone(), simple].concat();
    let mut reader = Reader::new(&file[..]).unwrap();
    for expected in [(0, 1), (4000, 1), (4000, 2), (4000, 3)] {
        let time = reader.next_frame().unwrap().unwrap().time.0;
        assert_eq!((time, reader.untimed()), expected);
    }
}

#[test]
fn damaged_blocks_are_named() {
    let order = ORDERS[0];
    let start = [order.section(), order.interface(1, &[]), order.packet(0, 1, b"a")].concat();
    let table = [
        (order.packet(1, 1, b"a"), Damage::Interface(1)),
        (order.words(&[6, 13]), Damage::BlockLength(13)),
        (order.words(&[6, 8]), Damage::BlockLength(8)),
        (order.words(&[6, 0x7fff_fff0]), Damage::BlockLength(0x7fff_fff0)),
        (order.block(6, &[0; 8]), Damage::ShortBlock),
        (order.block(1, &[0; 4]), Damage::ShortBlock),
        (order.block(6, &order.words(&[0, 0, 0, 50, 50])), Damage::FrameLength(50)),
        (order.block(0x0a0d_0d0a, &[0; 16]), Damage::ByteOrder),
    ];
    for (block, expected) in table {
        let mut file = [start.clone(), block].concat();
        file.extend([0; 8]);
        let (frames, error) = read(&file);
        assert_eq!(frames.len(), 1);
        let Some(Error::Damaged(place, damage)) = error else { panic!("{error:?}") };
        assert_eq!((damage, place.offset), (expected, start.len() as u64));
    }
    let mut trailer = start.clone();
    let last = trailer.len() - 4;
    trailer[last] += 4;
    let (frames, error) = read(&trailer);
    assert!(frames.is_empty() && matches!(error, Some(Error::Damaged(_, Damage::BlockTrailer(_)))));
}

proptest::proptest! {
    #[test]
    fn no_octets_make_it_panic_or_run_on(
        next_generation: bool,
        place in 0_usize..200,
        octets in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
    ) {
        let order = ORDERS[0];
        let mut file = if next_generation {
            [order.section(), order.interface(1, &[]), order.packet(0, 1, b"abc")].concat()
        } else {
            order.classic(0xa1b2_c3d4, 1)
        };
        let place = place.min(file.len());
        file.splice(place.., octets);
        let (frames, _) = read(&file);
        assert!(frames.len() <= file.len() / 12);
    }
}
