//! `cargo xtask vm`: the kernel tests on Debian's older kernels, each booted once under emulation.
//!
//! It must not know how a kernel is had or what a guest is made of.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

mod guest;
mod image;
mod kernel;
mod programs;

use crate::setup;
use crate::shell::{self, workspace};
use guest::Report;
use kernel::{KERNELS, Kernel, Unpacked};

/// What emulation and unpacking take: programs and the packages they come in. The kernels' own
/// packages are unpacked and never installed.
const TOOLS: [(&str, &str); 6] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("xz", "xz-utils"),
    ("strip", "binutils"),
    ("ip", "iproute2"),
    ("nginx", "nginx-light"),
];

/// The command line of the task.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only this kernel, for example 6.1
    #[arg(value_name = "VERSION")]
    only: Option<String>,
}

/// All kernels, for `cargo xtask test`.
pub(crate) fn run_all() -> Result<()> {
    run(&Arguments { only: None })
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure_programs(&TOOLS)?;
    let folder = workspace().join("target/vm");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let wanted = |kernel: &&Kernel| {
        arguments.only.as_deref().is_none_or(|version| kernel.version == version)
    };
    let kernels: Vec<&Kernel> = KERNELS.iter().filter(wanted).collect();
    ensure!(!kernels.is_empty(), "there is no such kernel here: {}", known());
    let programs = programs::build()?;
    let mut failed = Vec::new();
    let mut rows = Vec::new();
    for kernel in kernels {
        let Some(report) = attempt(kernel, &folder, &programs)? else { continue };
        if !report.good() {
            shell::complain(&report.console);
            failed.push(kernel.version);
        }
        rows.push(row(kernel, &report));
    }
    shell::say(&format!("{:<28} {:>6} {:>6} {:>5}  features", "kernel", "passed", "failed", "s"));
    rows.iter().for_each(|row| shell::say(row));
    ensure!(failed.is_empty(), "tests failed on Linux {}", failed.join(", "));
    Ok(())
}

/// Tries a kernel; nothing where it cannot be had and need not be.
fn attempt(kernel: &Kernel, folder: &Path, programs: &[PathBuf]) -> Result<Option<Report>> {
    shell::say(&format!("booting Linux {} ...", kernel.version));
    match kernel::unpack(kernel, folder) {
        Ok(unpacked) => boot(kernel, &unpacked, folder, programs).map(Some),
        Err(error) if kernel.required => Err(error),
        Err(error) => {
            shell::complain(&format!("Linux {} is left out: {error:#}", kernel.version));
            Ok(None)
        }
    }
    .with_context(|| format!("Linux {} could not be tried", kernel.version))
}

fn boot(
    kernel: &Kernel,
    unpacked: &Unpacked,
    folder: &Path,
    programs: &[PathBuf],
) -> Result<Report> {
    let image = image::make(unpacked, kernel, programs, folder)?;
    guest::boot(unpacked, &image, kernel, folder)
}

fn row(kernel: &Kernel, report: &Report) -> String {
    let name = report.release.as_deref().unwrap_or(kernel.version);
    let Report { passed, failed, seconds, features, .. } = report;
    format!("{name:<28} {passed:>6} {failed:>6} {seconds:>5}  {features}")
}

fn known() -> String {
    KERNELS.map(|kernel| kernel.version).join(", ")
}
