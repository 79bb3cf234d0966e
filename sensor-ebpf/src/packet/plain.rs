//! What nearly every frame is: Ethernet without a tag, IPv4 without options, and TCP whose header is
//! all there, found by one look at its length.
//!
//! Each field is read when it is asked for, so that who needs two of them reads two. It must not know
//! other frames.

use super::{
    ETHERNET, ETHERTYPE_IPV4, IPV4_FRAGMENT_OFFSET, IPV4_HEADER, Load, Network, TCP_HEADER,
    Transport, UNTAGGED, Window as _, carried, fragment, reason,
};
use crate::abi::{Address, Reason};

/// Where the headers start, and where the last one ends if it has no options.
const IP: usize = ETHERNET;
const SEGMENT: usize = IP + IPV4_HEADER;
const LENGTH: usize = SEGMENT + TCP_HEADER;

/// Words of 32 bits in a header without options.
const IP_WORDS: u8 = 5;
const TCP_WORDS: u8 = 5;

/// The headers of such a frame, if [`Plain::carries`] says so; otherwise those of its network layer.
pub struct Plain<L: Load>(L::Window<LENGTH>);

impl<L: Load> Plain<L> {
    /// The headers of a frame of IPv4 without options, where all of them could be there.
    #[inline(always)]
    pub fn of(frame: &L) -> Option<Self> {
        let headers = frame.window::<LENGTH>(0)?;
        let plain = headers.u16::<12>() == ETHERTYPE_IPV4 && headers.u8::<IP>() & 0x0f == IP_WORDS;
        plain.then_some(Self(headers))
    }

    /// [`Reason::Clean`] when it holds a TCP header, otherwise why none can be read.
    #[inline(always)]
    pub fn carries(&self) -> Reason {
        let offset = self.0.u16::<{ IP + 6 }>() & IPV4_FRAGMENT_OFFSET;
        match reason(fragment(offset, carried(self.0.u8::<{ IP + 9 }>()))) {
            Reason::Clean if self.0.u8::<{ SEGMENT + 12 }>() >> 4 < TCP_WORDS => Reason::Truncated,
            reason => reason,
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
