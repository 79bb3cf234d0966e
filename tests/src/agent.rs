//! Runs the agent as an operator would: a configuration file, its verbs, its files, its signals.
//!
//! It must not know anything the agent does not show.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::metrics::Metrics;
use crate::namespace::Namespace;
use crate::{eventually, patient};

/// Loading the programs takes the verifier most of a second on a busy machine, and compiling all of
/// GitHub's schemas half a minute where the agent is not optimised and is held up again and again.
const START: Duration = Duration::from_secs(180);

/// The agent drains what it has read before it ends.
const STOP: Duration = Duration::from_secs(30);

/// Waiting for an HTTP endpoint on loopback, on a machine that may be held up meanwhile.
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);

/// Where `/metrics` is unless configured otherwise.
const METRICS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 10_477);

// The files in an agent's folder.
const CONFIG: &str = "hooksensor.toml";
const LOG: &str = "agent.log";
const RECORDS: &str = "deliveries.jsonl";
const SOCKET: &str = "control.sock";
const STATE: &str = "state";

/// As many [`Settings::shards`] as an agent has that is not told.
pub const AS_BY_DEFAULT: u32 = 0;

/// What a test or the demo sets; everything else keeps the agent's default.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether to drop or only to count.
    pub enforce: bool,
    /// Interfaces to watch.
    pub interfaces: Vec<String>,
    /// Ports to watch.
    pub ports: Vec<u16>,
    /// Packets a second and burst of a source, when not the default.
    pub limit: Option<(u64, u64)>,
    /// Keys of the table `ban`, as TOML.
    pub ban: String,
    /// Shards of the agent. Tests have two, so that what is true of one is not all that is tested.
    pub shards: u32,
    /// Whether the programs outlive the agent.
    pub stay_attached: bool,
    /// Endpoints and providers, and other tables of the configuration, as TOML.
    pub tables: String,
}

/// An agent in a namespace, running or not. Dropping it kills the agent.
#[derive(Debug)]
pub struct Agent<'a> {
    binary: PathBuf,
    namespace: &'a Namespace,
    folder: PathBuf,
    child: Option<Child>,
}

impl Settings {
    /// Watching `port` on `interfaces`, in simulation.
    #[must_use]
    pub fn new(interfaces: Vec<String>, port: u16) -> Self {
        Self {
            enforce: false,
            interfaces,
            ports: vec![port],
            limit: None,
            ban: String::new(),
            shards: 2,
            stay_attached: false,
            tables: String::new(),
        }
    }

    fn to_toml(&self, folder: &Path, pins: &Path) -> String {
        let limit = self.limit.map_or(String::new(), |(rate, burst)| {
            format!("[limit]\npackets_per_second = {rate}\nburst = {burst}\n")
        });
        format!(
            "enforce = {}\ninterfaces = {:?}\nports = {:?}\nstate_dir = {:?}\n{limit}[kernel]\n\
             shards = {}\npin_path = {pins:?}\nstay_attached = {}\n[ban]\n{}\n[output.file]\npath = {:?}\n\
             [control]\nsocket = {:?}\n{}",
            self.enforce,
            self.interfaces,
            self.ports,
            folder.join(STATE),
            self.shards,
            self.stay_attached,
            self.ban,
            folder.join(RECORDS),
            folder.join(SOCKET),
            self.tables,
        )
    }
}

impl<'a> Agent<'a> {
    /// Writes the configuration, starts `binary` and waits until it is ready.
    ///
    /// # Errors
    /// When it ends or is not ready in time, with what it logged.
    pub fn start(binary: &Path, namespace: &'a Namespace, settings: &Settings) -> Result<Self> {
        let mut agent = Self::prepare(binary, namespace, settings)?;
        agent.resume()?;
        Ok(agent)
    }

    /// As [`Agent::start`], without starting it.
    ///
    /// # Errors
    /// When the configuration cannot be written.
    pub fn prepare(binary: &Path, namespace: &'a Namespace, settings: &Settings) -> Result<Self> {
        let folder = namespace.folder().join("agent");
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let agent = Self { binary: binary.to_path_buf(), namespace, folder, child: None };
        agent.configure(settings)?;
        Ok(agent)
    }

    /// Replaces the configuration file. The agent reads it at its start and on `reload`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn configure(&self, settings: &Settings) -> Result<()> {
        let text = settings.to_toml(&self.folder, &self.namespace.pin_path());
        fs::write(self.config(), text).context("cannot write the agent's configuration")
    }

    /// Starts the agent, again after a kill, and waits until it is ready.
    ///
    /// # Errors
    /// When it ends or is not ready in time, with what it logged.
    pub fn resume(&mut self) -> Result<()> {
        self.launch()?;
        self.wait_until_ready()
    }

    /// Starts the agent without waiting for it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(&mut self) -> Result<()> {
        self.launch_into(Stdio::null())
    }

    /// As [`Agent::launch`], with a standard output.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch_into(&mut self, stdout: impl Into<Stdio>) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.folder.join(LOG));
        let mut run = Command::new(&self.binary);
        run.arg("run").arg("--config").arg(self.config());
        run.stdin(Stdio::null()).stdout(stdout).stderr(log.context("cannot log")?);
        self.child = Some(self.namespace.spawn(&mut run)?);
        Ok(())
    }

    /// Waits until an agent that was started is ready.
    ///
    /// # Errors
    /// When it ends or is not ready in time, with what it logged.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let ready = eventually(START, "the agent is ready", || {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            match ended {
                Some(status) => Some(Err(status)),
                None => self.get("/healthz").ok().map(|_| Ok(())),
            }
        });
        match ready {
            Ok(Ok(())) => Ok(()),
            Ok(Err(status)) => bail!("the agent ended, {status}:\n{}", self.log()),
            Err(error) => Err(error.context(self.log())),
        }
    }

    /// Runs a verb against this agent's socket, for example `["ban", "192.0.2.1"]`.
    ///
    /// # Errors
    /// When the binary cannot be started. A verb that fails says so in the output.
    pub fn verb(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(&self.binary);
        command.arg("--socket").arg(self.folder.join(SOCKET)).args(arguments);
        self.namespace.output(&mut command)
    }

    /// Runs a verb that must end with code 0, and returns what it printed.
    ///
    /// # Errors
    /// When it does not.
    pub fn done(&self, arguments: &[&str]) -> Result<String> {
        let output = self.verb(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {}: {}", output.status, said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What `status` says.
    ///
    /// # Errors
    /// When the agent does not answer with JSON.
    pub fn status(&self) -> Result<Value> {
        serde_json::from_str(&self.done(&["status", "-o", "json"])?).context("status is not JSON")
    }

    /// The records written so far.
    ///
    /// # Errors
    /// When a complete line is not JSON.
    pub fn records(&self) -> Result<Vec<Value>> {
        // The file is made with the first record.
        let text = fs::read_to_string(self.folder.join(RECORDS)).unwrap_or_default();
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let records = complete.lines().map(serde_json::from_str);
        records.collect::<Result<_, _>>().context("a record is not JSON")
    }

    /// The records of one dataset, `delivery`, `finding` or `decision`.
    ///
    /// # Errors
    /// As [`Agent::records`].
    pub fn dataset(&self, name: &str) -> Result<Vec<Value>> {
        let dataset = format!("hooksensor.{name}");
        let mut records = self.records()?;
        records.retain(|record| record["event"]["dataset"] == dataset.as_str());
        Ok(records)
    }

    /// A scrape of `/metrics`.
    ///
    /// # Errors
    /// When the endpoint does not answer.
    pub fn metrics(&self) -> Result<Metrics> {
        Ok(Metrics::parse(&self.get("/metrics")?))
    }

    /// The body that the agent's HTTP endpoint answers with, code 200, to a GET of `path`.
    ///
    /// # Errors
    /// When it does not.
    pub fn get(&self, path: &str) -> Result<String> {
        self.namespace.run(|| get(METRICS, path))?
    }

    /// Sends a signal to the agent.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.pid()?).context("the process identifier is out of range")?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("cannot send {signal}"))
    }

    /// Sends `signal` and waits for the end.
    ///
    /// # Errors
    /// When it does not run, or does not end in time.
    pub fn stop(&mut self, signal: Signal) -> Result<ExitStatus> {
        self.signal(signal)?;
        let child = self.child.as_mut().context("the agent is not running")?;
        let status = eventually(STOP, "the agent ends", || child.try_wait().ok().flatten())?;
        self.child = None;
        Ok(status)
    }

    /// Octets of memory that the agent holds now.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// Octets of memory that the agent has held at most.
    ///
    /// # Errors
    /// When it does not run.
    pub fn peak_resident_bytes(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid()?);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let field = text.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = field.and_then(|text| text.trim().strip_suffix(" kB"));
        let kibibytes: u64 = kibibytes.context("the agent has ended")?.parse()?;
        Ok(kibibytes * 1024)
    }

    /// What the agent wrote to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join(LOG)).unwrap_or_default()
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join(CONFIG)
    }

    /// Where the agent keeps what outlives a restart.
    #[must_use]
    pub fn state_folder(&self) -> PathBuf {
        self.folder.join(STATE)
    }

    /// The folder with the socket and the records.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process identifier of the running agent.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pid(&self) -> Result<u32> {
        self.child.as_ref().map(Child::id).context("the agent is not running")
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // An error while unwinding has nowhere to go.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// The agent that cargo built beside the running test, or the one that `HOOKSENSOR` names.
///
/// # Errors
/// When it is not there.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("HOOKSENSOR") {
        return Ok(path.into());
    }
    let test = std::env::current_exe().context("cannot find this test's own file")?;
    let binary = test.ancestors().nth(2).map(|folder| folder.join("hooksensor"));
    binary
        .filter(|path| path.is_file())
        .context("there is no agent beside the tests: run `cargo build --package hooksensor`")
}

fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, patient(HTTP_TIMEOUT))?;
    stream.set_read_timeout(Some(patient(HTTP_TIMEOUT)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").context("the response has no end")?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "GET {path}: {head}");
    Ok(body.to_owned())
}
