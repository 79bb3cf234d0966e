//! Boots a guest and reads what it says on its console.
//!
//! It must not know the tests.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::kernel::{Kernel, Unpacked};

/// How long a guest may take: some two minutes where nothing else runs, and ten where others have
/// most of the processors.
const DEADLINE: Duration = Duration::from_mins(60);

/// How long a guest may say nothing: the longest test takes five minutes where the guest takes ten,
/// and one that waits in vain for an agent eighteen.
const SILENCE: Duration = Duration::from_mins(25);

/// How often the guest is looked after.
const TICK: Duration = Duration::from_millis(100);

/// What the guest's kernel is told: the serial line is its console, and it does not wait after a
/// panic.
const KERNEL_LINE: &str = "console=ttyS0 quiet panic=-1";

/// What came of a guest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) release: Option<String>,
    pub(super) features: String,
    pub(super) passed: u32,
    pub(super) failed: u32,
    /// Seconds from its start to its end.
    pub(super) seconds: u64,
    /// Everything on its console.
    pub(super) console: String,
    /// Test binaries that ran none of their tests: what chooses them names none.
    idle: usize,
    /// Test binaries that ended well, out of those that were to run.
    ended: usize,
    wanted: usize,
    done: bool,
}

impl Report {
    /// Whether every test binary ran some of its tests to a good end.
    pub(super) const fn good(&self) -> bool {
        self.done && self.failed == 0 && self.idle == 0 && self.ended == self.wanted
    }
}

/// Boots `image` on a kernel and waits for its end.
pub(super) fn boot(
    unpacked: &Unpacked,
    image: &Path,
    kernel: &Kernel,
    folder: &Path,
) -> Result<Report> {
    let log = folder.join(format!("console-{}.log", kernel.version));
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let started = Instant::now();
    // There is no KVM to ask for in a machine that is itself a guest.
    let mut child = Command::new("qemu-system-x86_64")
        .args([
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "1024",
            "-nographic",
            "-no-reboot",
            "-net",
            "none",
        ])
        .args(["-append", KERNEL_LINE, "-kernel"])
        .arg(&unpacked.image)
        .arg("-initrd")
        .arg(image)
        .stdin(Stdio::null())
        .stderr(output.try_clone().context("cannot share the console")?)
        .stdout(output)
        .spawn()
        .context("cannot start qemu-system-x86_64")?;
    let ended = wait(&mut child, &log, started);
    child.kill().ok();
    child.wait().context("cannot wait for the guest")?;
    let console = fs::read(&log).context("cannot read the guest's console")?;
    let mut console = String::from_utf8_lossy(&console).into_owned();
    if ended?.is_none() {
        let seconds = started.elapsed().as_secs();
        console +=
            &format!("\nthe guest hung, or took too long, and was stopped after {seconds} s\n");
    }
    let seconds = started.elapsed().as_secs();
    Ok(Report { seconds, ..read(console, kernel.tests.len()) })
}

/// Waits for the guest's end, its silence or the deadline: what is missing then is seen in its
/// report.
fn wait(child: &mut Child, log: &Path, started: Instant) -> Result<Option<ExitStatus>> {
    let (mut said, mut heard) = (0, started);
    while started.elapsed() < DEADLINE && heard.elapsed() < SILENCE {
        if let Some(status) = child.try_wait().context("cannot wait for the guest")? {
            return Ok(Some(status));
        }
        let octets = fs::metadata(log).context("cannot look at the guest's console")?.len();
        if octets > said {
            (said, heard) = (octets, Instant::now());
        }
        thread::sleep(TICK);
    }
    Ok(None)
}

fn read(console: String, wanted: usize) -> Report {
    let mut report = Report { wanted, ..Report::default() };
    for line in console.lines().map(str::trim) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            let (passed, failed) = (count(counts, "passed"), count(counts, "failed"));
            report.passed += passed;
            report.failed += failed;
            report.idle += usize::from(passed + failed == 0);
        }
        // Before the first line the firmware leaves control characters.
        let Some((_, said)) = line.split_once("vm ") else { continue };
        match said.split_once(' ') {
            Some(("release", release)) => report.release = Some(release.to_owned()),
            Some(("findings", findings)) => report.features = features(findings),
            Some((_, "0")) => report.ended += 1,
            None if said == "done" => report.done = true,
            _ => {}
        }
    }
    report.console = console;
    report
}

/// The kernel's features among what `hooksensor doctor` found; one that is missing after a minus.
fn features(findings: &str) -> String {
    let findings: Value = serde_json::from_str(findings).unwrap_or_default();
    let checks = findings["checks"].as_array().into_iter().flatten();
    let features = checks.filter_map(|check| {
        let name = check["subject"].as_str()?.strip_prefix("kernel: ")?;
        Some(format!("{}{name}", if check["state"] == "good" { "" } else { "-" }))
    });
    features.collect::<Vec<_>>().join(", ")
}

/// The number before `word` in the summary of a test binary.
fn count(summary: &str, word: &str) -> u32 {
    let mut parts = summary.split([';', '.']);
    let counted = parts.find_map(|part| part.trim().strip_suffix(word));
    counted.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(console: &str, wanted: usize, good: bool) -> Report {
        let report = read(console.to_owned(), wanted);
        assert_eq!(report.good(), good, "{report:?}");
        report
    }

    #[test]
    fn a_guest_is_good_when_everything_ended_well() {
        let begun = "\x1b[2Jvm release 6.1.0\r\nvm findings {\"checks\": [\
                     {\"subject\": \"kernel: tcx\", \"state\": \"note\"}]}\r\n";
        let passed = "test result: ok. 3 passed; 0 failed; 0 ignored\r\nvm doctor 0\r\n";
        let report = check(&format!("{begun}{passed}vm done\r\n"), 1, true);
        assert_eq!((report.release.as_deref(), report.passed), (Some("6.1.0"), 3));
        assert_eq!(report.features, "-tcx");
        check(&format!("{begun}{passed}"), 1, false);
        check(&format!("{begun}{passed}vm done\r\n"), 2, false);
        let failed = "test result: FAILED. 2 passed; 1 failed; 0 ignored\r\nvm programs 101\r\n";
        assert_eq!(check(&format!("{begun}{failed}vm done\r\n"), 1, false).failed, 1);
        let idle = "test result: ok. 0 passed; 0 failed; 24 filtered out\r\nvm blocking 0\r\n";
        check(&format!("{begun}{passed}{idle}vm done\r\n"), 2, false);
        check("Kernel panic", 1, false);
    }
}
