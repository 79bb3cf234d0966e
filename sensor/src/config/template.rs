//! What a provider signs, as text with names in braces.
//!
//! It must not know how the parts are found or hashed.

use std::fmt;
use std::str::FromStr;

use super::fields::text_form;

/// What is signed, in the order in which it is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(pub Vec<Part>);

/// A part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// This text.
    Text(String),
    /// The body, after its transfer coding and before any content coding is taken off.
    Body,
    /// The time of signing, as it was sent.
    Timestamp,
    /// The identifier.
    Id,
    /// The URL by which the provider reaches the endpoint, with its query.
    Url,
    /// The request's method.
    Method,
    /// What the provider calls the subscription, from the configuration.
    Subscription,
    /// The CRC-32 of the body, in decimal digits.
    BodyCrc32,
    /// Twilio's: the names and values of a form, sorted by name; nothing for other bodies, whose
    /// SHA-256 is in the URL.
    TwilioForm,
    /// Amazon SNS's: names and values of certain fields of the message, a line each.
    SnsFields,
    /// `HubSpot`'s: the URL, with some of its escapes decoded.
    HubspotUrl,
    /// The secret itself, where the algorithm takes no key.
    Secret,
}

const NAMES: [(&str, Part); 11] = [
    ("body", Part::Body),
    ("timestamp", Part::Timestamp),
    ("id", Part::Id),
    ("url", Part::Url),
    ("method", Part::Method),
    ("subscription", Part::Subscription),
    ("body_crc32", Part::BodyCrc32),
    ("twilio_form", Part::TwilioForm),
    ("sns_fields", Part::SnsFields),
    ("hubspot_url", Part::HubspotUrl),
    ("secret", Part::Secret),
];

impl Default for Template {
    /// The body alone, which most providers sign.
    fn default() -> Self {
        Self(vec![Part::Body])
    }
}

/// Why a text is no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateError;

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no template; between braces may stand")?;
        for (index, (name, _)) in NAMES.iter().enumerate() {
            write!(f, "{} {{{name}}}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(TemplateError)?;
            let (_, part) = NAMES.iter().find(|(known, _)| *known == name).ok_or(TemplateError)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(part.clone());
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match (part, NAMES.iter().find(|(_, known)| known == part)) {
                (Part::Text(text), _) => f.write_str(text)?,
                (_, Some((name, _))) => write!(f, "{{{name}}}")?,
                (_, None) => {}
            }
        }
        Ok(())
    }
}

text_form!(Template, "what is signed, as in \"{timestamp}.{body}\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |text: &str, expected: Option<Vec<Part>>| {
            let read = text.parse::<Template>();
            if let Ok(template) = &read {
                assert_eq!(template.to_string(), text);
            }
            assert_eq!(read.ok().map(|template| template.0), expected, "{text}");
        };
        let text = |text: &str| Part::Text(text.to_owned());
        check("{body}", Some(vec![Part::Body]));
        check(
            "v0:{timestamp}:{body}",
            Some(vec![text("v0:"), Part::Timestamp, text(":"), Part::Body]),
        );
        check("{id}.{body}\n", Some(vec![Part::Id, text("."), Part::Body, text("\n")]));
        check("{bodies}", None);
        check("{body", None);
    }
}
