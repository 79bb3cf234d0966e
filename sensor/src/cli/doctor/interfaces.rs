//! Where the ingress program runs on each interface, or would run, and why not in a better place.
//!
//! It must not know how that is found out.

use super::Check;
use crate::config::Config;
use crate::export::Snapshot;
use crate::kernel::{Mode, prospect};

/// What there is to say of every configured interface.
pub(super) fn all(config: &Config, running: Option<&Snapshot>) -> Vec<Check> {
    config.interfaces.iter().map(|interface| one(interface, config, running)).collect()
}

fn one(interface: &str, config: &Config, running: Option<&Snapshot>) -> Check {
    let subject = format!("interface {interface}");
    let figures = running
        .and_then(|snapshot| snapshot.interfaces.iter().find(|figures| figures.name == interface));
    let Some(figures) = figures else { return expected(subject, interface, config) };
    if let Some(lost) = &figures.lost {
        let found = format!("not watched: {lost}");
        return Check::problem(subject, found).advice("the agent watches it when it is back");
    }
    placed(subject, &format!("has {}", place(&figures.mode)), figures.why.as_deref())
}

fn expected(subject: String, interface: &str, config: &Config) -> Check {
    match prospect(interface, config.kernel.xdp_mode) {
        Ok(found) => {
            let would = format!("would get {}", place(found.mode.name()));
            placed(subject, &would, found.why.as_deref())
        }
        Err(error) => Check::problem(subject, format!("{error:#}"))
            .advice("correct `interfaces` or `kernel.xdp_mode`"),
    }
}

fn placed(subject: String, found: &str, why: Option<&str>) -> Check {
    match why {
        None => Check::good(subject, found),
        Some(why) => Check::note(subject, format!("{found}: {why}")),
    }
}

/// A mode in the words of a person who knows XDP.
fn place(mode: &str) -> String {
    if mode == Mode::Stack.name() {
        String::from("a classifier behind XDP")
    } else {
        format!("{mode} XDP")
    }
}
