//! Reads the first message of TLS: what a client says before anything is encrypted (RFC 8446,
//! section 4.1.2), and its JA4 fingerprint.
//!
//! It must not know connections. Fingerprint: <https://github.com/FoxIO-LLC/ja4>.

mod ja4;
#[cfg(test)]
pub(super) mod tests;

/// Octets of a hello that are taken: one TLS record of the longest kind. Real ones have under
/// 2 KiB, also with keys against quantum computers.
const MAX_HELLO: usize = 16 << 10;

/// Octets that are waited for, with the headers of records: any number of these may be empty.
const MAX_OCTETS: usize = 2 * MAX_HELLO;

/// Longest server name that is taken: that of the DNS (RFC 1035, section 2.3.4).
const MAX_SERVER_NAME: usize = 255;

/// Application protocols that are taken. Clients offer two or three.
const MAX_PROTOCOLS: usize = 16;

const RECORD_HEADER: usize = 5;
const HANDSHAKE_HEADER: usize = 4;
/// Content type of records with handshake messages (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// Octets of the client's random value.
const RANDOM: usize = 32;

/// Extensions that are read (IANA, the registry of TLS extensions).
mod extension {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(super) const PROTOCOLS: u16 = 16;
    pub(super) const SUPPORTED_VERSIONS: u16 = 43;
}

/// What a TLS client offered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientHello {
    /// The name of the server it asks for (RFC 6066, section 3).
    pub server_name: Option<String>,
    /// The application protocols it offers, in its order (RFC 7301).
    pub protocols: Vec<String>,
    /// The highest version it offers, as TLS encodes it: 0x0304 is 1.3.
    pub version: u16,
    /// Its JA4 fingerprint.
    pub ja4: String,
}

/// What a connection's first octets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// No hello of TLS.
    Other,
    /// The start of one; more octets are needed.
    Partial,
    /// A hello. None where it contradicts its own lengths, or is longer than is taken.
    Hello(Option<Box<ClientHello>>),
}

/// What the fields of a hello hold, before it is judged.
#[derive(Debug, Default)]
struct Fields<'a> {
    legacy_version: u16,
    ciphers: Vec<u16>,
    extensions: Vec<u16>,
    has_server_name: bool,
    server_name: Option<&'a [u8]>,
    protocols: Vec<&'a [u8]>,
    versions: Vec<u16>,
    signatures: Vec<u16>,
}

/// Whether `octets` are the start of a hello, as far as they go.
pub(super) fn is_start(octets: &[u8]) -> bool {
    let is = |place: usize, value: u8| octets.get(place).is_none_or(|octet| *octet == value);
    is(0, HANDSHAKE) && is(1, 3) && is(RECORD_HEADER, CLIENT_HELLO)
}

/// Looks at the first octets of a connection.
pub(super) fn start(octets: &[u8]) -> Start {
    if !is_start(octets) {
        return Start::Other;
    }
    let octets = &octets[..octets.len().min(MAX_OCTETS)];
    let (message, is_over) = handshake(octets);
    let is_cut = is_over || octets.len() == MAX_OCTETS;
    let unfinished = if is_cut { Start::Hello(None) } else { Start::Partial };
    let Some((header, body)) = message.split_at_checked(HANDSHAKE_HEADER) else {
        return unfinished;
    };
    let length = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
    if length > MAX_HELLO {
        return Start::Hello(None);
    }
    match body.get(..length) {
        Some(body) => Start::Hello(Fields::read(body).map(|fields| Box::new(fields.hello()))),
        None => unfinished,
    }
}

/// The content of the records in `octets`, of which the last may go on, up to one that is no part
/// of a handshake; and whether there is such a one. What a client sends early comes with its hello
/// (RFC 8446, section 2.3).
fn handshake(mut octets: &[u8]) -> (Vec<u8>, bool) {
    let mut message = Vec::new();
    while let Some((header, rest)) = octets.split_at_checked(RECORD_HEADER) {
        if header[0] != HANDSHAKE {
            return (message, true);
        }
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let (content, rest) = rest.split_at(length.min(rest.len()));
        message.extend_from_slice(content);
        octets = rest;
    }
    (message, false)
}

impl<'a> Fields<'a> {
    fn read(body: &'a [u8]) -> Option<Self> {
        let mut input = Input(body);
        let mut fields = Self { legacy_version: input.number()?, ..Self::default() };
        input.take(RANDOM)?;
        input.short_list()?;
        fields.ciphers = numbers(input.list()?);
        input.short_list()?;
        // Extensions came after the first version of the message and may be left out.
        let mut extensions = Input(if input.0.is_empty() { &[] } else { input.list()? });
        while !extensions.0.is_empty() {
            let kind = extensions.number()?;
            fields.extensions.push(kind);
            fields.extension(kind, Input(extensions.list()?))?;
        }
        Some(fields)
    }

    fn extension(&mut self, kind: u16, mut content: Input<'a>) -> Option<()> {
        match kind {
            extension::SERVER_NAME => {
                self.has_server_name = true;
                self.server_name = server_name(content);
            }
            extension::PROTOCOLS => {
                let mut list = Input(content.list()?);
                while !list.0.is_empty() && self.protocols.len() < MAX_PROTOCOLS {
                    self.protocols.push(list.short_list()?);
                }
            }
            extension::SUPPORTED_VERSIONS => self.versions = numbers(content.short_list()?),
            extension::SIGNATURE_ALGORITHMS => self.signatures = numbers(content.list()?),
            _ => {}
        }
        Some(())
    }

    fn hello(&self) -> ClientHello {
        let text = |octets: &&[u8]| String::from_utf8_lossy(octets).into_owned();
        ClientHello {
            server_name: self.server_name.as_ref().map(text),
            protocols: self.protocols.iter().map(text).collect(),
            version: self.version(),
            ja4: ja4::fingerprint(self),
        }
    }

    /// The highest version offered; that in the old place where there is no list.
    fn version(&self) -> u16 {
        let offered = self.versions.iter().copied().filter(|version| !is_grease(*version));
        offered.max().unwrap_or(self.legacy_version)
    }
}

/// The first name of type `host_name` (RFC 6066, section 3).
fn server_name(mut content: Input<'_>) -> Option<&[u8]> {
    const HOST_NAME: u8 = 0;
    let mut list = Input(content.list()?);
    let kind = list.take(1)?;
    let name = list.list()?;
    (kind == [HOST_NAME] && (1..=MAX_SERVER_NAME).contains(&name.len())).then_some(name)
}

/// Values that clients put in at random, so that servers learn to ignore them (RFC 8701).
fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

fn numbers(octets: &[u8]) -> Vec<u16> {
    octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

/// Octets that were not read yet, in the encoding of TLS.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]))
    }

    /// Octets after their length, which is of two octets.
    fn list(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::from(length))
    }

    /// Octets after their length, which is of one octet.
    fn short_list(&mut self) -> Option<&'a [u8]> {
        let length = self.take(1)?[0];
        self.take(usize::from(length))
    }
}
