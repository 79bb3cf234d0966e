//! Finds a compiler and a linker that can build the kernel programs, and aims cargo at them.
//!
//! It must not build or install anything, and knows only the standard library: the agent's build
//! script and `xtask` both compile this file, because a build script cannot import from a package
//! without making that package a build dependency of the agent.

use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target the programs are compiled for: little-endian BPF, as on every supported host.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// Where Debian's `rustc-web` puts the compiler. rustup's proxy of the same name is never here.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Debian's clippy, which must be of the same version as [`DEBIAN_RUSTC`].
const DEBIAN_CLIPPY: &str = "/usr/bin/cargo-clippy";

/// Where `libstd-rust-web-dev-bpf` puts the compiled `core` of [`TARGET`].
const DEBIAN_CORE: &str = "/usr/lib/rustlib/bpfel-unknown-none/lib";

/// Variables of an outer cargo, or of a developer's shell, that would aim the inner cargo at
/// another compiler, target or folder.
const LEAKING: [&str; 9] = [
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_TARGET_DIR",
    "CLIPPY_ARGS",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTFLAGS",
];

/// A pair that can compile and link a kernel program.
#[derive(Debug)]
pub(crate) struct Toolchain {
    compiler: Compiler,
    /// The path of `bpf-linker`.
    pub(crate) linker: PathBuf,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Compiler {
    /// Ships `core` for the target ready-made.
    Debian,
    /// rustup's nightly with `rust-src`, from which cargo builds `core`.
    Nightly,
}

/// What keeps the kernel programs from being built.
#[derive(Debug)]
pub(crate) struct Missing {
    /// Neither Debian's compiler with `core` for BPF nor a nightly with `rust-src` was found.
    pub(crate) compiler: bool,
    /// `bpf-linker` is neither in the workspace's tools folder nor on `PATH`.
    pub(crate) linker: bool,
}

impl Toolchain {
    /// Looks for the pieces, Debian's compiler before rustup's and the workspace's own linker
    /// before one on `PATH`.
    pub(crate) fn find(workspace: &Path) -> Result<Self, Missing> {
        match (find_compiler(), find_linker(workspace)) {
            (Some(compiler), Some(linker)) => Ok(Self { compiler, linker }),
            (compiler, linker) => {
                Err(Missing { compiler: compiler.is_none(), linker: linker.is_none() })
            }
        }
    }

    /// `cargo <subcommand>` for the kernel programs, with `host_arch` telling them whose
    /// `pt_regs` they will see (`x86_64`, `aarch64`, ...).
    ///
    /// The caller adds the package and a target folder of its own: sharing the outer cargo's
    /// would wait for a lock that the outer cargo holds.
    pub(crate) fn cargo(&self, subcommand: &str, host_arch: &str) -> Command {
        let mut command = match self.compiler {
            Compiler::Debian => debian_cargo(subcommand),
            Compiler::Nightly => nightly_cargo(subcommand),
        };
        command
            .args(["--target", TARGET, "--release"])
            // bpf-linker optimises the whole program itself, and the loader needs its BTF.
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "false")
            .env("CARGO_PROFILE_RELEASE_STRIP", "none")
            // Compiled in parts they are other programs, which the verifier need not take.
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_ENCODED_RUSTFLAGS", self.rustflags(host_arch));
        command
    }

    fn rustflags(&self, host_arch: &str) -> OsString {
        let mut linker = OsString::from("-Clinker=");
        linker.push(&self.linker);
        let arch = format!("--cfg=bpf_target_arch=\"{host_arch}\"");
        let flags = [linker, arch.into(), "-Cdebuginfo=2".into(), "-Clink-arg=--btf".into()];
        flags.join("\u{1f}".as_ref())
    }
}

impl Display for Missing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the kernel programs cannot be built without")?;
        if self.compiler {
            write!(
                f,
                "\n  - a compiler for {TARGET}: Debian's packages rustc-web and \
                 libstd-rust-web-dev-bpf, or rustup's nightly with the component rust-src"
            )?;
        }
        if self.linker {
            f.write_str("\n  - bpf-linker, in .tools/bin of the workspace or on PATH")?;
        }
        f.write_str("\nRun `cargo xtask setup`: it installs what it may and names what is left.")
    }
}

fn find_compiler() -> Option<Compiler> {
    if Path::new(DEBIAN_RUSTC).exists() && has_core(Path::new(DEBIAN_CORE)) {
        return Some(Compiler::Debian);
    }
    let output =
        Command::new("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"]).output();
    let sysroot = String::from_utf8(output.ok()?.stdout).ok()?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/src/lib.rs");
    source.exists().then_some(Compiler::Nightly)
}

fn has_core(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn find_linker(workspace: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(workspace.join(".tools/bin"))
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join("bpf-linker"))
        .find(|candidate| candidate.is_file())
}

fn debian_cargo(subcommand: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = if subcommand == "clippy" {
        // `cargo clippy` would start rustup's clippy, whose version is not the compiler's.
        let mut command = Command::new(DEBIAN_CLIPPY);
        command.env("CARGO", cargo);
        command
    } else {
        Command::new(cargo)
    };
    clean(&mut command);
    command.arg(subcommand).env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
    command
}

fn nightly_cargo(subcommand: &str) -> Command {
    let mut command = Command::new("rustup");
    clean(&mut command);
    // A build script inherits the outer toolchain's cargo and compiler libraries.
    command.env_remove("CARGO").env_remove("LD_LIBRARY_PATH");
    command.args(["run", "nightly", "cargo", subcommand, "-Zbuild-std=core"]);
    command
}

fn clean(command: &mut Command) {
    for name in LEAKING {
        command.env_remove(name);
    }
}
