//! What nearly every frame is: Ethernet without a tag, IPv4 without options, and TCP whose header
//! is all there, found by one look at its length.
//!
//! Each field is read when it is asked for, so that who needs two of them reads two. It must not
//! know other frames.

use super::{
    ETHERNET, IPV4_FRAGMENT_OFFSET, IPV4_HEADER, Load, Network, TCP, TCP_HEADER, Transport,
    UNTAGGED, Window as _, carried, fragment, reason,
};
use crate::abi::{Address, Reason};

/// Where the headers start, and where the last one ends if it has no options.
const IP: usize = ETHERNET;
const SEGMENT: usize = IP + IPV4_HEADER;
const LENGTH: usize = SEGMENT + TCP_HEADER;

/// Words of 32 bits in a TCP header without options.
const TCP_WORDS: u8 = 5;

/// Octets that are looked at as one word, and what they then are: the type of what is carried, and
/// the version and the length of an IPv4 header without options.
const IPV4_PLAIN: Octets = Octets::are([0xff, 0xff, 0xff, 0], [0x08, 0x00, 0x45, 0]);

/// The same of the offset of a fragment and the protocol: TCP, and no later fragment.
const TCP_WHOLE: Octets = Octets::are([0x1f, 0xff, 0, 0xff], [0, 0, 0, TCP]);

/// Some bits of four octets, as a word of them lies in memory.
struct Octets {
    looked_at: u32,
    expected: u32,
}

impl Octets {
    const fn are(looked_at: [u8; 4], expected: [u8; 4]) -> Self {
        Self { looked_at: u32::from_ne_bytes(looked_at), expected: u32::from_ne_bytes(expected) }
    }

    #[inline(always)]
    const fn match_word(&self, word: u32) -> bool {
        word & self.looked_at == self.expected
    }
}

/// The headers of such a frame, if [`Plain::carries`] says so; otherwise those of its network
/// layer.
pub struct Plain<L: Load>(L::Window<LENGTH>);

impl<L: Load> Plain<L> {
    /// The headers of a frame of IPv4 without options, where all of them could be there.
    #[inline(always)]
    pub fn of(frame: &L) -> Option<Self> {
        let headers = frame.window::<LENGTH>(0)?;
        IPV4_PLAIN.match_word(headers.word::<12>()).then_some(Self(headers))
    }

    /// [`Reason::Clean`] when it holds a TCP header, otherwise why none can be read.
    #[inline(always)]
    pub fn carries(&self) -> Reason {
        if !TCP_WHOLE.match_word(self.0.word::<{ IP + 6 }>()) {
            let offset = self.0.u16::<{ IP + 6 }>() & IPV4_FRAGMENT_OFFSET;
            reason(fragment(offset, carried(self.0.u8::<{ IP + 9 }>())))
        } else if self.0.u8::<{ SEGMENT + 12 }>() >> 4 < TCP_WORDS {
            Reason::Truncated
        } else {
            Reason::Clean
        }
    }

    /// The sender.
    #[inline(always)]
    pub fn source(&self) -> Address {
        Address::v4(self.0.word::<{ IP + 12 }>())
    }

    /// The receiver's port.
    #[inline(always)]
    pub fn destination_port(&self) -> u16 {
        self.0.u16::<{ SEGMENT + 2 }>()
    }

    /// Where the packet ends by its own length field.
    #[inline(always)]
    pub fn end(&self) -> usize {
        IP + usize::from(self.0.u16::<{ IP + 2 }>())
    }

    /// All that its network layer says.
    #[inline(always)]
    pub fn network(&self) -> Network {
        Network {
            source: self.source(),
            destination: Address::v4(self.0.word::<{ IP + 16 }>()),
            offset: SEGMENT,
            end: self.end(),
            vlan: UNTAGGED,
            transport: Reason::Clean,
        }
    }

    /// All that its transport header says.
    #[inline(always)]
    pub fn transport(&self) -> Transport {
        let headers = &self.0;
        Transport {
            source_port: headers.u16::<SEGMENT>(),
            destination_port: self.destination_port(),
            sequence: u32::from_be(headers.word::<{ SEGMENT + 4 }>()),
            acknowledgement: u32::from_be(headers.word::<{ SEGMENT + 8 }>()),
            flags: headers.u8::<{ SEGMENT + 13 }>(),
            payload: SEGMENT + usize::from(headers.u8::<{ SEGMENT + 12 }>() >> 4) * 4,
        }
    }
}
