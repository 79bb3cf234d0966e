//! What one agent writes to no other one does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;

use harness::agent::{Agent, Settings, binary};
use harness::network::Network;

const PORT: u16 = 8080;

/// Whether a second agent, which is told to use this of the first one's folder, names it and the
/// first one in refusing to start.
fn check(name: &str) {
    let networks = [(); 2].map(|()| Network::new(1).unwrap());
    let settings = Settings::new(networks[0].interfaces(), PORT);
    let start = |network| Agent::prepare(&binary().unwrap(), network, &settings).unwrap();
    let [mut first, mut second] = networks.each_ref().map(|network| start(&network.server));
    let path = |agent: &Agent<'_>| agent.folder().join(name).display().to_string();
    let (shared, own) = (path(&first), path(&second));
    let text = fs::read_to_string(second.config()).unwrap();
    assert!(text.contains(&own), "{text}");
    fs::write(second.config(), text.replace(&own, &shared)).unwrap();
    first.resume().unwrap();
    let refused = format!("{:#}", second.resume().unwrap_err());
    let holder = format!("process {} (", first.pid().unwrap());
    assert!(refused.contains(&shared) && refused.contains(&holder), "{refused}");
    drop(first);
    second.resume().unwrap();
}

#[test]
fn a_state_directory_is_one_agents() {
    check("state");
}

#[test]
fn a_file_of_records_is_one_agents() {
    check("deliveries.jsonl");
}
