//! Builds Ethernet frames that carry TCP, right in every length and checksum unless asked
//! otherwise.
//!
//! It must not know who receives them.

use std::net::{IpAddr, SocketAddr};

/// TCP control bits (RFC 9293, section 3.1).
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Opens a connection.
    pub const SYN: u8 = 0x02;
    /// Breaks a connection.
    pub const RST: u8 = 0x04;
    /// Hands the data on at once.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const TCP: u8 = 6;
const FRAGMENT: u8 = 44;
const TTL: u8 = 64;

/// A tag between the Ethernet addresses and the network header.
#[derive(Clone, Copy, Debug)]
pub struct Tag {
    /// 0x8100 for a VLAN, 0x88a8 for QinQ.
    pub ethertype: u16,
    /// VLAN identifier, 12 bits.
    pub vlan: u16,
}

/// An IPv6 extension header of the common layout (RFC 8200, section 4): next header, length,
/// content.
#[derive(Clone, Debug)]
pub struct Extension {
    /// Its protocol number: 0 hop-by-hop, 43 routing, 60 destination options.
    pub protocol: u8,
    /// What follows the first two octets; padded with zeros to a multiple of 8 in all.
    pub content: Vec<u8>,
}

/// Where a fragment belongs.
#[derive(Clone, Copy, Debug)]
pub struct Fragment {
    /// In units of 8 octets.
    pub offset: u16,
    /// Whether others follow.
    pub more: bool,
}

/// A frame in the making.
#[derive(Clone, Debug)]
pub struct Packet {
    source: SocketAddr,
    destination: SocketAddr,
    source_mac: [u8; 6],
    destination_mac: [u8; 6],
    tags: Vec<Tag>,
    ipv4_options: Vec<u8>,
    extensions: Vec<Extension>,
    fragment: Option<Fragment>,
    protocol: u8,
    flags: u8,
    sequence: u32,
    acknowledgement: u32,
    payload: Vec<u8>,
}

impl Packet {
    /// A TCP segment with ACK set and nothing in it. The family of `source` decides between IPv4
    /// and IPv6; `destination` must be of the same.
    #[must_use]
    pub fn tcp(source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            source,
            destination,
            source_mac: [0x02, 0, 0, 0, 0, 1],
            destination_mac: [0x02, 0, 0, 0, 0, 2],
            tags: Vec::new(),
            ipv4_options: Vec::new(),
            extensions: Vec::new(),
            fragment: None,
            protocol: TCP,
            flags: flag::ACK,
            sequence: 1,
            acknowledgement: 1,
            payload: Vec::new(),
        }
    }

    /// From one hardware address to another.
    #[must_use]
    pub const fn macs(mut self, source: [u8; 6], destination: [u8; 6]) -> Self {
        self.source_mac = source;
        self.destination_mac = destination;
        self
    }

    /// Adds a tag inside those already there.
    #[must_use]
    pub fn tag(mut self, ethertype: u16, vlan: u16) -> Self {
        self.tags.push(Tag { ethertype, vlan });
        self
    }

    /// Adds IPv4 options, padded to a multiple of 4 octets.
    #[must_use]
    pub fn ipv4_options(mut self, options: &[u8]) -> Self {
        self.ipv4_options = padded(options, 4);
        self
    }

    /// Adds an IPv6 extension header after those already there.
    #[must_use]
    pub fn extension(mut self, protocol: u8, content: &[u8]) -> Self {
        self.extensions.push(Extension { protocol, content: content.to_vec() });
        self
    }

    /// Makes it a fragment: in the IPv4 header, or with an IPv6 fragment header at the end of the
    /// chain.
    #[must_use]
    pub const fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.fragment = Some(Fragment { offset, more });
        self
    }

    /// Claims another protocol than TCP for what the network header carries.
    #[must_use]
    pub const fn protocol(mut self, protocol: u8) -> Self {
        self.protocol = protocol;
        self
    }

    /// TCP control bits, of [`flag`].
    #[must_use]
    pub const fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    /// Sequence and acknowledgement number.
    #[must_use]
    pub const fn numbers(mut self, sequence: u32, acknowledgement: u32) -> Self {
        self.sequence = sequence;
        self.acknowledgement = acknowledgement;
        self
    }

    /// What the segment carries.
    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// The frame.
    ///
    /// # Panics
    /// When a length does not fit its field, or the addresses are of different families.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = [self.destination_mac, self.source_mac].concat();
        for tag in &self.tags {
            frame.extend(tag.ethertype.to_be_bytes());
            frame.extend(tag.vlan.to_be_bytes());
        }
        let segment = self.segment();
        if self.source.is_ipv4() {
            frame.extend(ETHERTYPE_IPV4.to_be_bytes());
            frame.extend(self.ipv4_header(segment.len()));
        } else {
            frame.extend(ETHERTYPE_IPV6.to_be_bytes());
            frame.extend(self.ipv6_headers(segment.len()));
        }
        frame.extend(segment);
        frame
    }

    fn ipv4_header(&self, carried: usize) -> Vec<u8> {
        let length = 20 + self.ipv4_options.len();
        let fragment = self.fragment.map_or(0, |f| f.offset | if f.more { 0x2000 } else { 0 });
        let words = u8::try_from(length / 4).expect("options fit the header length");
        let mut header = vec![0x40 | words, 0];
        header.extend(length16(length + carried).to_be_bytes());
        header.extend([0, 1]);
        header.extend(fragment.to_be_bytes());
        header.extend([TTL, self.protocol, 0, 0]);
        header.extend(octets(self.source.ip()));
        header.extend(octets(self.destination.ip()));
        header.extend(&self.ipv4_options);
        let sum = checksum(&[&header]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        header
    }

    fn ipv6_headers(&self, carried: usize) -> Vec<u8> {
        let chain = self.ipv6_chain();
        let first = chain.first().map_or(self.protocol, |(protocol, _)| *protocol);
        let following = chain.iter().skip(1).map(|(protocol, _)| *protocol).chain([self.protocol]);
        let mut extensions = Vec::new();
        for ((_, header), next) in chain.iter().zip(following) {
            extensions.push(next);
            extensions.extend(&header[1..]);
        }
        let mut headers = vec![0x60, 0, 0, 0];
        headers.extend(length16(extensions.len() + carried).to_be_bytes());
        headers.extend([first, TTL]);
        headers.extend(octets(self.source.ip()));
        headers.extend(octets(self.destination.ip()));
        headers.extend(extensions);
        headers
    }

    /// The extension headers with their protocol numbers; the first octet of each, the next
    /// header, is still to be filled in.
    fn ipv6_chain(&self) -> Vec<(u8, Vec<u8>)> {
        let plain = self.extensions.iter().map(|extension| {
            let mut header = padded(&[&[0, 0], extension.content.as_slice()].concat(), 8);
            header[1] = u8::try_from(header.len() / 8 - 1).expect("an extension fits its length");
            (extension.protocol, header)
        });
        let fragment = self.fragment.map(|fragment| {
            let [high, low] = (fragment.offset << 3 | u16::from(fragment.more)).to_be_bytes();
            (FRAGMENT, vec![0, 0, high, low, 0, 0, 0, 1])
        });
        plain.chain(fragment).collect()
    }

    fn segment(&self) -> Vec<u8> {
        let mut segment = Vec::with_capacity(20 + self.payload.len());
        segment.extend(self.source.port().to_be_bytes());
        segment.extend(self.destination.port().to_be_bytes());
        segment.extend(self.sequence.to_be_bytes());
        segment.extend(self.acknowledgement.to_be_bytes());
        segment.extend([5 << 4, self.flags]);
        // A window of the largest size without scaling, no checksum yet, nothing urgent.
        segment.extend([0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(&self.payload);
        let sum = checksum(&[&self.pseudo_header(segment.len()), &segment]);
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        segment
    }

    /// RFC 9293, section 3.1: the part of the network header that TCP's checksum covers.
    fn pseudo_header(&self, length: usize) -> Vec<u8> {
        let mut header = octets(self.source.ip());
        header.extend(octets(self.destination.ip()));
        header.extend([0, TCP]);
        header.extend(length16(length).to_be_bytes());
        header
    }
}

/// The Internet checksum (RFC 1071) over `parts`, each of even length but the last.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("the carries are folded in")
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn length16(length: usize) -> u16 {
    u16::try_from(length).expect("a packet fits its length field")
}

fn padded(content: &[u8], unit: usize) -> Vec<u8> {
    let mut padded = content.to_vec();
    padded.resize(content.len().next_multiple_of(unit), 0);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4() -> Packet {
        let address = |text: &str| text.parse().unwrap();
        Packet::tcp(address("192.0.2.1:1000"), address("192.0.2.2:80"))
    }

    fn v6() -> Packet {
        let address = |text: &str| text.parse().unwrap();
        Packet::tcp(address("[2001:db8::1]:1000"), address("[2001:db8::2]:80"))
    }

    /// A header that holds its own checksum sums to zero.
    #[test]
    fn checksums_verify() {
        for packet in [v4(), v4().payload(b"odd"), v4().ipv4_options(&[1, 1, 1])] {
            let frame = packet.frame();
            let header = usize::from(frame[14] & 0x0f) * 4;
            assert_eq!(checksum(&[&frame[14..14 + header]]), 0, "{packet:?}");
            let segment = &frame[14 + header..];
            assert_eq!(checksum(&[&packet.pseudo_header(segment.len()), segment]), 0, "{packet:?}");
        }
        let packet = v6().payload(b"GET / HTTP/1.1\r\n\r\n");
        let segment = &packet.frame()[54..];
        assert_eq!(checksum(&[&packet.pseudo_header(segment.len()), segment]), 0);
    }

    #[test]
    fn lengths_cover_what_follows() {
        let frame = v4().ipv4_options(&[1; 5]).payload(b"12345").frame();
        assert_eq!(frame.len(), 14 + 28 + 20 + 5);
        assert_eq!(frame[16..18], 53_u16.to_be_bytes());
        let frame = v6().extension(0, &[0; 7]).fragment(0, true).payload(b"1").frame();
        assert_eq!(frame.len(), 14 + 40 + 16 + 8 + 20 + 1);
        assert_eq!(frame[18..20], 45_u16.to_be_bytes());
    }

    #[test]
    fn headers_name_what_comes_next() {
        let frame = v6().extension(0, &[]).extension(60, &[]).fragment(3, false).frame();
        let (first, chain) = (frame[20], &frame[54..]);
        assert_eq!([first, chain[0], chain[8], chain[16]], [0, 60, 44, 6]);
        assert_eq!(chain[18..20], [0, 3 << 3]);
        let frame = v4().tag(0x88a8, 5).tag(0x8100, 6).frame();
        assert_eq!(frame[12..22], [0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0]);
        assert_eq!(v4().fragment(2, true).frame()[20..22], [0x20, 2]);
        assert_eq!(v4().protocol(17).frame()[23], 17);
    }
}
