//! What checks of a payload come to: its faults, or why it was not judged.
//!
//! It must not know how faults are found. None of its words holds a value of the payload.

use std::fmt;

use super::coding::Coding;
use super::document::Malformed;
use super::schema::Mismatch;
use super::shape::Drift;
use crate::webhook::NoContent;

/// What is known of a payload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload {
    /// What is wrong with it, the first ones.
    pub faults: Vec<Fault>,
    /// Why some or all of it was not judged.
    pub unjudged: Option<Unjudged>,
    /// What its schema says; `None` when there is none, or it could not be held against it.
    pub schema: Option<Result<(), Mismatch>>,
}

/// Something wrong with a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be unpacked.
    Undecodable(Coding),
    /// It grows beyond any use when it is unpacked.
    Bomb(Coding),
    /// It is declared JSON, and is none.
    NotJson(Malformed),
    /// It is declared a form, and is JSON.
    JsonForForm,
    /// It is declared a form, and has octets that none has, from this one on.
    NotForm(usize),
    /// It is declared text, and has octets that text has not, from this one on.
    Binary(usize),
    /// A member that stands twice in one object.
    Repeated(String),
    /// It fails its schema.
    Schema(Mismatch),
    /// It differs from others of its kind.
    Shape(Drift),
    /// A string that is meant for something else.
    Injection {
        /// What it is a sign of.
        rule: &'static str,
        /// Where it stands.
        pointer: String,
    },
}

/// Why a payload was not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unjudged {
    /// Its body is not there, or not whole.
    Body(NoContent),
    /// There is none.
    Empty,
    /// It is packed in a way that is not known here.
    Coding,
    /// It is larger than is looked at.
    TooLarge,
    /// It is JSON with a number or a character that no two readers need to read alike.
    Unpredictable,
    /// Its type promises nothing that is checked.
    MediaType,
    /// Its characters are coded in a way that is not known here.
    Charset,
    /// Its endpoint has secrets, and none of them made its signature.
    NotGenuine,
    /// Its schema was not needed yet, and neither a signature nor the application vouches for it.
    NotVouched,
    /// Too much else was to be checked in the same second: octets that nobody vouches for, or
    /// schemas of other events.
    Busy,
}

impl Payload {
    /// One of which nothing can be said.
    #[must_use]
    pub fn unjudged(why: Unjudged) -> Self {
        Self { unjudged: Some(why), ..Self::default() }
    }

    /// The word that stands in records.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if !self.faults.is_empty() {
            "unsound"
        } else if self.unjudged.is_some() {
            "unjudged"
        } else {
            "sound"
        }
    }

    /// The first fault, or else why it was not judged, in words.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let unjudged = || self.unjudged.map(|why| why.sentence().to_owned());
        self.faults.first().map(ToString::to_string).or_else(unjudged)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecodable(coding) => {
                write!(f, "it is declared {}, and cannot be unpacked", coding.name())
            }
            Self::Bomb(coding) => {
                write!(f, "it grows out of all proportion when {} is unpacked", coding.name())
            }
            Self::NotJson(why) => write!(f, "it is declared JSON, and is none: {why}"),
            Self::JsonForForm => f.write_str("it is declared a form, and is JSON"),
            Self::NotForm(at) => {
                write!(f, "it is declared a form, and octet {at} can be in none")
            }
            Self::Binary(at) => write!(f, "it is declared text, and octet {at} is of none"),
            Self::Repeated(pointer) => write!(f, "{pointer} stands twice in one object"),
            Self::Schema(mismatch) => write!(f, "{mismatch}"),
            Self::Shape(drift) => write!(f, "{drift}"),
            Self::Injection { rule, pointer } => write!(f, "{pointer} has a sign of {rule}"),
        }
    }
}

impl Unjudged {
    /// The reason in words.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Body(NoContent::CutHead) => "nothing of its body was seen",
            Self::Body(NoContent::NotKept) => "its body was not kept",
            Self::Body(NoContent::Cut) => "its body was cut",
            Self::Body(NoContent::NoMemory) => "no memory was left for its body",
            Self::Body(NoContent::Gap) => "its body has a gap",
            Self::Body(NoContent::Sampled) => "its connection was not copied whole",
            Self::Body(NoContent::Disputed) => "segments of it contradict each other",
            Self::Empty => "it has no body",
            Self::Coding => "its content coding is not known here",
            Self::TooLarge => "it is larger than is looked at",
            Self::Unpredictable => "it has a number or a character that readers do not agree on",
            Self::MediaType => "its media type promises nothing that is checked",
            Self::Charset => "its charset is not known here",
            Self::NotGenuine => "it has no valid signature",
            Self::NotVouched => "no event like it was signed or accepted yet",
            Self::Busy => "too much else was to be checked in the same second",
        }
    }
}
