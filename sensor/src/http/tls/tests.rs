//! Hellos made octet by octet, and what is read of them.

use proptest::prelude::*;

use super::*;

/// Lists as a usual browser has them; JA4's documentation shows the fingerprint.
const CIPHERS: [u16; 16] = [
    0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
    0x009c, 0x009d, 0x002f, 0x0035,
];
const EXTENSIONS: [u16; 14] = [
    0x1a1a, 0x0017, 0xff01, 0x000a, 0x000b, 0x0023, 0x0005, 0x0012, 0x0033, 0x002d, 0x001b, 0x4469,
    0x0015, 0x9a9a,
];
const SIGNATURES: [u16; 8] = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
const FINGERPRINT: &str = "t13d1516h2_8daaf6152771_e5627efa2ab1";

fn words(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn short_list(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).unwrap()], content].concat()
}

fn list(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &list(content)].concat()
}

/// The hello of a browser for `name`, in records of at most `record` octets.
pub(in crate::http) fn hello(name: &str, record: usize) -> Vec<u8> {
    let server_name = list(&[&[0], &list(name.as_bytes())[..]].concat());
    let mut extensions: Vec<u8> =
        EXTENSIONS.iter().flat_map(|kind| extension(*kind, &[])).collect();
    extensions.extend(extension(0, &server_name));
    extensions.extend(extension(16, &list(b"\x02h2\x08http/1.1")));
    extensions.extend(extension(43, &short_list(&words(&[0x3a3a, 0x0304, 0x0303]))));
    extensions.extend(extension(13, &list(&words(&SIGNATURES))));
    let body = [
        &[3, 3][..],
        &[7; RANDOM],
        &short_list(&[9; 32]),
        &list(&words(&CIPHERS)),
        &short_list(&[0]),
        &list(&extensions),
    ]
    .concat();
    let mut message = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    message[0] = CLIENT_HELLO;
    message.extend(body);
    let records =
        message.chunks(record).map(|content| [&[HANDSHAKE, 3, 1], &list(content)[..]].concat());
    records.collect::<Vec<_>>().concat()
}

#[test]
fn a_hello_is_read() {
    for record in [16_384, 100] {
        let Start::Hello(Some(read)) = start(&hello("hooks.example.com", record)) else {
            panic!("no hello in records of {record}");
        };
        assert_eq!(read.server_name.as_deref(), Some("hooks.example.com"));
        assert_eq!(read.protocols, ["h2", "http/1.1"]);
        assert_eq!(read.version, 0x0304);
        assert_eq!(read.ja4, FINGERPRINT);
    }
}

#[test]
fn every_start_of_a_hello_is_partial() {
    let whole = hello("a", 60);
    for end in 0..whole.len() {
        assert_eq!(start(&whole[..end]), Start::Partial, "{end}");
    }
}

/// Early data and what else a client sends before it is answered comes with its hello.
#[test]
fn a_hello_ends_before_other_records() {
    const CHANGE_CIPHER_SPEC: &[u8] = b"\x14\x03\x03\0\x01\x01";
    let whole = hello("a", 60);
    let alone = start(&whole);
    assert!(matches!(alone, Start::Hello(Some(_))));
    let followed = [&whole[..], CHANGE_CIPHER_SPEC].concat();
    for end in whole.len()..=followed.len() {
        assert_eq!(start(&followed[..end]), alone, "{end}");
    }
    let record = RECORD_HEADER + 60;
    assert_eq!(start(&[&whole[..record], CHANGE_CIPHER_SPEC].concat()), Start::Hello(None));
}

#[test]
fn empty_records_are_not_waited_for_without_end() {
    let start_of = |count: usize| {
        let octets = [&b"\x16\x03\x01\0\x01\x01"[..], &b"\x16\x03\x01\0\0".repeat(count)].concat();
        start(&octets)
    };
    assert_eq!(start_of(100), Start::Partial);
    assert_eq!(start_of(MAX_OCTETS / RECORD_HEADER), Start::Hello(None));
}

#[test]
fn other_octets() {
    for octets in [&b"GET / HTTP/1.1"[..], b"\x15\x03\x01", b"\x16\x02", b"\x16\x03\x01\0\x04\x02"]
    {
        assert_eq!(start(octets), Start::Other, "{octets:?}");
    }
    // A hello that claims more than is taken, and one whose lists are longer than it is.
    assert_eq!(start(b"\x16\x03\x01\x40\0\x01\xff\xff\xff"), Start::Hello(None));
    assert_eq!(start(b"\x16\x03\x01\0\x08\x01\0\0\x04\x03\x03\0\0"), Start::Hello(None));
}

proptest! {
    #[test]
    fn any_octets_are_taken(place in 0..300_usize, octet: u8, cut in 0..400_usize) {
        let mut octets = hello("hooks.example.com", 16_384);
        octets.truncate(cut);
        if let Some(changed) = octets.get_mut(place) {
            *changed = octet;
        }
        if let Start::Hello(Some(read)) = start(&octets) {
            prop_assert_eq!(read.ja4.len(), FINGERPRINT.len());
        }
    }
}
