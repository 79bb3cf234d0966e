//! What the ingress program would get on an interface, without attaching anything.
//!
//! It must not change the interface, not even for a moment: drivers restart their rings when a
//! program comes or goes.

use anyhow::{Context as _, Result, bail};
use aya::programs::loaded_programs;
use nix::sys::socket::SockProtocol;

use super::attach::{self, Mode, accepts};
use super::interfaces::{self, index_of};
use super::large_receive;
use super::netlink::{self, GENERIC_HEADER, ask, attribute, find, number};
use super::seated::{INTERFACE_HEADER, describe, xdp_program};
use super::xdp::TOO_FEW_QUEUES;
use crate::config::XdpMode;

/// What the ingress program would get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prospect {
    /// Where it would run.
    pub mode: Mode,
    /// Why not in a better place.
    pub why: Option<String>,
}

/// What the kernel says of an interface.
#[derive(Debug, Default)]
struct Facts {
    mtu: u32,
    loopback: bool,
    /// What kind of virtual device it is, where it is one: `veth`, `vlan`, `bond` and so on.
    kind: Option<String>,
    /// The identifier of the XDP program it has.
    program: Option<u32>,
    /// What its driver can do with XDP (`NETDEV_XDP_ACT_*`, Linux 6.3), where the kernel says so.
    features: Option<u64>,
    /// Whether its driver puts several packets together before anybody sees them (LRO).
    large_receive: bool,
}

// From if_link.h and rtnetlink.h.
const IFLA_MTU: u16 = 4;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;

// From netdev.h.
const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
const NETDEV_XDP_ACT_BASIC: u64 = 1;
const NETDEV_XDP_ACT_RX_SG: u64 = 1 << 5;

/// Virtual devices that give packets to XDP programs themselves, with the kernel's names for them:
/// every other kind leaves that to the device below, or to nobody.
const WITH_HOOK: [&str; 3] = ["bond", "tun", "veth"];

/// The flag of the loopback interface (if.h), which has no driver to hook into.
const IFF_LOOPBACK: u32 = 1 << 3;

/// The longest packets that drivers take in one buffer, which is a page with room for headers and
/// bookkeeping: 3498 octets (virtio, ixgbe) to 3520 (veth).
const ONE_BUFFER: u32 = 3498;

/// What the ingress program would get on `interface`, where `wanted` is configured.
///
/// # Errors
///
/// When there is no such interface, or nothing that is wanted can be had there.
pub fn prospect(interface: &str, wanted: XdpMode) -> Result<Prospect> {
    interfaces::check(interface)?;
    let facts = Facts::of(index_of(interface)?)
        .with_context(|| format!("the kernel says nothing of {interface}"))?;
    facts.prospect(wanted)
}

impl Facts {
    fn of(index: u32) -> Result<Self> {
        let answer = describe(index)?;
        let attributes = answer.get(INTERFACE_HEADER..).unwrap_or_default();
        let kind = find(attributes, IFLA_LINKINFO).and_then(|info| find(info, IFLA_INFO_KIND));
        let flags = answer.get(8..12).and_then(number).unwrap_or_default();
        Ok(Self {
            loopback: flags & IFF_LOOPBACK != 0,
            mtu: find(attributes, IFLA_MTU).and_then(number).unwrap_or_default(),
            kind: kind.map(|kind| String::from_utf8_lossy(kind).trim_end_matches('\0').to_owned()),
            program: xdp_program(attributes),
            features: features(index),
            large_receive: large_receive::is_on(index).unwrap_or_default(),
        })
    }

    fn prospect(&self, wanted: XdpMode) -> Result<Prospect> {
        let mut why = None;
        for mode in Mode::ALL.into_iter().filter(|mode| accepts(wanted, *mode)) {
            match self.against(mode) {
                None => return Ok(Prospect { mode, why }),
                Some(reason) => why = why.or(Some(reason)),
            }
        }
        bail!("{}; set kernel.xdp_mode = \"auto\" to take what there is", why.unwrap_or_default())
    }

    /// What stands against a place.
    fn against(&self, mode: Mode) -> Option<String> {
        match mode {
            Mode::Native => self.taken().or_else(|| self.no_native()),
            Mode::Generic => self.taken(),
            Mode::Stack => None,
        }
    }

    fn taken(&self) -> Option<String> {
        let id = self.program?;
        let name = program_name(id).unwrap_or_else(|| String::from("of unknown name"));
        // An agent that is killed leaves its program, and the next one takes it over.
        let ours = is_ingress(&name);
        (!ours).then(|| format!("the XDP program {name} (id {id}) has the interface"))
    }

    fn no_native(&self) -> Option<String> {
        self.no_hook().or_else(|| {
            let why = "large receive offload (LRO) is on, and drivers take no XDP program with it; \
                       `ethtool -K DEV lro off` switches it off";
            self.large_receive.then(|| why.to_owned())
        })
    }

    fn no_hook(&self) -> Option<String> {
        let device = self.kind.as_ref().map_or_else(
            || String::from("its driver"),
            |kind| format!("the driver of {kind} devices"),
        );
        let Some(features) = self.features else { return self.unsaid(&device) };
        if features & NETDEV_XDP_ACT_BASIC == 0 && self.kind.as_deref() == Some("veth") {
            Some(format!("it {TOO_FEW_QUEUES}"))
        } else if features & NETDEV_XDP_ACT_BASIC == 0 {
            Some(format!("{device} has no XDP hook"))
        } else if features & NETDEV_XDP_ACT_RX_SG == 0 && self.mtu > ONE_BUFFER {
            Some(format!(
                "{device} gives XDP no packets of several buffers, and an MTU of {} needs them; \
                 an MTU of {ONE_BUFFER} would not",
                self.mtu
            ))
        } else {
            None
        }
    }

    /// What a kernel that does not say what drivers can do (before Linux 6.3) leaves to know: a
    /// network card may have the hook, and nearly all do.
    fn unsaid(&self, device: &str) -> Option<String> {
        let virtual_without = |kind: &String| !WITH_HOOK.contains(&kind.as_str());
        let without = self.loopback || self.kind.as_ref().is_some_and(virtual_without);
        without.then(|| format!("{device} has no XDP hook"))
    }
}

/// What the driver can do with XDP, where the kernel has the netlink family that says so.
fn features(index: u32) -> Option<u64> {
    let family = netlink::family(c"netdev")?;
    let mut request = vec![NETDEV_CMD_DEV_GET, 1, 0, 0];
    request.extend(attribute(NETDEV_A_DEV_IFINDEX, &index.to_ne_bytes()));
    let answer = ask(SockProtocol::NetlinkGeneric, family, &request).ok()?;
    let features = find(answer.get(GENERIC_HEADER..)?, NETDEV_A_DEV_XDP_FEATURES)?;
    Some(u64::from_ne_bytes(features.try_into().ok()?))
}

/// The name of a loaded program; the kernel keeps fifteen octets of it.
fn program_name(id: u32) -> Option<String> {
    let program = loaded_programs().flatten().find(|program| program.id() == id)?;
    program.name_as_str().map(str::to_owned)
}

/// Whether a program has the name of ours, of which the kernel keeps 15 octets
/// (`BPF_OBJ_NAME_LEN`).
fn is_ingress(name: &str) -> bool {
    const KEPT: usize = 15;
    name == &attach::INGRESS_PROGRAM[..attach::INGRESS_PROGRAM.len().min(KEPT)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(facts: &Facts, wanted: XdpMode, expected: Result<(Mode, Option<&str>), &str>) {
        match (facts.prospect(wanted), expected) {
            (Ok(found), Ok((mode, why))) => {
                assert_eq!(found.mode, mode, "{facts:?}");
                assert_eq!(found.why.is_some(), why.is_some(), "{found:?}");
                assert!(found.why.unwrap_or_default().contains(why.unwrap_or_default()));
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn the_best_place_that_nothing_stands_against() {
        let with = |features| Facts { mtu: 1500, features, ..Facts::default() };
        check(&with(Some(0x21)), XdpMode::Auto, Ok((Mode::Native, None)));
        check(&with(None), XdpMode::Auto, Ok((Mode::Native, None)));
        check(&with(Some(0)), XdpMode::Auto, Ok((Mode::Generic, Some("no XDP hook"))));
        check(&with(Some(0)), XdpMode::Native, Err("no XDP hook"));
        check(&with(Some(0)), XdpMode::Tc, Ok((Mode::Stack, None)));
        let kind = |kind: &str| Facts { kind: Some(kind.to_owned()), ..with(None) };
        check(&kind("veth"), XdpMode::Auto, Ok((Mode::Native, None)));
        let uneven = Facts { features: Some(0), ..kind("veth") };
        check(&uneven, XdpMode::Auto, Ok((Mode::Generic, Some("fewer receive queues"))));
        check(&kind("vlan"), XdpMode::Auto, Ok((Mode::Generic, Some("vlan devices has no XDP"))));
        check(&kind("dummy"), XdpMode::Native, Err("has no XDP hook"));
        let loopback = Facts { loopback: true, ..with(None) };
        check(&loopback, XdpMode::Auto, Ok((Mode::Generic, Some("no XDP hook"))));
        let jumbo = |features| Facts { mtu: 9000, ..with(features) };
        check(&jumbo(Some(0x1)), XdpMode::Auto, Ok((Mode::Generic, Some("MTU of 9000"))));
        check(&jumbo(Some(0x21)), XdpMode::Auto, Ok((Mode::Native, None)));
        let large = |features| Facts { large_receive: true, ..with(features) };
        check(&large(Some(0x21)), XdpMode::Auto, Ok((Mode::Generic, Some("lro off"))));
        check(&large(Some(0x21)), XdpMode::Native, Err("lro off"));
        check(&large(Some(0)), XdpMode::Auto, Ok((Mode::Generic, Some("no XDP hook"))));
        check(&large(Some(0x21)), XdpMode::Tc, Ok((Mode::Stack, None)));
        let taken = || Facts { program: Some(u32::MAX), ..with(Some(0x21)) };
        check(&taken(), XdpMode::Auto, Ok((Mode::Stack, Some("has the interface"))));
        check(&taken(), XdpMode::Generic, Err("has the interface"));
    }
}
