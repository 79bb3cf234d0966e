//! Owns the order of octets in a capture file, which is that of the host that wrote it.
//!
//! It must not know what stands where.

/// Which octet of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    BigEndian,
    LittleEndian,
}

impl Order {
    /// The order in which `octets` are `number`, if any.
    pub(super) const fn of(number: u32, octets: [u8; 4]) -> Option<Self> {
        if u32::from_be_bytes(octets) == number {
            Some(Self::BigEndian)
        } else if u32::from_le_bytes(octets) == number {
            Some(Self::LittleEndian)
        } else {
            None
        }
    }

    pub(super) const fn half(self, octets: [u8; 2]) -> u16 {
        match self {
            Self::BigEndian => u16::from_be_bytes(octets),
            Self::LittleEndian => u16::from_le_bytes(octets),
        }
    }

    pub(super) const fn word(self, octets: [u8; 4]) -> u32 {
        match self {
            Self::BigEndian => u32::from_be_bytes(octets),
            Self::LittleEndian => u32::from_le_bytes(octets),
        }
    }

    /// A number of 64 bits, which as a whole is in this order.
    pub(super) const fn long(self, octets: [u8; 8]) -> u64 {
        match self {
            Self::BigEndian => u64::from_be_bytes(octets),
            Self::LittleEndian => u64::from_le_bytes(octets),
        }
    }

    /// The first `N` words of 32 bits; `None` where there are fewer octets.
    pub(super) fn words<const N: usize>(self, octets: &[u8]) -> Option<[u32; N]> {
        let (words, _) = octets.as_chunks();
        words.first_chunk().map(|words| words.map(|word| self.word(word)))
    }
}
