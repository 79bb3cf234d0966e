//! Who runs on which core, and who there comes first.
//!
//! It must not know what is measured.

use std::panic::resume_unwind;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, hint, thread};

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Pid, gettid};

/// Where the flood is made, and all runs that is not the receiving of packets.
pub(crate) const SENDING: usize = 0;

/// Where the server's end of the link is polled, and nothing else of this.
pub(crate) const RECEIVING: usize = 1;

/// Runs `work`, and what it starts, on the sending core and there before the flood: who delivers
/// and who answers has a processor for that where a flood comes from elsewhere.
pub(crate) fn before_the_flood<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    let prior = || {
        pin(Pid::from_raw(0), SENDING)?;
        put_before_all(gettid())?;
        Ok(work())
    };
    thread::scope(|scope| scope.spawn(prior).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs `work` while the receiving core is kept from idling by what any other thread comes before.
/// A virtual machine hands an idle core back to its host and may wait milliseconds for it: the less
/// time a receiver took, the slower it would look.
pub(crate) fn awake<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let stop = AtomicBool::new(false);
    let spin = || {
        pin(Pid::from_raw(0), RECEIVING)?;
        set("chrt", &["--idle", "--pid", "0"], gettid())?;
        while !stop.load(Ordering::Relaxed) {
            hint::spin_loop();
        }
        Ok(())
    };
    thread::scope(|scope| {
        let spinning = scope.spawn(spin);
        let done = work();
        stop.store(true, Ordering::Relaxed);
        let spun = spinning.join().unwrap_or_else(|panic| resume_unwind(panic));
        spun.and(done)
    })
}

pub(crate) fn pin(thread: Pid, core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    sched_setaffinity(thread, &cores).context("this takes two cores")
}

/// Lets a thread come before programs, as what a network card starts does.
pub(crate) fn put_first(thread: Pid) -> Result<()> {
    set("renice", &["-n", "-20", "-p"], thread)
}

/// Lets a thread, and what it starts, run as soon as it has something to do. A prior one of those
/// that share a core fairly would first wait for what is left of another's slice of milliseconds.
pub(crate) fn put_before_all(thread: Pid) -> Result<()> {
    set("chrt", &["--fifo", "--pid", "1"], thread)
}

fn set(program: &str, arguments: &[&str], thread: Pid) -> Result<()> {
    let number = thread.to_string();
    let output = Command::new(program).args(arguments).arg(&number).output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} failed: {}", said.trim());
    Ok(())
}

/// Nanoseconds that a thread has had a processor.
pub(crate) fn processor_time(thread: Pid) -> Result<u64> {
    let path = format!("/proc/{thread}/schedstat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(text.split_whitespace().next().context("schedstat has numbers")?.parse()?)
}
