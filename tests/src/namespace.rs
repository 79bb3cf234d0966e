//! One network namespace: made, entered, and removed with everything that runs in it.
//!
//! It must not know how namespaces are connected.

use std::env::temp_dir;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::patient;

/// Where `ip netns` keeps a file for each named namespace.
const FOLDER: &str = "/run/netns";

/// Where agents under test pin their maps, each in a directory named like its namespace.
const PINS: &str = "/sys/fs/bpf";

/// Every name starts with this and the identifier of the process that made it.
const PREFIX: &str = "hs";

/// How long a connection that is dropped takes to be given up, and one that is not to be made: its
/// SYN is sent again after a second, and on a busy machine the answer to that one may be the first.
const CONNECT: Duration = Duration::from_secs(2);

static COUNT: AtomicU32 = AtomicU32::new(0);
static LEFTOVERS: Once = Once::new();

/// A network namespace of this process. Dropping it kills what runs inside and removes it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes an empty namespace with its loopback interface up. The first call also removes what
    /// dead processes left behind.
    ///
    /// # Errors
    /// Without root, or without `ip`.
    pub fn new() -> Result<Self> {
        LEFTOVERS.call_once(remove_leftovers);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}-{}-{number}", std::process::id());
        ip(["netns", "add", &name])?;
        let namespace = Self { name };
        let folder = namespace.folder();
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        ip(["-netns", namespace.name(), "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Its name for `ip netns`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory in which an agent of this namespace pins its maps. It goes with the
    /// namespace.
    #[must_use]
    pub fn pin_path(&self) -> PathBuf {
        Path::new(PINS).join(&self.name)
    }

    /// A folder for what runs in the namespace. It goes with the namespace.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        temp_dir().join(&self.name)
    }

    /// Runs `work` on a thread inside the namespace and waits for it. A panic goes through.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let path = Path::new(FOLDER).join(&self.name);
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let inside = || {
            setns(&file, CloneFlags::CLONE_NEWNET)
                .with_context(|| format!("cannot enter {}", self.name))?;
            Ok(work())
        };
        thread::scope(|scope| scope.spawn(inside).join())
            .unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Opens a connection from inside to `target`. One whose packets are dropped times out.
    ///
    /// # Errors
    /// When the namespace cannot be entered; within, why there is no connection.
    pub fn connect(&self, target: SocketAddr) -> Result<io::Result<TcpStream>> {
        self.run(|| TcpStream::connect_timeout(&target, patient(CONNECT)))
    }

    /// TCP segments that were sent again from inside: where a processor is held up for long enough,
    /// TCP takes for lost what is only late.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or does not say.
    pub fn sent_again(&self) -> Result<u64> {
        let text = self.run(|| fs::read_to_string("/proc/thread-self/net/snmp"))??;
        sent_again(&text).context("there is no RetransSegs in /proc/net/snmp")
    }

    /// Starts a command inside, in a process group of its own: Ctrl-C reaches this process, which
    /// then decides in which order to stop.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, command: &mut Command) -> Result<Child> {
        command.process_group(0);
        let child = self.run(|| command.spawn())?;
        child.with_context(|| format!("cannot start {}", command.get_program().display()))
    }

    /// Runs a command inside to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn output(&self, command: &mut Command) -> Result<Output> {
        let output = self.run(|| command.output())?;
        output.with_context(|| format!("cannot start {}", command.get_program().display()))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Two lines tell of TCP, the names of the figures and the figures.
fn sent_again(text: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let at = lines.next()?.split(' ').position(|name| name == "RetransSegs")?;
    lines.next()?.split(' ').nth(at)?.parse().ok()
}

/// Runs `ip` with `arguments`.
///
/// # Errors
/// When it fails, with what it said.
pub fn ip<I, S>(arguments: I) -> Result<()>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new("ip");
    command.args(arguments);
    let output = command.output().context("cannot start ip (package iproute2)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {}", said.trim());
    Ok(())
}

/// Removes the namespaces, pins and folders of processes that are gone without removing them.
fn remove_leftovers() {
    for folder in [Path::new(FOLDER), Path::new(PINS), &temp_dir()] {
        let Ok(entries) = folder.read_dir() else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if is_left_over(name, |process| Path::new("/proc").join(process).exists()) {
                remove(name);
            }
        }
    }
}

fn is_left_over(name: &str, lives: impl Fn(&str) -> bool) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let [PREFIX, process, _] = parts[..] else { return false };
    process.parse::<u32>().is_ok() && !lives(process)
}

/// Removes what belongs to `name` as far as it is there: this also runs while unwinding, where an
/// error has nowhere to go.
fn remove(name: &str) {
    let pids = Command::new("ip").args(["netns", "pids", name]).output();
    let pids = pids.map(|output| output.stdout).unwrap_or_default();
    for pid in String::from_utf8_lossy(&pids).split_whitespace().flat_map(str::parse) {
        kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
    }
    ip(["netns", "delete", name]).ok();
    fs::remove_dir_all(Path::new(PINS).join(name)).ok();
    fs::remove_dir_all(temp_dir().join(name)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_again_is_read_from_the_figures_of_tcp() {
        let text = "Ip: InReceives\nIp: 7\nTcp: OutSegs RetransSegs InErrs\nTcp: 9 2 1\nUdp: x\n";
        assert_eq!(sent_again(text), Some(2));
        assert_eq!(sent_again("Tcp: OutSegs\nTcp: 9\n"), None);
    }

    #[test]
    fn only_names_of_dead_processes_are_left_over() {
        let lives = |process: &str| process == "7";
        for (name, expected) in [
            ("hs-8-0", true),
            ("hs-7-0", false),
            ("hs-8", false),
            ("hs-8-0-1", false),
            ("hs-x-0", false),
            ("hooksensor", false),
        ] {
            assert_eq!(is_left_over(name, lives), expected, "{name}");
        }
    }
}
