use super::*;
use crate::detect::{Consequence, Rule};
use proptest::prelude::*;
use std::net::IpAddr;

const SECOND: u64 = 1_000_000_000;
const NOW: Timestamp = Timestamp(1_000_000 * SECOND);

fn choke_point() -> ChokePoint {
    let ban = config::Ban { per_minute: 2, ..config::Ban::default() };
    let policy = Policy { enforce: true, ports: BTreeSet::from([80, 8080]), ban };
    let protected = Protected::new(vec![
        ("127.0.0.0/8".parse().unwrap(), Why::Loopback),
        ("192.0.2.1/32".parse().unwrap(), Why::Gateway(String::from("eth0"))),
        ("2001:db8:ffff::/48".parse().unwrap(), Why::Configured),
    ]);
    ChokePoint::new(policy, protected)
}

fn request(target: &str) -> Request {
    let duration = Duration::from_secs(3600);
    Request {
        target: target.parse().unwrap(),
        scope: Scope::WatchedPorts,
        duration,
        reason: String::from("test"),
    }
}

/// Carries a decision out, as the kernel would.
fn commit(choke_point: &mut ChokePoint, decision: Result<Decision, Refusal>) {
    choke_point.commit(&decision.unwrap());
}

fn finding(source: &str) -> Finding {
    Finding {
        id: uuid::Uuid::nil(),
        rule: Rule { id: "test", version: 1, consequence: Consequence::Ban },
        time: NOW,
        source: Some(source.parse().unwrap()),
        place: None,
        port: 80,
        reason: String::from("test"),
        evidence: Vec::new(),
    }
}

/// What the choke point answers to a ban: "granted", or the refusal's words.
fn check(description: &str, request: Request, expected: &str) {
    let answer = match choke_point().ban(request, NOW) {
        Ok(_) => String::from("granted"),
        Err(refusal) => refusal.to_string(),
    };
    assert_eq!(answer, expected, "{description}");
}

#[test]
fn bans_are_granted_or_refused_with_a_reason() {
    check("one address", request("203.0.113.9/32"), "granted");
    check("a network", request("203.0.113.0/24"), "granted");
    check("an IPv6 network", request("2001:db8:1::/48"), "granted");
    check(
        "a gateway",
        request("192.0.2.1/32"),
        "192.0.2.1/32 is protected: it is a gateway on eth0",
    );
    check(
        "a network with the gateway in it",
        request("192.0.2.0/24"),
        "192.0.2.0/24 would cover 192.0.2.1/32, which is protected: it is a gateway on eth0",
    );
    check(
        "inside a protected network",
        request("2001:db8:ffff:1::5/128"),
        "2001:db8:ffff:1::5/128 lies in 2001:db8:ffff::/48, which is protected: it is \
         protected by the configuration",
    );
    check(
        "everything",
        request("0.0.0.0/0"),
        "0.0.0.0/0 would cover 127.0.0.0/8, which is protected: it is loopback",
    );
    check(
        "too wide",
        request("198.0.0.0/8"),
        "198.0.0.0/8 is too wide for a ban: the widest is /16 (ban.widest_v4 and ban.widest_v6)",
    );
    let port = Request { scope: Scope::Ports(BTreeSet::from([22])), ..request("203.0.113.9/32") };
    check(
        "a port that is not watched",
        port,
        "port 22 is not watched; name watched ports, or ban on the whole host",
    );
    let long = Request { duration: Duration::from_secs(8 * 86_400), ..request("203.0.113.9/32") };
    check("too long", long, "8d is too long for a ban: the longest is 7d (ban.max_duration)");
    let short = Request { duration: Duration::ZERO, ..request("203.0.113.9/32") };
    check("no time", short, "a ban needs a duration, for example 4h");
    let nowhere = Request { scope: Scope::Ports(BTreeSet::new()), ..request("203.0.113.9/32") };
    check("no port", nowhere, "a ban on ports needs a port");
}

#[test]
fn a_reason_is_text_of_some_length() {
    let expected = "a ban needs a reason of 1 to 500 characters, none of them a control character";
    let with = |reason: String| Request { reason, ..request("203.0.113.9/32") };
    check("500 characters", with("\u{e9}".repeat(500)), "granted");
    for reason in [String::new(), String::from(" "), "a".repeat(501), String::from("a\nb")] {
        check("a bad reason", with(reason), expected);
    }
}

/// What is banned does not become less so by a ban, whoever asks for it.
#[test]
fn a_ban_goes_on_within_a_later_one() {
    const DAY: Duration = Duration::from_hours(24);
    let mut choke_point = choke_point();
    let scope = Scope::Ports(BTreeSet::from([8080]));
    let reason = String::from("told by a neighbour");
    let first = Request { scope, duration: DAY, reason, ..request("203.0.113.1/32") };
    let first = choke_point.ban(first, NOW);
    commit(&mut choke_point, first);
    let later = Timestamp(NOW.0 + 3600 * SECOND);
    let found = choke_point.finding(&finding("203.0.113.1"), later).unwrap();
    assert_eq!(found.scope, Scope::WatchedPorts);
    assert_eq!(found.expires_at(), Timestamp(NOW.0 + 86_400 * SECOND));
    assert!(found.reason.ends_with("; before: told by a neighbour"), "{}", found.reason);
    choke_point.commit(&found);
    let narrow = Scope::Ports(BTreeSet::from([80]));
    let narrow = Request { scope: narrow, duration: 2 * DAY, ..request("203.0.113.1/32") };
    let narrow = choke_point.ban(narrow, later).unwrap();
    assert_eq!((narrow.scope, narrow.duration), (Scope::WatchedPorts, 2 * DAY));
    let over = Timestamp(NOW.0 + 86_400 * SECOND);
    let anew = choke_point.ban(request("203.0.113.1/32"), over).unwrap();
    assert_eq!((anew.duration, anew.reason.as_str()), (Duration::from_hours(1), "test"));
}

#[test]
fn nothing_can_ban_everything_even_where_nothing_is_protected() {
    let policy = Policy { enforce: true, ports: BTreeSet::new(), ban: config::Ban::default() };
    let choke_point = ChokePoint::new(policy, Protected::default());
    for everything in ["0.0.0.0/0", "::/0"] {
        let refusal = choke_point.ban(request(everything), NOW).unwrap_err();
        assert_eq!(refusal.name(), "too_wide");
    }
}

#[test]
fn automatic_bans_keep_to_their_budget_and_do_not_repeat() {
    let mut choke_point = choke_point();
    let first = choke_point.finding(&finding("203.0.113.1"), NOW);
    commit(&mut choke_point, first);
    let again = choke_point.finding(&finding("203.0.113.1"), NOW).unwrap_err();
    assert_eq!(again.name(), "already");
    let second = choke_point.finding(&finding("203.0.113.2"), NOW);
    commit(&mut choke_point, second);
    let third = finding("203.0.113.3");
    assert_eq!(choke_point.finding(&third, NOW).unwrap_err(), Refusal::Budget(2));
    assert!(choke_point.finding(&third, Timestamp(NOW.0 + 61 * SECOND)).is_ok());
    assert_eq!(choke_point.active().len(), 2);
}

/// Bans of before do not count against the budget until the clock is where it was.
#[test]
fn a_clock_set_back_leaves_the_budget() {
    let mut choke_point = choke_point();
    for source in ["203.0.113.1", "203.0.113.2"] {
        let ban = choke_point.finding(&finding(source), NOW);
        commit(&mut choke_point, ban);
    }
    let third = finding("203.0.113.3");
    let set_back = |seconds| Timestamp(NOW.0 - seconds * SECOND);
    assert_eq!(choke_point.finding(&third, set_back(1)).unwrap_err(), Refusal::Budget(2));
    assert!(choke_point.finding(&third, set_back(3600)).is_ok());
    assert!(choke_point.finding(&third, NOW).is_ok());
}

#[test]
fn an_ipv6_source_is_banned_with_its_subnet() {
    let decision = choke_point().finding(&finding("2001:db8:1:2:3::4"), NOW).unwrap();
    assert_eq!(decision.target, "2001:db8:1:2::/64".parse::<IpNet>().unwrap());
}

#[test]
fn bans_end_by_time_by_command_and_by_protection() {
    let mut choke_point = choke_point();
    for target in ["203.0.113.1/32", "203.0.113.2/32"] {
        let decision = choke_point.ban(request(target), NOW);
        commit(&mut choke_point, decision);
    }
    let lifted = choke_point.unban(&"203.0.113.1/32".parse().unwrap(), "by mistake", NOW).unwrap();
    assert_eq!(lifted.action, Action::Unban);
    assert_eq!(choke_point.active().len(), 2, "nothing is lifted before it is carried out");
    choke_point.commit(&lifted);
    assert_eq!(choke_point.unban(&"203.0.113.9/32".parse().unwrap(), "", NOW), None);
    let protected = Protected::new(vec![("203.0.113.0/24".parse().unwrap(), Why::Configured)]);
    assert_eq!(choke_point.protect(protected), ["203.0.113.2/32".parse::<IpNet>().unwrap()]);
    let expired = choke_point.expire(Timestamp(NOW.0 + 3601 * SECOND));
    assert_eq!(expired, ["203.0.113.2/32".parse::<IpNet>().unwrap()]);
    assert_eq!(choke_point.active().len(), 0);
}

#[test]
fn an_address_mapped_into_ipv6_is_the_address() {
    let mapped = request("::ffff:203.0.113.9/128");
    let decision = choke_point().ban(mapped, NOW).unwrap();
    assert_eq!(decision.target, "203.0.113.9/32".parse::<IpNet>().unwrap());
    let gateway = choke_point().ban(request("::ffff:192.0.2.1/128"), NOW).unwrap_err();
    assert_eq!(gateway.name(), "protected");
}

#[test]
fn a_ban_on_one_port_does_not_shield_from_one_on_all() {
    let mut choke_point = choke_point();
    let scope = Scope::Ports(BTreeSet::from([8080]));
    let narrow = choke_point.ban(Request { scope, ..request("203.0.113.1/32") }, NOW);
    commit(&mut choke_point, narrow);
    assert!(choke_point.finding(&finding("203.0.113.1"), NOW).is_ok());
}

#[test]
fn a_ban_ends_with_the_last_of_its_ports() {
    let mut choke_point = choke_point();
    let scope = Scope::Ports(BTreeSet::from([8080]));
    let narrow = choke_point.ban(Request { scope, ..request("203.0.113.1/32") }, NOW);
    commit(&mut choke_point, narrow);
    let policy = Policy { enforce: true, ports: BTreeSet::from([80]), ban: config::Ban::default() };
    let lifted = choke_point.set_policy(policy, NOW);
    assert_eq!(lifted.len(), 1);
    assert_eq!(lifted[0].action, Action::Unban);
}

/// Whoever is dropped from now on is on record as such, with the reason and the end there were.
#[test]
fn bans_are_decided_anew_where_enforcement_turns() {
    const LATER: Timestamp = Timestamp(NOW.0 + 60_000_000_000);
    let mut choke_point = choke_point();
    let decision = choke_point.ban(request("203.0.113.1/32"), NOW).unwrap();
    choke_point.commit(&decision);
    let turn = |choke_point: &mut ChokePoint, enforce| {
        let ports = BTreeSet::from([80, 8080]);
        let policy = Policy { enforce, ports, ban: config::Ban::default() };
        let changes = choke_point.set_policy(policy, LATER);
        changes.iter().for_each(|change| choke_point.commit(change));
        changes
    };
    let enforced = decision.enforced;
    assert_eq!(turn(&mut choke_point, enforced), []);
    let changes = turn(&mut choke_point, !enforced);
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((change.enforced, change.time), (!enforced, LATER));
    assert_eq!(change.expires_at(), decision.expires_at());
    assert_eq!((&change.reason, &change.origin), (&decision.reason, &decision.origin));
    assert_ne!(change.id, decision.id);
    assert_eq!(choke_point.active().collect::<Vec<_>>(), [change]);
}

#[test]
fn a_session_protects_from_new_bans_and_ends_none() {
    let mut choke_point = choke_point();
    let decision = choke_point.ban(request("203.0.113.1/32"), NOW);
    commit(&mut choke_point, decision);
    let session = Protected::new(vec![("203.0.113.1/32".parse().unwrap(), Why::SshPeer)]);
    assert!(choke_point.protect(session).is_empty());
    assert_eq!(choke_point.ban(request("203.0.113.1/32"), NOW).unwrap_err().name(), "protected");
}

proptest! {
    #[test]
    fn no_request_whatever_bans_a_protected_address(address: u32, length in 0_u8..=32, port: u16, seconds: u64, host: bool) {
        let choke_point = choke_point();
        let target = IpNet::new(IpAddr::from(address.to_be_bytes()), length).unwrap().trunc();
        let scope = if host { Scope::Host } else { Scope::Ports(BTreeSet::from([port])) };
        let request = Request { target, scope, duration: Duration::from_secs(seconds), reason: String::new() };
        if let Ok(decision) = choke_point.ban(request, NOW) {
            prop_assert!(choke_point.protected().touched_by(&decision.target).is_none());
            prop_assert!(decision.target.prefix_len() >= 16);
            prop_assert!(decision.expires_at() > NOW);
        }
    }
}

#[test]
fn an_alert_bans_nobody() {
    let mut choke_point = choke_point();
    let mut alert = finding("198.51.100.1");
    alert.rule.consequence = Consequence::Alert;
    assert_eq!(choke_point.finding(&alert, NOW).unwrap_err(), Refusal::AlertOnly);
    assert_eq!(choke_point.active().len(), 0);
}
