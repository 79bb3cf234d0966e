//! Compiles the kernel programs into `OUT_DIR/hooksensor-ebpf`, where the agent includes them.
//!
//! It must not know how a toolchain is found or installed.

#![expect(clippy::print_stderr, reason = "cargo shows the standard error of a failed build script")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[path = "build/toolchain.rs"]
mod toolchain;

use toolchain::{TARGET, Toolchain};

/// The package and the binary target of the kernel programs.
const PROGRAMS: &str = "hooksensor-ebpf";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let workspace = variable("CARGO_MANIFEST_DIR")?.parent().map(Path::to_path_buf);
    let workspace = workspace.ok_or("the package does not lie in a workspace")?;
    rerun_when_changed(&workspace.join("sensor-ebpf/src"));
    rerun_when_changed(&workspace.join("sensor-ebpf/Cargo.toml"));
    rerun_when_changed(&workspace.join("Cargo.lock"));
    rerun_when_changed(Path::new("build.rs"));
    rerun_when_changed(Path::new("build/toolchain.rs"));

    let toolchain = Toolchain::find(&workspace).map_err(|missing| missing.to_string())?;
    rerun_when_changed(&toolchain.linker);
    compile(&toolchain, &workspace, &variable("OUT_DIR")?)
}

fn compile(toolchain: &Toolchain, workspace: &Path, out: &Path) -> Result<(), String> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").map_err(|error| error.to_string())?;
    let folder = out.join("bpf");
    let output = toolchain
        .cargo("build", &arch)
        .args(["--quiet", "--package", PROGRAMS, "--bin", PROGRAMS, "--target-dir"])
        .arg(&folder)
        .current_dir(workspace)
        .output()
        .map_err(|error| format!("cannot start cargo for the kernel programs: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("the kernel programs do not compile ({}):\n{messages}", output.status));
    }
    for line in messages.lines() {
        println!("cargo::warning={line}");
    }
    let program = folder.join(TARGET).join("release").join(PROGRAMS);
    fs::copy(&program, out.join(PROGRAMS))
        .map(drop)
        .map_err(|error| format!("cannot copy {}: {error}", program.display()))
}

fn rerun_when_changed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

fn variable(name: &str) -> Result<PathBuf, String> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("cargo did not set {name}"))
}
