//! Reading the configuration again while the agent runs: all of it takes effect, or none.
//!
//! It must not know what a setting does.

use std::mem;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::desk::Desk;
use super::keys::know;
use crate::config::{Config, Http};
use crate::control::Reloaded;
use crate::decide::Policy;
use crate::kernel::Attachment;
use crate::webhook::Knowledge;

impl Desk {
    /// Brings everything that can change while running to the configuration as it is now.
    pub(super) fn reload(&mut self) -> Result<Reloaded> {
        // Whoever moves files away asks for this too, and waits for nothing: an error in the
        // configuration must not have records go on into a file that is about to be deleted.
        self.lines.reopen();
        let path = self.source.path.as_ref().context(
            "the agent was started without a configuration file; there is nothing to read again",
        )?;
        let config = Arc::new(Config::load(path)?.with(self.source.overrides.clone())?);
        let knowledge = Arc::new(know(&config)?);
        let before = (Arc::clone(&self.config), Arc::clone(&self.knowledge));
        if let Err(error) = self.change_to(&config, &knowledge) {
            self.apply(&before.0, &before.1)
                .context("and what was before could not be restored")?;
            return Err(error.context("the configuration stays as it was"));
        }
        self.let_go()?;
        let need_restart = restart_keys(&self.first_config, &config);
        Ok(Reloaded { enforce: config.enforce, need_restart })
    }

    /// Attaches what is named, and only then changes what the programs do. Nothing is detached;
    /// when anything fails, what was attached for this is as it was.
    fn change_to(&mut self, config: &Arc<Config>, knowledge: &Arc<Knowledge>) -> Result<()> {
        let mode = self.first_config.kernel.xdp_mode;
        let mut attached = self.enforcer.kernel().attach(&config.interfaces, mode)?;
        attached.iter_mut().for_each(|one| go_on(one, &self.attachments));
        let before = mem::replace(&mut self.attachments, attached);
        if let Err(error) = self.apply(config, knowledge) {
            self.attachments = before;
            self.enforcer.kernel().take_back();
            return Err(error);
        }
        self.enforcer.kernel().settle();
        Ok(())
    }

    /// Changes what the programs, the choke point and the shards do.
    fn apply(&mut self, config: &Arc<Config>, knowledge: &Arc<Knowledge>) -> Result<()> {
        self.config = Arc::clone(config);
        self.knowledge = Arc::clone(knowledge);
        if config.enforce {
            // Nothing may drop a moment before it is known whom nothing may meet.
            self.protect()?;
            self.instruct(config)?;
        } else {
            self.instruct(config)?;
            self.protect()?;
        }
        let changes = self.choke_point.set_policy(Policy::from(&**config), self.enforcer.now());
        for decision in changes {
            self.choke_point.commit(&decision);
            self.report(&decision);
        }
        self.tell_shards()
    }

    /// Changes what the programs do.
    fn instruct(&mut self, config: &Config) -> Result<()> {
        self.enforcer.configure(config)?;
        self.sampling.configure(config.kernel.sample_one_in);
        self.set_sampling()
    }

    /// Detaches from the interfaces that are no longer named.
    fn let_go(&mut self) -> Result<()> {
        let interfaces = self.config.interfaces.clone();
        let gone = self.enforcer.kernel().detach_others(&interfaces);
        gone.context(
            "the configuration took effect, but programs stay on interfaces that it no longer names",
        )
    }
}

/// Has what was said of a place at its first attaching be said still, where a reload found this
/// agent's own program in it.
fn go_on(one: &mut Attachment, before: &[Attachment]) {
    let place = |one: &Attachment| (one.index, one.mode);
    if one.replaced
        && let Some(before) = before.iter().find(|before| place(before) == place(one))
    {
        one.why.clone_from(&before.why);
        one.replaced = before.replaced;
    }
}

/// The keys that changed since the start and are read at the start alone.
fn restart_keys(old: &Config, new: &Config) -> Vec<String> {
    let kernel = |config: &Config| {
        let mut kernel = config.kernel.clone();
        (kernel.sample_one_in, kernel.payload_bytes) = (0, 0);
        kernel.follow.clear();
        kernel
    };
    let http = |config: &Config| Http { body_sha256: false, ..config.http.clone() };
    let changed = [
        ("state_dir", old.state_dir != new.state_dir),
        ("kernel", kernel(old) != kernel(new)),
        ("http", http(old) != http(new)),
        ("output", old.output != new.output),
        ("control", old.control != new.control),
        ("metrics", old.metrics != new.metrics),
        ("log", old.log != new.log),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key.to_owned()).collect()
}
