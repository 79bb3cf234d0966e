//! Runs the steps of a setup one after the other and shows how far it is.
//!
//! It must not know what a step installs.

use std::fs::{self, File};
use std::io::{IsTerminal as _, Write as _, stdout};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// How often a terminal is told the seconds a step has taken so far.
const TICK: Duration = Duration::from_millis(200);

/// Lines of a failed step's output that are shown: the cause is rarely further up.
const TAIL: usize = 30;

/// One command of a setup and what it does in the user's words.
pub(crate) struct Step {
    title: &'static str,
    command: Command,
}

impl Step {
    pub(crate) fn new(title: &'static str, command: Command) -> Self {
        Self { title, command }
    }

    fn run(mut self, position: &str) -> Result<()> {
        let line = format!("[{position}] {} ...", self.title);
        print(&line);
        let started = Instant::now();
        let log = log_file()?;
        let output =
            File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stderr(output.try_clone().context("cannot share the log file")?)
            .stdout(output)
            .spawn()
            .with_context(|| format!("cannot start {}", shell::shown(&self.command)))?;
        let status = wait(&mut child, &line, started)?;
        if status.success() {
            shell::say(&format!(" done in {} s", started.elapsed().as_secs()));
            return Ok(());
        }
        shell::say(" failed");
        let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
        bail!("{}\n`{}` failed: {status}", tail(&text), shell::shown(&self.command));
    }
}

/// Runs every step and stops at the first that fails, with the end of its output.
pub(crate) fn run_all(steps: Vec<Step>) -> Result<()> {
    let count = steps.len();
    for (index, step) in steps.into_iter().enumerate() {
        step.run(&format!("{}/{count}", index + 1))?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a task speaks to the person who typed it")]
fn print(text: &str) {
    print!("{text}");
    // A terminal that went away is no reason to stop an installation.
    stdout().flush().ok();
}

fn wait(child: &mut Child, line: &str, started: Instant) -> Result<ExitStatus> {
    if !stdout().is_terminal() {
        return child.wait().context("cannot wait for the step");
    }
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the step")? {
            print(&format!("\r{line}"));
            return Ok(status);
        }
        print(&format!("\r{line} {} s", started.elapsed().as_secs()));
        thread::sleep(TICK);
    }
}

fn log_file() -> Result<PathBuf> {
    let folder = shell::workspace().join(".tools");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder.join("setup.log"))
}

fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_keeps_the_last_lines() {
        let text: String = (0..100).map(|number| format!("line {number}\n")).collect();
        let kept = tail(text.as_bytes());
        assert!(kept.starts_with("line 70\n") && kept.ends_with("line 99"), "{kept}");
        assert_eq!(tail(b"one"), "one");
        assert_eq!(tail(b""), "");
    }

    #[test]
    fn a_failed_step_shows_its_output() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo the cause >&2; exit 3"]);
        let error = Step::new("fail", command).run("1/1").unwrap_err().to_string();
        assert!(error.contains("the cause") && error.contains("exit status: 3"), "{error}");
    }
}
