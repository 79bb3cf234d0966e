//! How single values stand in the file, each refusal naming the fix; and their JSON Schema.
//!
//! It must not know which setting a value belongs to.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::net::canonical;

/// A TCP port that can be listened on.
#[derive(PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(inline)]
pub(super) struct Port(#[schemars(range(min = 1, max = 65_535))] u16);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(PortVisitor)
    }
}

// Here and below a value is refused within a visitor, and not after it, because only then does the
// error carry the place of the value, which may be one of many in an array.
struct PortVisitor;

impl Visitor<'_> for PortVisitor {
    type Value = Port;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a TCP port, 1 to 65535")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Port, E> {
        u16::try_from(number).ok().filter(|port| *port != 0).map(Port).ok_or_else(|| {
            E::custom(format_args!("{number} is out of range; a TCP port is 1 to 65535"))
        })
    }
}

pub(super) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    Port::deserialize(deserializer).map(|port| port.0)
}

pub(super) fn ports<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<u16>, D::Error> {
    let ports = Vec::<Port>::deserialize(deserializer)?;
    Ok(ports.into_iter().map(|port| port.0).collect())
}

/// An address, or a network in CIDR notation.
#[derive(JsonSchema)]
#[schemars(inline)]
pub(super) struct NetworkText(#[schemars(with = "String")] IpNet);

impl<'de> Deserialize<'de> for NetworkText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NetworkVisitor)
    }
}

struct NetworkVisitor;

impl Visitor<'_> for NetworkVisitor {
    type Value = NetworkText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address or a network, as in \"192.0.2.7\" or \"2001:db8::/32\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<NetworkText, E> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network: IpNet| NetworkText(network.trunc())).map_err(|_| {
            E::custom(format_args!(
                "{text:?} is neither an address nor a network; write \"192.0.2.7\" or \
                 \"2001:db8::/32\""
            ))
        })
    }
}

pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let networks = Vec::<NetworkText>::deserialize(deserializer)?;
    Ok(networks.into_iter().map(|network| canonical(network.0)).collect())
}

pub(super) fn socket_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<SocketAddr, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        de::Error::custom(format_args!(
            "{text:?} is not an address with a port; write \"127.0.0.1:10477\" or \"[::1]:10477\""
        ))
    })
}

/// The schema of a duration.
pub(super) struct DurationText;

impl JsonSchema for DurationText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9]+(ms|[smhd]))+$" })
    }
}

/// Durations as text.
pub(super) mod duration {
    use std::fmt;
    use std::time::Duration;

    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    use crate::config::units::{format_duration, parse_duration};

    pub(in crate::config) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_duration(*duration))
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        deserializer.deserialize_str(DurationVisitor)
    }

    struct DurationVisitor;

    impl Visitor<'_> for DurationVisitor {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration, as in \"5s\", \"30m\", \"4h\" or \"7d\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            parse_duration(text).map_err(|error| E::custom(format_args!("{text:?} is {error}")))
        }
    }
}

/// The schema of a size.
pub(super) struct SizeText;

impl JsonSchema for SizeText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)?$" },
            ],
        })
    }
}

/// Sizes as an integer or as text with a unit.
pub(super) mod size {
    use std::fmt;

    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::{Error as _, Serializer};

    use crate::config::units::{format_size, parse_size};

    pub(in crate::config) fn serialize<T, S>(octets: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Copy + TryInto<u64>,
        S: Serializer,
    {
        let octets = (*octets).try_into().map_err(|_| S::Error::custom("more than 64 bits"))?;
        // Below the first unit a bare number reads better than one with a B.
        if octets.is_multiple_of(1024) {
            serializer.serialize_str(&format_size(octets))
        } else {
            serializer.serialize_u64(octets)
        }
    }

    pub(in crate::config) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: TryFrom<u64>,
        D: Deserializer<'de>,
    {
        let octets = deserializer.deserialize_any(SizeVisitor)?;
        T::try_from(octets).map_err(|_| D::Error::custom(format_args!("{octets} is too large")))
    }

    struct SizeVisitor;

    impl Visitor<'_> for SizeVisitor {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a size: octets, or a number with a unit, as in \"64KiB\" or \"8MiB\"")
        }

        fn visit_i64<E: Error>(self, octets: i64) -> Result<u64, E> {
            u64::try_from(octets).map_err(|_| E::custom(format_args!("{octets} is negative")))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            parse_size(text).map_err(|error| E::custom(format_args!("{text:?} is {error}")))
        }
    }
}

/// Makes a type stand in the file as its text. The refusal adds to the type's error no more than
/// what was expected, because the text may be a secret in the wrong place.
macro_rules! text_form {
    ($type:ty, $expecting:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct TextVisitor;

                impl serde::de::Visitor<'_> for TextVisitor {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(|error| E::custom(format_args!("this is {error}")))
                    }
                }

                deserializer.deserialize_str(TextVisitor)
            }
        }
    };
}

pub(super) use text_form;
