//! Loads the programs and takes over what an earlier agent left pinned.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, anyhow, bail};
use aya::maps::{MapInfo, RingBuf};
use aya::programs::{SchedClassifier, TestRun, TestRunOptions, TestRunResult, Xdp};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use aya_log::EbpfLogger;
use hooksensor_ebpf::abi::{Limit, Settings};
use ipnet::IpNet;

use super::attach::{self, Attachment, EGRESS_PROGRAM};
use super::bans::{BanError, Entry};
use super::bpffs::PinDirectory;
use super::layout_directory;
use super::maps::{Maps, Totals};
use super::ring::Ring;
use crate::config;

const INGRESS_PROGRAM: &str = "hooksensor_ingress";
const HELLO_PROGRAM: &str = "hooksensor_hello";

/// The smallest packet the kernel runs a program on: an Ethernet header.
const SMALLEST_FRAME: [u8; 14] = [0; 14];

/// The loaded programs with their maps.
pub struct Kernel {
    programs: Ebpf,
    maps: Maps,
    pins: PinDirectory,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
}

impl Kernel {
    /// Loads the programs and opens or creates their pinned maps. Nothing is attached yet.
    ///
    /// # Errors
    ///
    /// When another agent holds the pin path, or the kernel refuses a
    /// program; the message says which and what to do.
    pub fn load(settings: &config::Kernel) -> Result<Self> {
        let directory = PinDirectory::open(&settings.pin_path)?;
        let pins = directory.path().join(layout_directory());
        fs::create_dir_all(&pins).with_context(|| format!("cannot create {}", pins.display()))?;
        let mut programs = EbpfLoader::new()
            .default_map_pin_directory(&pins)
            .map_max_entries("RING", settings.ring_bytes)
            .map_max_entries("BANS_V4", settings.max_bans)
            .map_max_entries("BANS_V6", settings.max_bans)
            .map_max_entries("CIDR_BANS_V4", settings.max_cidr_bans)
            .map_max_entries("CIDR_BANS_V6", settings.max_cidr_bans)
            .map_max_entries("SOURCES", settings.max_sources)
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
            xdp(&mut programs, name)?
                .load()
                .with_context(|| format!("the kernel does not accept program {name}"))?;
        }
        classifier(&mut programs)?
            .load()
            .with_context(|| format!("the kernel does not accept program {EGRESS_PROGRAM}"))?;
        let mut maps = Maps::take(&mut programs)?;
        maps.recount_bans()?;
        let kernel = Self { programs, maps, pins: directory, logger };
        kernel.warn_of_sizes(settings);
        Ok(kernel)
    }

    /// Attaches to every interface, replacing what an earlier agent left there, and lets go of
    /// interfaces that are no longer named.
    ///
    /// # Errors
    ///
    /// When an interface does not exist or is taken by another program.
    pub fn attach(
        &mut self,
        interfaces: &[String],
        mode: config::XdpMode,
    ) -> Result<Vec<Attachment>> {
        let pins = self.pins.path().join(layout_directory());
        for interface in interfaces {
            attach::index_of(interface)?;
        }
        self.hello()?;
        for old in attach::pinned_interfaces(&pins)? {
            if !interfaces.contains(&old) {
                attach::detach(&old, &pins)?;
            }
        }
        let mut attachments = Vec::new();
        for interface in interfaces {
            let program = xdp(&mut self.programs, INGRESS_PROGRAM)?;
            attachments.push(attach::ingress(program, interface, mode, &pins)?);
            attach::egress(classifier(&mut self.programs)?, interface, &pins)?;
        }
        Ok(attachments)
    }

    /// Whether an earlier agent left programs attached.
    ///
    /// # Errors
    ///
    /// When the pins cannot be listed.
    pub fn is_attached(&self) -> Result<bool> {
        let pins = self.pins.path().join(layout_directory());
        Ok(!attach::pinned_interfaces(&pins)?.is_empty())
    }

    /// Detaches from every interface and removes every map: nothing is left behind.
    ///
    /// # Errors
    ///
    /// When a pin cannot be removed.
    pub fn detach(&mut self) -> Result<()> {
        let pins = self.pins.path().join(layout_directory());
        for interface in attach::pinned_interfaces(&pins)? {
            attach::detach(&interface, &pins)?;
        }
        self.pins.remove(&layout_directory())
    }

    /// The reading end of the sample ring; it can be taken once.
    ///
    /// # Errors
    ///
    /// When it was taken before.
    pub fn take_ring(&mut self) -> Result<Ring> {
        let map = self.programs.take_map("RING").ok_or_else(|| anyhow!("the ring was taken"))?;
        Ok(Ring::new(RingBuf::try_from(map)?))
    }

    /// Makes `ports` the watched set, each with `limit`.
    ///
    /// # Errors
    ///
    /// When there are too many, or the kernel refuses.
    pub fn watch(&mut self, ports: &BTreeSet<u16>, limit: Limit) -> Result<()> {
        self.maps.watch(ports, limit)
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

    /// Puts a ban in force.
    ///
    /// # Errors
    ///
    /// When the table is full, or the kernel refuses.
    pub fn ban(&mut self, entry: &Entry) -> Result<(), BanError> {
        self.maps.insert_ban(entry)
    }

    /// Lifts a ban; whether there was one.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn unban(&mut self, target: &IpNet) -> Result<bool> {
        self.maps.remove_ban(target)
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

    /// Runs the ingress program once on a frame, attached or not, and gives its XDP action.
    ///
    /// # Errors
    ///
    /// When the kernel cannot run it.
    pub fn run_ingress(&mut self, frame: &[u8]) -> Result<u32> {
        run(xdp(&mut self.programs, INGRESS_PROGRAM)?, frame)
    }

    /// Runs the egress program once on a frame, attached or not, and gives its action.
    ///
    /// # Errors
    ///
    /// When the kernel cannot run it.
    pub fn run_egress(&mut self, frame: &[u8]) -> Result<u32> {
        run(classifier(&mut self.programs)?, frame)
    }

    /// Passes on what the kernel programs have logged.
    pub fn flush_log(&mut self) {
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
    }

    /// Runs the program that says hello: it proves that this kernel runs what it loaded.
    fn hello(&mut self) -> Result<()> {
        run(xdp(&mut self.programs, HELLO_PROGRAM)?, &SMALLEST_FRAME)?;
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
        ];
        for (name, wanted) in wanted {
            let pin = self.pins.path().join(layout_directory()).join(name);
            let Ok(info) = MapInfo::from_pin(&pin) else { continue };
            if info.max_entries() != wanted {
                tracing::warn!(
                    map = name,
                    entries = info.max_entries(),
                    configured = wanted,
                    "a map kept from before the restart has another size than configured; stop \
                     the agent with kernel.stay_attached = false once to let it be made anew"
                );
            }
        }
    }
}

fn run<P>(program: &P, frame: &[u8]) -> Result<u32>
where
    P: for<'a> TestRun<Opts<'a> = TestRunOptions<'a>, Result = TestRunResult>,
{
    let options = TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() };
    let result =
        program.test_run(options).context("the kernel loaded the programs and cannot run them")?;
    Ok(result.return_value)
}

fn xdp<'a>(programs: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let Some(program) = programs.program_mut(name) else {
        bail!("there is no kernel program {name}");
    };
    Ok(program.try_into()?)
}

fn classifier(programs: &mut Ebpf) -> Result<&mut SchedClassifier> {
    let Some(program) = programs.program_mut(EGRESS_PROGRAM) else {
        bail!("there is no kernel program {EGRESS_PROGRAM}");
    };
    Ok(program.try_into()?)
}
