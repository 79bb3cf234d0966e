//! Runs commands and says which one failed.
//!
//! It must not know what the commands are for.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Something to run, and its name in the words of the person who reads of its failure.
pub(crate) type Check = (&'static str, fn() -> Result<()>);

/// The folder of the workspace, fixed when this program was compiled in it.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// cargo in the workspace, of the toolchain that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace());
    command
}

/// Runs `command` with this terminal's input and output.
///
/// # Errors
/// When it cannot be started or does not end with code 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    ensure!(status.success(), "{} failed: {status}", shown(command));
    Ok(())
}

/// Runs every check, also after one has failed, and names those that did.
///
/// # Errors
/// When at least one check failed.
pub(crate) fn run_all(checks: &[Check]) -> Result<()> {
    let mut failed = Vec::new();
    for (name, check) in checks {
        if let Err(error) = check() {
            complain(&format!("{name}: {error:#}"));
            failed.push(*name);
        }
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

/// Prints a line for the person who started the task.
#[expect(clippy::print_stdout, reason = "a task speaks to the person who typed it")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints what went wrong.
#[expect(clippy::print_stderr, reason = "a task speaks to the person who typed it")]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}

/// The command as one would type it, without its environment.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Where `program` lies on `PATH` or in the folders of system programs, which an ordinary user's
/// `PATH` leaves out.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}
