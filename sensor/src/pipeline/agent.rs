//! The life of the agent: open everything that can fail, attach, work, drain, detach.
//!
//! It must not do the work itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::desk::{ConfigSource, Desk, DeskFigures};
use super::observer;
use super::shard::{self, Update};
use super::writer;
use crate::config::{Config, Overrides};
use crate::control::{self, Question, SocketGuard};
use crate::decide::{ChokePoint, Policy};
use crate::enforce::{self, Enforcer};
use crate::kernel::{Attachment, Kernel, check_privileges};
use crate::secrets;
use crate::webhook::Knowledge;

/// Findings that may wait for the desk. One is made for each source in trouble, not for each
/// packet; a thousand at once is an attack the limits are holding already.
const WAITING_FINDINGS: usize = 1024;

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
    runtime.block_on(live(config, ConfigSource { path, overrides }))
}

async fn live(config: Config, source: ConfigSource) -> Result<()> {
    check_privileges()?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let knowledge = Arc::new(know(&config)?);
    let (questions, asked) = mpsc::channel(WAITING_QUESTIONS);
    let _socket = open_doors(&config, &questions).await?;
    let (lines, writer) = writer::start(&config.output)?;
    let mut enforcer = Enforcer::new(Kernel::load(&config.kernel)?);
    let choke_point = prepare(&mut enforcer, &config)?;
    let attachments = attach(&mut enforcer, &config)?;
    let observer = Arc::new(observer::observer(&attachments));
    let config = Arc::new(config);
    let first = Update::new(&config, &knowledge, &observer, enforcer.kernel())?;
    let ring = enforcer.kernel().take_ring()?;
    let (findings, found) = mpsc::channel(WAITING_FINDINGS);
    let stop = Arc::new(AtomicBool::new(false));
    let shard = shard::start(ring, &first, lines.clone(), findings, Arc::clone(&stop))?;
    let (close, closing) = watch::channel(false);
    let desk = Desk {
        enforcer,
        choke_point,
        config,
        source,
        observer,
        attachments,
        lines,
        shard: shard.updates,
        shard_figures: shard.figures,
        started: Instant::now(),
        figures: DeskFigures::default(),
    };
    let desk = tokio::spawn(desk.run(asked, found, closing));
    tokio::spawn(reload_on_hangup(questions));
    tracing::info!("ready");
    tokio::select! {
        _ = terminate.recv() => tracing::info!("stopping on SIGTERM"),
        _ = interrupt.recv() => tracing::info!("stopping on SIGINT"),
    }
    stop.store(true, Ordering::Relaxed);
    join(shard.thread).await?;
    close.send(true).context("the desk has ended")?;
    let desk = desk.await.context("the desk has failed")?;
    part(desk)?;
    join(writer).await
}

/// Reads the secrets and puts them to use. From then on no core dump of this process can be made,
/// which would hold them.
pub(super) fn know(config: &Config) -> Result<Knowledge> {
    let knowledge = secrets::knowledge(config)?;
    if config.endpoints.iter().any(|endpoint| !endpoint.secrets.is_empty()) {
        nix::sys::prctl::set_dumpable(false).context("cannot forbid core dumps")?;
    }
    for endpoint in knowledge.keyless_endpoints() {
        tracing::warn!(
            endpoint = endpoint.name,
            "none of its secrets can be a key of its provider; nothing will be checked"
        );
    }
    Ok(knowledge)
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

/// Brings the kernel to the configuration before any packet meets the programs, and takes over
/// the bans an earlier agent left in force.
fn prepare(enforcer: &mut Enforcer, config: &Config) -> Result<ChokePoint> {
    let protected = enforce::protected(config);
    enforcer.protect(&protected)?;
    enforcer.configure(config)?;
    let mut choke_point = ChokePoint::new(Policy::from(config), protected);
    let now = enforcer.now();
    for (target, scope, rest) in enforcer.take_over()? {
        if choke_point.protected().touched_by(&target).is_some() {
            tracing::warn!(%target, "a ban from before the start is lifted: it is protected now");
            enforcer.lift(&target)?;
        } else {
            choke_point.adopt(target, scope, rest, now);
        }
    }
    Ok(choke_point)
}

/// Attaches the programs. When that fails nothing stays attached, unless an earlier agent's
/// protection was there before.
fn attach(enforcer: &mut Enforcer, config: &Config) -> Result<Vec<Attachment>> {
    let kernel = enforcer.kernel();
    let was_attached = kernel.is_attached()?;
    let attached = kernel.attach(&config.interfaces, config.kernel.xdp_mode);
    let attachments = match attached {
        Ok(attachments) => attachments,
        Err(error) => {
            if !was_attached && let Err(left) = kernel.detach() {
                tracing::warn!(error = %left, "not everything could be detached again");
            }
            return Err(error);
        }
    };
    for one in &attachments {
        tracing::info!(
            interface = one.interface,
            mode = one.mode.name(),
            why = one.why,
            replaced = one.replaced,
            "attached"
        );
    }
    Ok(attachments)
}

async fn reload_on_hangup(desk: mpsc::Sender<Question>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        tracing::warn!("cannot listen for SIGHUP; use the verb reload");
        return;
    };
    while hangup.recv().await.is_some() {
        match control::put(control::Request::Reload, &desk).await {
            control::Reply::Failed(error) => {
                tracing::error!(error, "the configuration stays as it was");
            }
            reply => tracing::info!(?reply, "configuration read again"),
        }
    }
}

/// Detaches, unless told to stay; then bans go on in the kernel until they expire.
fn part(mut desk: Desk) -> Result<()> {
    if desk.config.kernel.stay_attached {
        tracing::info!("the programs stay attached; bans hold until they expire");
        return Ok(());
    }
    desk.enforcer.kernel().detach().context("cannot detach")?;
    tracing::info!("detached");
    Ok(())
}

async fn join(thread: std::thread::JoinHandle<()>) -> Result<()> {
    let name = thread.thread().name().unwrap_or("a thread").to_owned();
    tokio::task::spawn_blocking(move || thread.join())
        .await?
        .map_err(|_| anyhow::anyhow!("{name} has failed"))
}
