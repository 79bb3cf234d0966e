//! Loads the programs and takes over what an earlier agent left pinned.
//!
//! It must not know how a program is put on an interface, nor what stands in any map.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::mem;

use anyhow::{Context as _, Result, bail, ensure};
use aya::maps::MapInfo;
use aya::programs::{SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use aya_log::EbpfLogger;
use hooksensor_ebpf::abi::{BanCount, Limits, Settings};
use ipnet::IpNet;

use super::attach::{self, Attachment, INGRESS_PROGRAM};
use super::bans::Entry;
use super::bpffs::PinDirectory;
use super::classifier::{EGRESS, Hook};
use super::journal::Journal;
use super::layout_directory;
use super::maps::{Maps, Totals};
use super::refusal::BanError;
use super::ring::{self, Ring};
use super::skips::Skips;
use super::sources::Source;
use super::{again, features, interfaces, renamed, runs};
use crate::config;

const HELLO_PROGRAM: &str = "hooksensor_hello";

/// The smallest packet the kernel runs a program on: an Ethernet header.
const SMALLEST_FRAME: [u8; 14] = [0; 14];

/// The loaded programs with their maps.
pub struct Kernel {
    /// What is taken back unless the start succeeds; before the pins are given to another agent.
    journal: Journal,
    pub(super) programs: Ebpf,
    maps: Maps,
    pins: PinDirectory,
    rings: Vec<Ring>,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
}

impl Kernel {
    /// Loads the programs, for so many shards, and opens or creates their pinned maps. Nothing is
    /// attached yet.
    ///
    /// # Errors
    ///
    /// When the kernel lacks what the programs need, another agent holds the pin path, or the
    /// kernel refuses a program; the message says which and what to do.
    pub fn load(settings: &config::Kernel, shards: u32) -> Result<Self> {
        features::require()?;
        let directory = PinDirectory::open(&settings.pin_path, &layout_directory())?;
        directory.refuse_others()?;
        let mut programs = EbpfLoader::new()
            .default_map_pin_directory(directory.layout())
            .override_global("SHARDS", &shards, true)
            .override_global("SEED", &seed(), true)
            .override_global("RING_BYTES", &u64::from(settings.ring_bytes), true)
            .map_max_entries("BANS_V4", settings.max_bans)
            .map_max_entries("BANS_V6", settings.max_bans)
            .map_max_entries("CIDR_BANS_V4", settings.max_cidr_bans)
            .map_max_entries("CIDR_BANS_V6", settings.max_cidr_bans)
            .map_max_entries("SOURCES", settings.max_sources)
            .map_max_entries("NEWCOMERS", settings.max_sources)
            .load(include_bytes_aligned!(concat!(env!("OUT_DIR"), "/hooksensor-ebpf")))
            .context("the kernel does not take the maps or the programs")?;
        let logger = match EbpfLogger::init(&mut programs) {
            Ok(logger) => Some(logger),
            Err(error) => {
                tracing::warn!(%error, "the kernel programs' log cannot be read");
                None
            }
        };
        for name in [INGRESS_PROGRAM, HELLO_PROGRAM] {
            let program = xdp(&mut programs, name)?;
            again::load(name, || program.load())?;
        }
        classifier(&mut programs, EGRESS)?;
        let rings = ring::make(&mut programs, shards, settings.ring_bytes)?;
        let mut maps = Maps::take(&mut programs, directory.layout())?;
        maps.recount_bans()?;
        let kernel =
            Self { journal: Journal::default(), programs, maps, pins: directory, rings, logger };
        kernel.warn_of_sizes(settings);
        Ok(kernel)
    }

    /// Attaches to every interface, replacing what an earlier agent left there. When one fails, or
    /// this is dropped before [`settle`](Self::settle), the programs are again those that were
    /// there before.
    ///
    /// # Errors
    ///
    /// When an interface does not exist, cannot be watched, or is taken by another program.
    pub fn attach(
        &mut self,
        interfaces: &[String],
        mode: config::XdpMode,
    ) -> Result<Vec<Attachment>> {
        for interface in interfaces {
            interfaces::check(interface)?;
        }
        self.hello()?;
        let attached: Result<_> =
            interfaces.iter().map(|interface| self.take_up(interface, mode)).collect();
        if attached.is_err() {
            self.journal.take_back();
        }
        attached
    }

    /// Attaches to one interface, for good: where only the egress program fails, bans hold.
    ///
    /// # Errors
    ///
    /// As [`attach`](Self::attach).
    pub fn attach_to(&mut self, interface: &str, mode: config::XdpMode) -> Result<Attachment> {
        let (pins, mut journal) = (self.pins.layout(), Journal::default());
        let attachment = attach::ingress(&mut self.programs, interface, mode, pins, &mut journal)?;
        journal.keep();
        attach::egress(&mut self.programs, interface, pins, &mut journal)?;
        journal.keep();
        Ok(attachment)
    }

    fn take_up(&mut self, interface: &str, mode: config::XdpMode) -> Result<Attachment> {
        let (pins, journal) = (self.pins.layout(), &mut self.journal);
        renamed::take_along(interface, pins, journal)?;
        let attachment = attach::ingress(&mut self.programs, interface, mode, pins, journal)?;
        attach::egress(&mut self.programs, interface, pins, journal)?;
        Ok(attachment)
    }

    /// Detaches from every interface but these.
    ///
    /// # Errors
    ///
    /// When a pin cannot be removed.
    pub fn detach_others(&mut self, interfaces: &[String]) -> Result<()> {
        let pins = self.pins.layout();
        for pinned in attach::pinned_interfaces(pins)? {
            if !interfaces.contains(&pinned) {
                attach::detach(&pinned, pins)?;
            }
        }
        Ok(())
    }

    /// The index of the interface of this name, if there is one.
    ///
    /// # Errors
    ///
    /// When the kernel cannot be asked.
    pub fn find(interface: &str) -> Result<Option<u32>> {
        interfaces::find(interface)
    }

    /// The name that an interface has now, while what is attached is still on it.
    #[must_use]
    pub fn name_now(&self, at: &Attachment) -> Option<String> {
        renamed::name_now(at, self.pins.layout())
    }

    /// Takes back what was attached since the last [`settle`](Self::settle).
    pub fn take_back(&mut self) {
        self.journal.take_back();
    }

    /// From now on programs and maps outlive this process; before, what was not there when it
    /// started is removed with it.
    pub fn settle(&mut self) {
        self.journal.keep();
        self.pins.keep();
    }

    /// Detaches from every interface and removes every map: nothing is left behind.
    ///
    /// # Errors
    ///
    /// When a pin cannot be removed.
    pub fn detach(&mut self) -> Result<()> {
        self.journal.keep();
        self.detach_others(&[])?;
        self.pins.remove()
    }

    /// The reading ends of the sample rings, one for each shard; they can be taken once.
    ///
    /// # Errors
    ///
    /// When they were taken before.
    pub fn take_rings(&mut self) -> Result<Vec<Ring>> {
        ensure!(!self.rings.is_empty(), "the rings were taken");
        Ok(mem::take(&mut self.rings))
    }

    /// What the kernel may leave out of samples.
    ///
    /// # Errors
    ///
    /// When there are no more file descriptors.
    pub fn skips(&self) -> Result<Skips> {
        Skips::of(&self.programs)
    }

    /// Makes `ports` the watched set, each with `limits`.
    ///
    /// # Errors
    ///
    /// When there are too many, or the kernel refuses.
    pub fn watch(&mut self, ports: &BTreeSet<u16>, limits: Limits) -> Result<()> {
        self.maps.watch(ports, limits)
    }

    /// The slot of each watched port.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to be read.
    pub fn slots(&self) -> Result<Vec<(u32, u16)>> {
        self.maps.slots()
    }

    /// Changes the settings in one write.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) -> Result<()> {
        self.maps.change_settings(change)
    }

    /// Makes `prefixes` the protected set.
    ///
    /// # Errors
    ///
    /// When they do not fit.
    pub fn protect(&mut self, prefixes: &[IpNet]) -> Result<()> {
        self.maps.protect(prefixes)
    }

    /// Copies up the connections of `prefixes` at any rate.
    ///
    /// # Errors
    ///
    /// When they do not fit.
    pub fn follow(&mut self, prefixes: &[IpNet]) -> Result<()> {
        self.maps.follow(prefixes)
    }

    /// Puts a ban in force.
    ///
    /// # Errors
    ///
    /// When the table is full, or the kernel refuses.
    pub fn ban(&mut self, entry: &Entry) -> Result<(), BanError> {
        self.maps.insert_ban(entry)
    }

    /// Puts many bans in force; what became of each, in their order.
    pub fn ban_all(&mut self, entries: &[Entry]) -> Vec<Result<(), BanError>> {
        self.maps.insert_bans(entries)
    }

    /// Every source the kernel knows, in no order.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to be read.
    pub fn sources(&self) -> Result<Vec<Source>> {
        self.maps.sources()
    }

    /// Lifts a ban; whether there was one.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn unban(&mut self, target: &IpNet) -> Result<bool> {
        self.maps.remove_ban(target)
    }

    /// What the ban on `target` has met, if there is one that has a counter of its own.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to be read.
    pub fn ban_count(&self, target: &IpNet) -> Result<Option<BanCount>> {
        self.maps.ban_count(target)
    }

    /// Every ban in the kernel, in no order.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to be read.
    pub fn bans(&self) -> Result<Vec<Entry>> {
        self.maps.bans()
    }

    /// The counters, summed over CPUs.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to be read.
    pub fn totals(&self) -> Result<Totals> {
        self.maps.totals()
    }

    /// Passes on what the kernel programs have logged.
    pub fn flush_log(&mut self) {
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
    }

    /// Runs the program that says hello: it proves that this kernel runs what it loaded.
    fn hello(&mut self) -> Result<()> {
        runs::run(xdp(&mut self.programs, HELLO_PROGRAM)?, &SMALLEST_FRAME, 1)?;
        self.flush_log();
        Ok(())
    }

    /// A pinned map keeps the size it was created with, whatever is configured now.
    fn warn_of_sizes(&self, settings: &config::Kernel) {
        let wanted = [
            ("BANS_V4", settings.max_bans),
            ("BANS_V6", settings.max_bans),
            ("CIDR_BANS_V4", settings.max_cidr_bans),
            ("CIDR_BANS_V6", settings.max_cidr_bans),
            ("SOURCES", settings.max_sources),
            ("NEWCOMERS", settings.max_sources),
        ];
        for (name, wanted) in wanted {
            let pin = self.pins.layout().join(name);
            let Ok(info) = MapInfo::from_pin(&pin) else { continue };
            if info.max_entries() != wanted {
                tracing::warn!(
                    map = name,
                    entries = info.max_entries(),
                    configured = wanted,
                    "a map kept from before the restart has another size than configured; stop \
                     the agent and run `hooksensor detach` once to let it be made anew"
                );
            }
        }
    }
}

/// A number that nobody can guess: the standard library keys its hashes with what the kernel gives
/// it at random.
fn seed() -> u64 {
    RandomState::new().hash_one(())
}

pub(super) fn xdp<'a>(programs: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let Some(program) = programs.program_mut(name) else {
        bail!("there is no kernel program {name}");
    };
    Ok(program.try_into()?)
}

/// A classifier, loaded when it is first wanted.
pub(super) fn classifier(programs: &mut Ebpf, hook: Hook) -> Result<&mut SchedClassifier> {
    let name = hook.program;
    let Some(program) = programs.program_mut(name) else {
        bail!("there is no kernel program {name}");
    };
    let program: &mut SchedClassifier = program.try_into()?;
    if program.fd().is_err() {
        again::load(name, || program.load())?;
    }
    Ok(program)
}
