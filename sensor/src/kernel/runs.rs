//! Runs of the loaded programs on given frames, attached or not, and what the verifier said of
//! them: for tests and benchmarks, and to see that this kernel runs what it loaded.
//!
//! It must not know what a program is for.

use std::time::Duration;

use anyhow::{Context as _, Result};
use aya::programs::{TestRun, TestRunOptions, TestRunResult, Xdp};

use super::again;
use super::attach::INGRESS_PROGRAM;
use super::classifier::{EGRESS, INGRESS};
use super::load::{Kernel, classifier, xdp};

const BARE_PROGRAM: &str = "hooksensor_bare";

/// Runs of a program on one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runs {
    /// The action it returned last.
    pub action: u32,
    /// The mean time of one run, which the kernel cuts to whole nanoseconds.
    pub mean: Duration,
}

impl Kernel {
    /// Runs the ingress program once on a frame, attached or not, and gives its XDP action.
    ///
    /// # Errors
    ///
    /// When the kernel cannot run it.
    pub fn run_ingress(&self, frame: &[u8]) -> Result<u32> {
        Ok(self.repeat_ingress(frame, 1)?.action)
    }

    /// Runs the ingress program `times` on one frame, which says what it costs.
    ///
    /// # Errors
    ///
    /// When the kernel cannot run it.
    pub fn repeat_ingress(&self, frame: &[u8], times: u32) -> Result<Runs> {
        let program = self.programs.program(INGRESS_PROGRAM).context("the program is loaded")?;
        let program: &Xdp = program.try_into()?;
        run(program, frame, times)
    }

    /// Runs a program that only drops, to compare others with.
    ///
    /// # Errors
    ///
    /// When the kernel does not take it or cannot run it.
    pub fn repeat_bare(&mut self, frame: &[u8], times: u32) -> Result<Runs> {
        let program = xdp(&mut self.programs, BARE_PROGRAM)?;
        if program.fd().is_err() {
            again::load(BARE_PROGRAM, || program.load())?;
        }
        run(program, frame, times)
    }

    /// Runs the ingress program that stands behind XDP once on a frame, attached or not, and gives
    /// its action.
    ///
    /// # Errors
    ///
    /// When the kernel does not take it or cannot run it.
    pub fn run_stack(&mut self, frame: &[u8]) -> Result<u32> {
        Ok(run(classifier(&mut self.programs, INGRESS)?, frame, 1)?.action)
    }

    /// Runs the egress program once on a frame, attached or not, and gives its action.
    ///
    /// # Errors
    ///
    /// When the kernel cannot run it.
    pub fn run_egress(&mut self, frame: &[u8]) -> Result<u32> {
        Ok(run(classifier(&mut self.programs, EGRESS)?, frame, 1)?.action)
    }

    /// How many instructions the verifier looked at in each program, by name: the kernel takes a
    /// million at most. Nothing where it does not say (before Linux 5.16).
    ///
    /// # Errors
    ///
    /// When a program cannot be loaded.
    pub fn verified_instructions(&mut self) -> Result<Vec<(&'static str, u32)>> {
        let xdp = xdp(&mut self.programs, INGRESS_PROGRAM)?.info()?.verified_instruction_count();
        let mut counts = vec![(INGRESS_PROGRAM, xdp)];
        for hook in [INGRESS, EGRESS] {
            let info = classifier(&mut self.programs, hook)?.info()?;
            counts.push((hook.program, info.verified_instruction_count()));
        }
        Ok(counts.into_iter().filter_map(|(name, count)| Some((name, count?))).collect())
    }
}

/// Runs a program `times` on one frame.
///
/// # Errors
///
/// When the kernel cannot run it.
pub(super) fn run<P>(program: &P, frame: &[u8], times: u32) -> Result<Runs>
where
    P: for<'a> TestRun<Opts<'a> = TestRunOptions<'a>, Result = TestRunResult>,
{
    let options = TestRunOptions { data_in: Some(frame), repeat: times, ..TestRunOptions::new() };
    let result =
        program.test_run(options).context("the kernel loaded the programs and cannot run them")?;
    Ok(Runs { action: result.return_value, mean: result.duration })
}
