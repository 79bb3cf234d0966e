//! What a guest starts from: an archive of a root file system with programs, the libraries they
//! load and the kernel's modules.
//!
//! It must not know what the programs do.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::kernel::{Kernel, Unpacked, files, finish, name, remove};

/// The first program of the guest.
const INIT: &str = include_str!("init.sh");

/// Modules in an order in which each finds what it needs. Those that a kernel has built in, or
/// does not have, are not among its files.
const MODULES: [&str; 11] = [
    "llc",
    "stp",
    "garp",
    "mrp",
    "8021q",
    "tls",
    "bonding",
    "veth",
    "dummy",
    "sch_ingress",
    "cls_bpf",
];

const FOLDERS: [&str; 9] =
    ["bin", "dev", "etc", "modules", "proc", "run", "sys", "tmp", "var/log/nginx"];

/// Makes the archive for `kernel`.
pub(super) fn make(
    unpacked: &Unpacked,
    kernel: &Kernel,
    programs: &[PathBuf],
    folder: &Path,
) -> Result<PathBuf> {
    let root = folder.join("root");
    remove(&root)?;
    for needed in FOLDERS {
        fs::create_dir_all(root.join(needed)).context("cannot make the guest's folders")?;
    }
    for program in programs {
        add_program(program, &root)?;
    }
    let files = all_files(&unpacked.modules)?;
    for (number, module) in MODULES.iter().enumerate() {
        add_module(module, number, &files, &root.join("modules"))?;
    }
    fs::create_dir_all(root.join("var/lib/nginx")).context("cannot make nginx's folder")?;
    write(&root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")?;
    write(&root.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
    write(&root.join("tests"), &(kernel.tests.join("\n") + "\n"))?;
    let init = root.join("init");
    write(&init, INIT)?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))
        .context("cannot make init executable")?;
    symlink("/proc/mounts", root.join("etc/mtab")).context("cannot make a link")?;
    let image = folder.join("initramfs");
    let mut archive = Command::new("sh");
    archive.args(["-c", "find . | busybox cpio -o -H newc >\"$1\"", "sh"]).arg(&image);
    finish(archive.current_dir(&root))?;
    remove(&root)?;
    Ok(image)
}

/// Adds a program without its debugging symbols, and the libraries it says it loads.
fn add_program(program: &Path, root: &Path) -> Result<()> {
    let file = name(program);
    // cargo puts a hash behind the names of tests, and no other program here has a dash.
    let short = file.split('-').next().unwrap_or(&file);
    finish(Command::new("strip").arg("-o").arg(root.join("bin").join(short)).arg(program))?;
    // Of a static one ldd says that it is, and fails.
    let Ok(listed) = finish(Command::new("ldd").arg(program)) else { return Ok(()) };
    let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
    for library in libraries {
        let target = root.join(library.trim_start_matches('/'));
        let parent = target.parent().context("a library lies in a folder")?;
        fs::create_dir_all(parent).context("cannot make a folder of libraries")?;
        fs::copy(library, &target).with_context(|| format!("cannot copy {library}"))?;
    }
    Ok(())
}

/// Adds a module under a name that sorts into the order of loading.
fn add_module(module: &str, number: usize, files: &[PathBuf], target: &Path) -> Result<()> {
    let (plain, packed) = (format!("{module}.ko"), format!("{module}.ko.xz"));
    let found = files.iter().find(|file| [&plain, &packed].contains(&&name(file).into_owned()));
    let Some(found) = found else { return Ok(()) };
    let target = target.join(format!("{number:02}-{plain}"));
    if name(found) == plain {
        fs::copy(found, &target).with_context(|| format!("cannot copy {plain}"))?;
        return Ok(());
    }
    let unpacked = Command::new("xz").args(["--decompress", "--stdout"]).arg(found).output();
    let unpacked = unpacked.context("cannot start xz")?;
    fs::write(&target, unpacked.stdout).with_context(|| format!("cannot unpack {packed}"))
}

fn all_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in files(folder)? {
        // Modules lie beside links to where the kernel was built, which lead out of the folder.
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() { found.extend(all_files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
