//! Debian's kernels: which there are, downloaded and unpacked into a folder.
//!
//! Nothing is installed, and apt's own lists and sources are left alone. It must not know what a
//! kernel is wanted for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::shell;

/// A kernel to try the programs on.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) version: &'static str,
    /// Whether it must be tried: the oldest release that is run, and the newest. Another one may
    /// have left Debian's archive.
    pub(super) required: bool,
    /// What its packages are called, as a regular expression of apt's.
    packages: &'static str,
    /// The tests that make sense there: a test binary each, and which of its tests.
    pub(super) tests: &'static [&'static str],
}

/// The oldest that packages offer, whose programs cannot compare and swap; one without tcx; one
/// with everything. The one this machine runs is tested without emulation.
pub(super) const KERNELS: [Kernel; 3] = [
    Kernel {
        version: "5.10",
        required: false,
        packages: r"^linux-image-5\.10\.0-[0-9]+-cloud-amd64$",
        tests: &["kernels:is_refused"],
    },
    Kernel {
        version: "6.1",
        required: true,
        packages: r"^linux-image-6\.1\.0-[0-9]+-cloud-amd64$",
        tests: WORKING,
    },
    Kernel {
        version: "6.12",
        required: true,
        packages: r"^linux-image-6\.12\.[0-9]+\+deb12-cloud-amd64$",
        tests: WORKING,
    },
];

/// Of the end-to-end tests those that stand for the others: emulation is slow.
const WORKING: &[&str] = &[
    "programs",
    "kernels",
    "attaching",
    "surfaces",
    "doctor",
    "blocking:an_enforced_ban",
    "blocking:a_graceful_stop",
];

/// Where Debian keeps each of them.
const SOURCES: &str = "\
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security bookworm-security main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bullseye main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security bullseye-security main
";

/// An unpacked kernel.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) image: PathBuf,
    /// Its modules, in whatever folders.
    pub(super) modules: PathBuf,
}

/// Downloads and unpacks the newest package of `kernel`, unless one was before.
pub(super) fn unpack(kernel: &Kernel, folder: &Path) -> Result<Unpacked> {
    let home = folder.join("kernels").join(kernel.version);
    if !home.exists() {
        let apt = Apt::new(folder)?;
        let package = apt.newest(kernel.packages)?;
        let partial = folder.join("partial");
        remove(&partial)?;
        fs::create_dir_all(&partial)?;
        apt.download(&package, &partial)?;
        fs::create_dir_all(folder.join("kernels"))?;
        fs::rename(&partial, &home).context("cannot put the unpacked kernel in its place")?;
    }
    let boot = home.join("boot");
    let image = files(&boot)?.into_iter().find(|file| name(file).starts_with("vmlinuz-"));
    let image = image.with_context(|| format!("there is no kernel in {}", boot.display()))?;
    Ok(Unpacked { image, modules: home.join("lib/modules") })
}

/// apt with lists and sources of its own.
struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn new(folder: &Path) -> Result<Self> {
        let home = folder.join("apt");
        for needed in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(home.join(needed)).context("cannot make folders for apt")?;
        }
        let sources = home.join("sources.list");
        fs::write(&sources, SOURCES).context("cannot write the list of sources")?;
        let options = [
            format!("Dir::Etc::SourceList={}", sources.display()),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={}", home.join("lists").display()),
            "Dir::State::Status=/dev/null".to_owned(),
            format!("Dir::Cache={}", home.join("cache").display()),
            // The folder need not be one that apt's unprivileged user can write.
            "APT::Sandbox::User=root".to_owned(),
        ];
        let apt = Self { options: options.into_iter().collect() };
        // A suite that was archived away takes nothing from the others.
        if let Err(error) = apt.run("apt-get", &["-qq", "update"]) {
            shell::complain(&format!("not every list of packages could be fetched: {error}"));
        }
        Ok(apt)
    }

    /// The package with the highest version in its name.
    fn newest(&self, pattern: &str) -> Result<String> {
        let found = self.run("apt-cache", &["search", "--names-only", pattern])?;
        let names = found.lines().filter_map(|line| line.split_once(' ')).map(|(name, _)| name);
        let newest = names.max_by_key(|name| numbers(name));
        newest.map(str::to_owned).with_context(|| format!("Debian offers no package {pattern}"))
    }

    fn download(&self, package: &str, target: &Path) -> Result<()> {
        let mut download = self.command("apt-get", &["-qq", "download", package]);
        finish(download.current_dir(target))?;
        let archive = files(target)?.into_iter().find(|file| name(file).ends_with(".deb"));
        let archive = archive.context("apt-get has downloaded nothing")?;
        finish(Command::new("dpkg").arg("-x").arg(&archive).arg(target))?;
        fs::remove_file(&archive).context("cannot remove the package")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        finish(&mut self.command(program, arguments))
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(self.options.iter().flat_map(|option| ["-o", option])).args(arguments);
        command
    }
}

/// The numbers in a package's name, by which names of one kind are ordered.
fn numbers(name: &str) -> Vec<u32> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// Runs a command to its end; what it printed.
pub(super) fn finish(command: &mut Command) -> Result<String> {
    let output = command.output().context("cannot start a program of the setup")?;
    ensure!(
        output.status.success(),
        "{:?} failed: {}",
        command,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Removes a folder, where it is one.
pub(super) fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    Ok(())
}

/// What lies in a folder.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    Ok(entries.collect::<Result<Vec<_>, _>>()?.iter().map(fs::DirEntry::path).collect())
}

/// The last part of a path, as text.
pub(super) fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_package_has_the_highest_numbers() {
        let names = ["linux-image-6.1.0-9-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64"];
        assert_eq!(names.into_iter().max_by_key(|name| numbers(name)), Some(names[1]));
    }
}
