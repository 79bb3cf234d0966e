//! The octets of the state file.
//!
//! All numbers are big-endian. The file is the mark, the version (16 bits), the number of sections
//! (16 bits), the sections, and the CRC-32 of everything before it. A section is the length of its
//! name (16 bits), the name, the length of its content (32 bits) and the content. It must not know
//! files.

use std::fmt;

use super::Sections;

/// How the file begins.
const MARK: &[u8; 8] = b"HOOKSTAT";

/// Raised when the meaning of any section changes: what an agent does not understand it must not
/// act on, and what is lost is only memory.
const VERSION: u16 = 1;

/// Octets of the checksum at the end.
const CHECKSUM: usize = size_of::<u32>();

/// Octets of a file without its sections: the mark, the version, their number and the checksum.
const FRAME: usize = MARK.len() + 2 * size_of::<u16>() + CHECKSUM;

/// Octets of a section's two lengths.
const LENGTHS: usize = size_of::<u16>() + size_of::<u32>();

/// Why a file is not taken for the state of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It does not begin as a state file does.
    Foreign,
    /// It is of another version.
    Version(u16),
    /// It was changed or cut after it was written.
    Damaged,
    /// It is larger than any that is written.
    TooLarge,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it is no state file"),
            Self::Version(version) => {
                write!(f, "it is of version {version}, and this agent reads version {VERSION}")
            }
            Self::Damaged => f.write_str("it is damaged"),
            Self::TooLarge => f.write_str("it is larger than a state file can be"),
        }
    }
}

impl std::error::Error for Refused {}

/// The file of at most `limit` octets that holds `sections`, and the names of those it has no room
/// for.
pub(super) fn encode(sections: &Sections, limit: usize) -> (Vec<u8>, Vec<&str>) {
    let (mut left, mut left_out) = (limit.saturating_sub(FRAME), Vec::new());
    let mut kept = Vec::new();
    for (name, content) in &sections.0 {
        match left.checked_sub(LENGTHS + name.len() + content.len()) {
            Some(less) => {
                left = less;
                kept.push((name, content));
            }
            None => left_out.push(name.as_str()),
        }
    }
    let mut octets = MARK.to_vec();
    octets.extend(VERSION.to_be_bytes());
    octets.extend(length::<u16>(kept.len()).to_be_bytes());
    for (name, content) in kept {
        octets.extend(length::<u16>(name.len()).to_be_bytes());
        octets.extend(name.as_bytes());
        octets.extend(length::<u32>(content.len()).to_be_bytes());
        octets.extend(content);
    }
    octets.extend(crc32fast::hash(&octets).to_be_bytes());
    (octets, left_out)
}

/// The sections of a file.
pub(super) fn decode(octets: &[u8]) -> Result<Sections, Refused> {
    let rest = octets.strip_prefix(MARK).ok_or(Refused::Foreign)?;
    let (version, _) = rest.split_first_chunk().ok_or(Refused::Damaged)?;
    let version = u16::from_be_bytes(*version);
    if version != VERSION {
        return Err(Refused::Version(version));
    }
    let (content, checksum) = octets.split_last_chunk::<CHECKSUM>().ok_or(Refused::Damaged)?;
    if crc32fast::hash(content) != u32::from_be_bytes(*checksum) {
        return Err(Refused::Damaged);
    }
    let content = content.get(MARK.len() + size_of::<u16>()..).ok_or(Refused::Damaged)?;
    sections(content).ok_or(Refused::Damaged)
}

fn sections(octets: &[u8]) -> Option<Sections> {
    let (count, mut rest) = octets.split_first_chunk()?;
    let mut sections = Sections::default();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk()?;
        let (name, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        let (length, after) = after.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (content, after) = after.split_at_checked(length)?;
        sections = sections.with(std::str::from_utf8(name).ok()?, content.to_vec());
        rest = after;
    }
    rest.is_empty().then_some(sections)
}

/// A length as the file has it. Names are constants, and contents are bounded far below 4 GiB.
fn length<T: TryFrom<usize>>(length: usize) -> T {
    T::try_from(length).ok().expect("a section is bounded by the stage that writes it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Sections {
        Sections::default().with("deliveries", vec![1, 2, 3]).with("rhythms", Vec::new())
    }

    #[test]
    fn reads_what_it_wrote() {
        for sections in [some(), Sections::default()] {
            let (octets, left_out) = encode(&sections, usize::MAX);
            assert_eq!(left_out, [""; 0]);
            assert_eq!(decode(&octets).as_ref(), Ok(&sections));
        }
    }

    #[test]
    fn what_has_no_room_is_left_out_and_named() {
        let all = some().with("shapes", vec![4; 20]).with("last", vec![5]);
        let whole = encode(&all, usize::MAX).0.len();
        for (limit, expected) in [
            (whole, ""),
            (whole - 1, "last"),
            (whole - "last".len() - LENGTHS - 1, "last"),
            (whole - "last".len() - LENGTHS - 2, "shapes"),
            (whole - 20, "shapes"),
            (FRAME, "deliveries rhythms shapes last"),
        ] {
            let (octets, left_out) = encode(&all, limit);
            assert!(octets.len() <= limit, "{} of {limit}", octets.len());
            assert_eq!(left_out.join(" "), expected, "{limit}");
            let read = decode(&octets).unwrap();
            assert!(left_out.iter().all(|name| read.section(name).is_empty()), "{limit}");
        }
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let whole = encode(&some(), usize::MAX).0;
        for end in 0..whole.len() {
            assert!(decode(&whole[..end]).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(decode(&changed).is_err(), "changed at {at}");
        }
        assert_eq!(decode(b"{\"an\": \"other file\"}"), Err(Refused::Foreign));
        let mut later = whole;
        later[9] = 2;
        assert_eq!(decode(&later), Err(Refused::Version(2)));
    }
}
