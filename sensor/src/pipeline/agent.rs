//! The life of the agent: open everything that can fail, attach, work, drain, detach.
//!
//! It must not do the work itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::common::Common;
use super::desk::{ConfigSource, Desk, DeskFigures};
use super::grounds::{self, Grounds};
use super::keys::know;
use super::observer;
use super::sampling::Sampling;
use super::shard::{Outlets, Update};
use super::shards::Shards;
use super::shares;
use super::state::State;
use super::writer;
use crate::config::{Config, Overrides};
use crate::control::{self, Question, Reloaded, Reply, SocketGuard};
use crate::decide::{ChokePoint, Decision, Origin, Policy, Request};
use crate::enforce::{Enforcer, Host, Inherited};
use crate::kernel::{Attachment, Kernel, Totals, check_privileges};
use crate::webhook::Knowledge;

/// Findings that may wait for the desk. One is made for each source in trouble, not for each
/// packet; a thousand at once is an attack the limits are holding already.
const WAITING_FINDINGS: usize = 1024;

/// How long an agent that stops waits for its last records to be written, less than service
/// managers give it.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Requests that may wait for the desk.
const WAITING_QUESTIONS: usize = 64;

/// Runs the agent until it is told to stop by SIGTERM or SIGINT.
///
/// # Errors
///
/// When something it needs cannot be had; nothing is left behind then.
pub fn run(config: Config, path: Option<PathBuf>, overrides: Overrides) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(live(config, ConfigSource { path, overrides }));
    // Whatever still waits for a disk that hangs is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn live(config: Config, source: ConfigSource) -> Result<()> {
    check_privileges()?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    // Before anything that takes time: a hangup would end an agent that does not listen for it.
    let hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let knowledge = Arc::new(know(&config)?);
    let (questions, asked) = mpsc::channel(WAITING_QUESTIONS);
    let _socket = open_doors(&config, &questions).await?;
    let (lines, writer) = writer::start(&config.output)?;
    let (state, keeper) = State::open(&config.state_dir)?;
    let (findings, found) = mpsc::channel(WAITING_FINDINGS);
    let stop = Arc::new(AtomicBool::new(false));
    let written = lines.figures();
    let outlets = Outlets { lines, desk: findings };
    let (desk, shards) = begin(config, knowledge, source, state, outlets, &stop)?;
    let (close, closing) = watch::channel(false);
    let desk = tokio::spawn(desk.run(asked, found, closing));
    tokio::spawn(reload_on_hangup(hangup, questions));
    tracing::info!("ready");
    tokio::select! {
        _ = terminate.recv() => tracing::info!("stopping on SIGTERM"),
        _ = interrupt.recv() => tracing::info!("stopping on SIGINT"),
    }
    stop.store(true, Ordering::Relaxed);
    let mut parted = Ok(());
    for shard in shards {
        parted = parted.and(join(shard).await);
    }
    close.send(true).context("the desk has ended")?;
    parted = parted.and(desk.await.context("the desk has failed").and_then(part));
    let writer = timeout(LAST_WORDS, join(writer)).await.unwrap_or_else(|_| {
        let octets = written.waiting_octets();
        bail!("what records are written to hangs; {octets} octets of them and a batch are lost")
    });
    let keeper = match keeper {
        Some(keeper) => join(keeper).await,
        None => Ok(()),
    };
    parted.and(writer).and(keeper)
}

/// Loads, attaches, configures, and starts the shards. The programs are attached before the maps
/// are configured, which hold nothing, or what an earlier agent told them; what each agent tells
/// its own programs it tells them first, so that a ban holds while they take over. When anything
/// fails, the programs of before are again those that decide, with what they were told.
fn begin(
    config: Config,
    knowledge: Arc<Knowledge>,
    source: ConfigSource,
    mut state: State,
    outlets: Outlets,
    stop: &Arc<AtomicBool>,
) -> Result<(Desk, Vec<JoinHandle<()>>)> {
    let mut enforcer = Enforcer::new(Kernel::load(&config.kernel, shares::shards(&config))?);
    enforcer.instruct(&config)?;
    let counted_before = requests(&enforcer.totals()?);
    let attachments = enforcer.kernel().attach(&config.interfaces, config.kernel.xdp_mode)?;
    attachments.iter().for_each(announce);
    let mut host = Host::default();
    let (choke_point, lifted) = prepare(&mut enforcer, &mut host, &config, &state.grounds())?;
    let observer = Arc::new(observer::observer(&attachments));
    let config = Arc::new(config);
    let first = Update::new(&config, &knowledge, &observer, enforcer.kernel())?;
    let common = Arc::new(Common::new(&config));
    state.recall(&common, &config);
    let (shards, threads) =
        Shards::start(&mut enforcer, &first, Arc::clone(&common), &outlets, stop)?;
    enforcer.kernel().detach_others(&config.interfaces)?;
    enforcer.kernel().settle();
    let mut desk = Desk {
        enforcer,
        choke_point,
        first_config: Arc::clone(&config),
        config: Arc::clone(&config),
        knowledge,
        host,
        source,
        observer,
        attachments,
        lines: outlets.lines,
        shards,
        common,
        state,
        counted_before,
        sampling: Sampling::new(config.kernel.sample_one_in),
        writer_is_held_up: false,
        started: Instant::now(),
        figures: DeskFigures::default(),
    };
    desk.report_adopted();
    lifted.iter().for_each(|decision| desk.report(decision));
    Ok((desk, threads))
}

/// Opens the control socket and the metrics port, so that a second agent fails before it touches
/// the kernel.
async fn open_doors(config: &Config, desk: &mpsc::Sender<Question>) -> Result<SocketGuard> {
    let (listener, guard) = control::bind(&config.control.socket)?;
    tokio::spawn(control::serve(listener, desk.clone()));
    if config.metrics.enabled {
        let address = config.metrics.listen;
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot serve metrics on {address}; name another address with metrics.listen")
        })?;
        tracing::info!(%address, "serving /metrics and /healthz");
        tokio::spawn(control::serve_http(listener, desk.clone()));
    }
    Ok(guard)
}

/// Brings the kernel to the configuration, and takes over the bans an earlier agent left in force;
/// those on ports that are no longer watched are lifted, which is yet to be put on record.
fn prepare(
    enforcer: &mut Enforcer,
    host: &mut Host,
    config: &Config,
    grounds: &Grounds,
) -> Result<(ChokePoint, Vec<Decision>)> {
    let protected = host.protected(config);
    enforcer.protect(&protected)?;
    // The kernel forgets a ban together with the last of its ports.
    let now = enforcer.now();
    let inherited = enforcer.take_over(now)?;
    enforcer.configure(config)?;
    let mut choke_point = ChokePoint::new(Policy::from(config), protected);
    for Inherited { target, scope, expires, rest } in inherited {
        let touched = choke_point.protected().touched_by(&target);
        if touched.is_some_and(|(_, why)| why.lifts_bans()) {
            tracing::warn!(%target, "a ban from before the start is lifted: it is protected now");
            enforcer.lift(&target)?;
        } else {
            let (origin, reason) = grounds.of(&target, expires).unwrap_or_else(forgotten);
            let ban = Request { target, scope, duration: rest, reason };
            choke_point.adopt(ban, origin, now);
        }
    }
    let lifted = choke_point.set_policy(Policy::from(config), now);
    lifted.iter().for_each(|decision| choke_point.commit(decision));
    Ok((choke_point, lifted))
}

/// What is said of a ban that was in force at the start, and of which nothing else is known.
fn forgotten() -> (Origin, String) {
    (Origin::Restart, String::from("in force at the start"))
}

/// The requests of each port.
fn requests(totals: &Totals) -> BTreeMap<u16, u64> {
    let ports = totals.ports.iter();
    ports.map(|(port, counters)| (*port, counters.requests.iter().sum())).collect()
}

fn announce(attachment: &Attachment) {
    tracing::info!(
        interface = attachment.interface,
        mode = attachment.mode.name(),
        why = attachment.why,
        replaced = attachment.replaced,
        "attached"
    );
}

async fn reload_on_hangup(mut hangup: Signal, desk: mpsc::Sender<Question>) {
    while hangup.recv().await.is_some() {
        match control::put(control::Request::Reload, &desk).await {
            Reply::Reloaded(reloaded) => tell_of_reload(&reloaded),
            Reply::Failed(error) | Reply::Misconfigured(error) => {
                tracing::error!(error, "the configuration was not read again");
            }
            _ => tracing::error!("the desk answered another question than a reload"),
        }
    }
}

fn tell_of_reload(Reloaded { enforce, need_restart }: &Reloaded) {
    let mode = if *enforce { "enforcing" } else { "simulating" };
    tracing::info!(mode, "configuration read again");
    if !need_restart.is_empty() {
        let keys = need_restart.join(", ");
        tracing::warn!(keys, "these changed and need a restart");
    }
}

/// Has the state saved, and detaches, unless the programs are to stay: then bans go on in the
/// kernel until they expire.
fn part(mut desk: Desk) -> Result<()> {
    let bans = grounds::to_octets(&desk.choke_point, &desk.enforcer);
    desk.state.finish(&desk.common, bans);
    if desk.first_config.kernel.stay_attached {
        tracing::info!(
            "the programs stay attached and bans hold until they expire; `hooksensor detach` removes them"
        );
        return Ok(());
    }
    desk.enforcer.kernel().detach().context("cannot detach")?;
    tracing::info!("detached");
    Ok(())
}

async fn join(thread: JoinHandle<()>) -> Result<()> {
    let name = thread.thread().name().unwrap_or("a thread").to_owned();
    tokio::task::spawn_blocking(move || thread.join())
        .await?
        .map_err(|_| anyhow::anyhow!("{name} has failed"))
}
