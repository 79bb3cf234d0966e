//! The programs in the kernel, one frame at a time (`BPF_PROG_TEST_RUN`): what they do with it,
//! what they count it as, and what they copy up of it.
#![expect(clippy::print_stdout, reason = "one test shows what it measures")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::packet::{Packet, flag};
use harness::{emulated, patient};
use hooksensor::config;
use hooksensor::kernel::{BanError, Entry, Kernel, Ring};
use hooksensor_ebpf::abi::{
    BAN_COUNTERS, Ban, Counters, Limit, Limits, Method, Reason, Sample, SourceCounts, kind,
};
use ipnet::IpNet;
use nix::time::{ClockId, clock_gettime};

/// The limit that so many events pass, and no more before any test has ended.
const fn at_once(burst: u64) -> Limit {
    const HOUR: u64 = 3_600_000_000_000;
    Limit { interval: HOUR, tolerance: HOUR * (burst - 1) }
}

/// How long after one notice of a source over its limit there is no other.
const NOTICE_INTERVAL: Duration = Duration::from_millis(100);

/// The programs' clock goes by ticks of this at most.
const TICK: Duration = Duration::from_millis(10);

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const TC_SHOT: u32 = 2;
/// -1: the next classifier decides.
const TC_UNSPECIFIED: u32 = u32::MAX;

const PORT: u16 = 8080;
const SERVER_V4: &str = "198.51.100.1:8080";
const SERVER_V6: &str = "[2001:db8:1::1]:8080";
const BANNED_V4: &str = "192.0.2.66:1000";
const BANNED_V6: &str = "[2001:db8::66]:1000";
const CLEAN_V4: &str = "192.0.2.1:1000";
const CLEAN_V6: &str = "[2001:db8::1]:1000";

const VLAN: u16 = 0x8100;
const QINQ: u16 = 0x88a8;
const QINQ_OLD: u16 = 0x9100;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const DESTINATION: u8 = 60;
const UDP: u8 = 17;
const GRE: u8 = 47;

/// The most that programs copy of a frame's payload: all of it.
const WHOLE: u32 = 65_535;

/// A kernel time that has passed, even by the programs' clock, which lags by a tick.
const LONG_AGO: u64 = 1;

/// Programs that are loaded and attached nowhere. Their pins go with them.
struct Programs {
    kernel: Kernel,
}

impl Programs {
    /// Enforcing, watching [`PORT`], with one banned source of each family.
    fn load() -> Self {
        Self::load_for(16)
    }

    /// The same with room for so many bans.
    fn load_for(bans: u32) -> Self {
        Self::load_with(bans, 1)
    }

    /// The same for so many shards.
    fn load_with(bans: u32, shards: u32) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let pins = format!("/sys/fs/bpf/hs-{}-p{number}", std::process::id());
        let settings = config::Kernel {
            pin_path: PathBuf::from(pins),
            max_bans: bans,
            max_cidr_bans: 16,
            max_sources: 1024,
            ..config::Kernel::default()
        };
        let mut programs = Self { kernel: Kernel::load(&settings, shards).unwrap() };
        programs.watch(&BTreeSet::from([PORT]), Limits::default()).unwrap();
        programs
            .change_settings(|settings| {
                settings.enforce = 1;
                settings.sample_one_in = 1;
                settings.payload_bytes = WHOLE;
                settings.set_source(32, 64);
            })
            .unwrap();
        for banned in ["192.0.2.66/32", "2001:db8::66/128"] {
            programs.ban(banned, u64::MAX, Ban::WATCHED);
        }
        programs
    }

    fn limited(&mut self, limit: Limit) {
        let limits = Limits { packets: limit, ..Limits::default() };
        self.kernel.watch(&BTreeSet::from([PORT]), limits).unwrap();
    }

    fn ban(&mut self, target: &str, expires: u64, scope: u64) {
        let target = target.parse().unwrap();
        self.kernel.ban(&Entry { target, expires, scope }).unwrap();
    }

    /// The action for a frame and what it was counted as, once.
    fn judge(&mut self, frame: &[u8]) -> (u32, Reason) {
        let before = self.counted();
        let action = self.kernel.run_ingress(frame).unwrap();
        let after = self.counted();
        let mut counted = Reason::ALL.into_iter().filter(|reason| {
            let index = *reason as usize;
            after[index] != before[index]
        });
        let reason = counted.next().unwrap();
        assert_eq!(counted.next(), None, "counted twice");
        assert_eq!(after[reason as usize], before[reason as usize] + 1);
        (action, reason)
    }

    fn check(&mut self, name: &str, packet: &Packet, expected: Reason) {
        let dropped = expected.drops();
        let action = if dropped { XDP_DROP } else { XDP_PASS };
        assert_eq!(self.judge(&packet.frame()), (action, expected), "{name}: {packet:?}");
    }

    fn counted(&self) -> [u64; Reason::COUNT] {
        let totals = self.kernel.totals().unwrap();
        let ports = totals.ports.iter().map(|(_, counters)| counters.reasons);
        ports.chain([totals.rest.reasons]).fold([0; Reason::COUNT], |mut sum, reasons| {
            sum.iter_mut().zip(reasons).for_each(|(sum, count)| *sum += count);
            sum
        })
    }
}

impl Deref for Programs {
    type Target = Kernel;

    fn deref(&self) -> &Kernel {
        &self.kernel
    }
}

impl DerefMut for Programs {
    fn deref_mut(&mut self) -> &mut Kernel {
        &mut self.kernel
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        self.kernel.detach().ok();
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn v4(source: &str) -> Packet {
    Packet::tcp(address(source), address(SERVER_V4))
}

fn v6(source: &str) -> Packet {
    Packet::tcp(address(source), address(SERVER_V6))
}

fn to_port(source: &str, destination: &str) -> Packet {
    Packet::tcp(address(source), address(destination))
}

/// A name, and what it does to a packet.
type Disguise = (&'static str, fn(Packet) -> Packet);
/// The ways a banned source could hide.
const DISGUISES: [Disguise; 7] = [
    ("plain", |packet| packet),
    ("SYN", |packet| packet.flags(flag::SYN)),
    ("VLAN", |packet| packet.tag(VLAN, 5)),
    ("QinQ", |packet| packet.tag(QINQ, 5).tag(VLAN, 6)),
    ("old QinQ", |packet| packet.tag(QINQ_OLD, 5).tag(VLAN, 6)),
    ("four tags", |packet| packet.tag(QINQ, 1).tag(QINQ, 2).tag(QINQ, 3).tag(VLAN, 4)),
    ("first fragment", |packet| packet.fragment(0, true)),
];
const ONLY_V4: [Disguise; 2] = [
    ("an option", |packet| packet.ipv4_options(&[1])),
    ("all options", |packet| packet.ipv4_options(&[1; 40])),
];
const ONLY_V6: [Disguise; 4] = [
    ("hop-by-hop", |packet| packet.extension(HOP_BY_HOP, &[])),
    ("routing", |packet| packet.extension(ROUTING, &[0; 22])),
    ("three extensions", |packet| {
        packet.extension(HOP_BY_HOP, &[]).extension(ROUTING, &[]).extension(DESTINATION, &[])
    }),
    ("extension and fragment", |packet| packet.extension(DESTINATION, &[]).fragment(0, true)),
];

/// The ways a banned source could hide, each beside the same packet from a clean one.
#[test]
fn nothing_hides_a_banned_source() {
    let mut programs = Programs::load();
    for (name, disguise) in DISGUISES.iter().chain(&ONLY_V4) {
        programs.check(name, &disguise(v4(BANNED_V4)), Reason::DropBanned);
        programs.check(name, &disguise(v4(CLEAN_V4)), Reason::Clean);
    }
    for (name, disguise) in DISGUISES.iter().chain(&ONLY_V6) {
        programs.check(name, &disguise(v6(BANNED_V6)), Reason::DropBanned);
        programs.check(name, &disguise(v6(CLEAN_V6)), Reason::Clean);
    }
    for (name, disguise) in &DISGUISES {
        for (packet, action) in [(v4(BANNED_V4), TC_SHOT), (v6(CLEAN_V6), TC_UNSPECIFIED)] {
            let packet = disguise(packet);
            let judged = programs.run_stack(&packet.frame()).unwrap();
            assert_eq!(judged, action, "{name}, behind XDP: {packet:?}");
        }
    }
}

/// Every way to hide, with every kind of segment, from sources of every standing: a row each.
#[test]
fn no_disguise_changes_what_a_source_deserves() {
    const STANDINGS: [(&str, u16, Reason); 7] = [
        ("clean", 1, Reason::Clean),
        ("banned", 2, Reason::DropBanned),
        ("in a banned network", 3 << 8, Reason::DropBanned),
        ("protected", 4, Reason::Protected),
        ("no longer banned", 5, Reason::Clean),
        ("banned on another port", 6, Reason::Clean),
        ("banned on the whole host", 7, Reason::DropBanned),
    ];
    const KINDS: [Disguise; 4] = [
        ("nothing", |packet| packet),
        ("SYN", |packet| packet.flags(flag::SYN)),
        ("FIN", |packet| packet.flags(flag::FIN | flag::ACK)),
        ("request", |packet| packet.payload(b"POST /hooks HTTP/1.1\r\n\r\n")),
    ];
    let v4_of = |number: u16| IpAddr::from(Ipv4Addr::from(0x0a00_0000 + u32::from(number)));
    let v6_of = |number: u16| IpAddr::from(Ipv6Addr::from((0xfd00 << 112) + u128::from(number)));
    let mut programs = Programs::load();
    for (host, network) in [(32, 24), (128, 120)] {
        let of = |number| if host == 32 { v4_of(number) } else { v6_of(number) };
        for (number, length, expires, scope) in [
            (2, host, u64::MAX, Ban::WATCHED),
            (3 << 8, network, u64::MAX, Ban::WATCHED),
            (4, host, u64::MAX, Ban::WATCHED),
            (5, host, LONG_AGO, Ban::WATCHED),
            (6, host, u64::MAX, 1 << 40),
            (7, host, u64::MAX, Ban::HOST),
        ] {
            programs.ban(&format!("{}/{length}", of(number)), expires, scope);
        }
    }
    programs.protect(&[v4_of(4).into(), v6_of(4).into()]).unwrap();
    let mut rows = 0;
    for (standing, number, expected) in STANDINGS {
        for (address_of, only, server) in [
            (&v4_of as &dyn Fn(u16) -> IpAddr, ONLY_V4.as_slice(), SERVER_V4),
            (&v6_of, ONLY_V6.as_slice(), SERVER_V6),
        ] {
            let source = SocketAddr::new(address_of(number), 1000);
            for (disguise, hide) in DISGUISES.iter().chain(only) {
                for (kind, make) in &KINDS {
                    let packet = hide(make(Packet::tcp(source, address(server))));
                    programs.check(&format!("{standing}, {kind}, {disguise}"), &packet, expected);
                    rows += 1;
                }
            }
        }
    }
    assert_eq!(rows, 7 * (9 + 11) * 4);
}

#[test]
fn what_is_not_for_a_watched_port_passes_by_name() {
    let mut programs = Programs::load();
    let ssh = to_port(BANNED_V4, "198.51.100.1:22");
    let deep = |packet: Packet| (0..5).fold(packet, |packet, tag| packet.tag(QINQ, tag));
    let long = (0..9).fold(v6(CLEAN_V6), |packet, _| packet.extension(DESTINATION, &[]));
    for (name, packet, expected) in [
        ("SSH of a banned source", ssh, Reason::NotWatched),
        ("UDP", v4(CLEAN_V4).protocol(UDP), Reason::NotTcp),
        ("UDP of a banned source", v4(BANNED_V4).protocol(UDP), Reason::NotTcp),
        ("GRE", v4(CLEAN_V4).protocol(GRE), Reason::Tunnel),
        ("five tags", deep(v4(CLEAN_V4)), Reason::TooDeep),
        ("nine extensions", long, Reason::TooDeep),
        ("later fragment", v4(CLEAN_V4).fragment(8, false), Reason::LaterFragment),
        ("later fragment", v6(CLEAN_V6).fragment(8, false), Reason::LaterFragment),
        ("later fragment, banned", v4(BANNED_V4).fragment(8, false), Reason::DropBanned),
        ("later fragment, banned", v6(BANNED_V6).fragment(8, true), Reason::DropBanned),
    ] {
        programs.check(name, &packet, expected);
    }
    let mut arp = v4(CLEAN_V4).frame();
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    assert_eq!(programs.judge(&arp), (XDP_PASS, Reason::NotIp));
}

/// The kernel runs a program on 14 octets at least. However short the frame is, it passes.
#[test]
fn a_frame_that_ends_early_passes_as_truncated() {
    let mut programs = Programs::load();
    for packet in [v4(CLEAN_V4).tag(VLAN, 5), v6(CLEAN_V6).extension(HOP_BY_HOP, &[])] {
        let frame = packet.frame();
        for length in 14..frame.len() {
            let judged = programs.judge(&frame[..length]);
            assert_eq!(judged, (XDP_PASS, Reason::Truncated), "{length} of {packet:?}");
        }
    }
}

#[test]
fn what_is_against_a_packet_depends_on_protection_and_mode() {
    let mut programs = Programs::load();
    programs.protect(&["192.0.2.66/32".parse().unwrap()]).unwrap();
    programs.check("protected", &v4(BANNED_V4), Reason::Protected);
    programs.check("not protected", &v6(BANNED_V6), Reason::DropBanned);
    programs.protect(&["2001:db8::/32".parse().unwrap()]).unwrap();
    programs.check("no longer protected", &v4(BANNED_V4), Reason::DropBanned);
    programs.check("protected by prefix", &v6(BANNED_V6), Reason::Protected);
    programs.change_settings(|settings| settings.enforce = 0).unwrap();
    programs.check("simulated", &v4(BANNED_V4), Reason::WouldDropBanned);
}

#[test]
fn bans_have_a_width_a_scope_and_an_end() {
    let mut programs = Programs::load();
    let ssh = to_port(CLEAN_V4, "198.51.100.1:22");
    programs.check("clean", &v4(CLEAN_V4), Reason::Clean);
    programs.ban("192.0.2.1/32", LONG_AGO, Ban::WATCHED);
    programs.check("expired", &v4(CLEAN_V4), Reason::Clean);
    programs.ban("192.0.2.0/24", u64::MAX, Ban::WATCHED);
    programs.check("an expired ban inside one in force", &v4(CLEAN_V4), Reason::DropBanned);
    programs.ban("192.0.2.0/28", LONG_AGO, Ban::WATCHED);
    programs.check("an expired prefix inside one in force", &v4(CLEAN_V4), Reason::DropBanned);
    programs.check("outside", &v4("192.0.3.1:1000"), Reason::Clean);
    programs.check("another port", &ssh, Reason::NotWatched);
    programs.unban(&"192.0.2.0/24".parse().unwrap()).unwrap();
    programs.check("lifted", &v4(CLEAN_V4), Reason::Clean);
    programs.ban("192.0.2.0/24", u64::MAX, Ban::HOST);
    programs.check("the whole host", &ssh, Reason::DropBanned);
    programs.check("the whole host", &v4(CLEAN_V4).protocol(UDP), Reason::DropBanned);
    programs.ban("2001:db8::/64", u64::MAX, Ban::WATCHED);
    programs.check("an IPv6 prefix", &v6(CLEAN_V6), Reason::DropBanned);
}

/// What the agent changes holds from the next packet on, in the midst of a flood: nothing is
/// believed that was found before. Most changes come within the tick of the packet before them.
#[test]
fn a_change_holds_from_the_next_packet_on() {
    const ROUNDS: usize = 50;
    const SSH: &str = "198.51.100.1:22";
    const OTHER: &str = "198.51.100.1:8081";
    const DROP: u32 = XDP_DROP;
    const PASS: u32 = XDP_PASS;
    let mut programs = Programs::load();
    programs.watch(&BTreeSet::from([PORT, 8081]), Limits::default()).unwrap();
    let slot = |port| move |(_, other): &(u32, u16)| *other == port;
    let (of_port, _) = programs.slots().unwrap().into_iter().find(slot(PORT)).unwrap();
    let (here, other) = (v4(CLEAN_V4).frame(), to_port(CLEAN_V4, OTHER).frame());
    let ssh = to_port(CLEAN_V4, SSH).frame();
    let six = v6(CLEAN_V6).frame();
    let check = |programs: &Programs, name: &str, expected: [u32; 4]| {
        for _ in 0..2 {
            let found =
                [&here, &other, &ssh, &six].map(|frame| programs.run_ingress(frame).unwrap());
            assert_eq!(found, expected, "{name}");
        }
    };
    let (one, network) = ("192.0.2.1/32", "192.0.2.0/24");
    for _ in 0..ROUNDS {
        check(&programs, "clean", [PASS; 4]);
        programs.ban(one, u64::MAX, Ban::WATCHED);
        check(&programs, "banned", [DROP, DROP, PASS, PASS]);
        programs.ban(one, u64::MAX, 1 << of_port);
        check(&programs, "on one port", [DROP, PASS, PASS, PASS]);
        programs.ban(one, u64::MAX, Ban::HOST);
        check(&programs, "on the host", [DROP, DROP, DROP, PASS]);
        programs.ban(one, LONG_AGO, Ban::HOST);
        check(&programs, "ended", [PASS; 4]);
        programs.ban(network, u64::MAX, Ban::WATCHED);
        programs.ban("2001:db8::/64", u64::MAX, Ban::WATCHED);
        check(&programs, "in a network", [DROP, DROP, PASS, DROP]);
        programs.protect(&[one.parse().unwrap()]).unwrap();
        check(&programs, "protected", [PASS, PASS, PASS, DROP]);
        programs.protect(&[]).unwrap();
        check(&programs, "no longer protected", [DROP, DROP, PASS, DROP]);
        programs.change_settings(|settings| settings.enforce = 0).unwrap();
        check(&programs, "simulated", [PASS; 4]);
        programs.change_settings(|settings| settings.enforce = 1).unwrap();
        check(&programs, "enforced", [DROP, DROP, PASS, DROP]);
        for target in [one, network, "2001:db8::/64"] {
            programs.unban(&target.parse().unwrap()).unwrap();
        }
        check(&programs, "lifted", [PASS; 4]);
        let entry = |scope| Entry { target: one.parse().unwrap(), expires: u64::MAX, scope };
        programs.ban_all(&[entry(Ban::WATCHED)])[0].as_ref().unwrap();
        check(&programs, "banned with others", [DROP, DROP, PASS, PASS]);
        programs.ban_all(&[entry(1 << of_port)])[0].as_ref().unwrap();
        check(&programs, "on one port, with others", [DROP, PASS, PASS, PASS]);
        programs.unban(&one.parse().unwrap()).unwrap();
    }
}

/// Who is dropped is remembered by a sum of its address, which others share.
#[test]
fn a_flood_is_not_mistaken_for_another_source() {
    let mut programs = Programs::load();
    programs.ban("2001:db8::1:0:2/128", u64::MAX, Ban::WATCHED);
    let [banned, clean] =
        ["[2001:db8::1:0:2]:1", "[2001:db8::2:0:1]:1"].map(|from| v6(from).frame());
    for _ in 0..1000 {
        assert_eq!(programs.run_ingress(&banned).unwrap(), XDP_DROP);
        assert_eq!(programs.run_ingress(&clean).unwrap(), XDP_PASS);
    }
}

/// The programs' clock is the one that the kernel moves on with each tick, which is late where the
/// processor that does so is.
#[test]
fn a_ban_ends_on_time_in_the_midst_of_a_flood() {
    let mut programs = Programs::load();
    let frame = v4(CLEAN_V4).frame();
    let expires = clock(ClockId::CLOCK_MONOTONIC) + patient(Duration::from_millis(50));
    programs.ban("192.0.2.1/32", u64::try_from(expires.as_nanos()).unwrap(), Ban::WATCHED);
    loop {
        let before = clock(ClockId::CLOCK_MONOTONIC_COARSE);
        let action = programs.run_ingress(&frame).unwrap();
        if action == XDP_PASS {
            let after = clock(ClockId::CLOCK_MONOTONIC);
            assert!(after >= expires, "{:?} early", expires - after);
            break;
        }
        assert!(before <= expires + 2 * TICK, "{:?} late", before - expires);
    }
}

fn clock(id: ClockId) -> Duration {
    clock_gettime(id).unwrap().into()
}

#[test]
fn what_a_ban_meets_is_counted_by_that_ban() {
    let mut programs = Programs::load();
    let count = |programs: &Programs, target: &str| {
        let count = programs.ban_count(&target.parse().unwrap()).unwrap();
        count.map(|count| (count.packets, count.bytes))
    };
    let udp = |packet: Packet| packet.protocol(UDP);
    for (inside, wide, narrow, source) in [
        ("192.0.2.0/24", "192.0.0.0/16", "192.0.2.1/32", CLEAN_V4),
        ("2001:db8::/64", "2001:db8::/48", "2001:db8::1/128", CLEAN_V6),
    ] {
        let server = if source == CLEAN_V4 { SERVER_V4 } else { SERVER_V6 };
        let packet = || Packet::tcp(address(source), address(server)).payload(b"POST / HTTP/1.1");
        let mut sum = (0, 0);
        programs.ban(inside, u64::MAX, Ban::WATCHED);
        programs.ban(wide, u64::MAX, Ban::HOST);
        assert_eq!(count(&programs, narrow), None);
        for (_, disguise) in &DISGUISES {
            for _ in 0..3 {
                let frame = disguise(packet()).frame();
                assert_eq!(programs.run_ingress(&frame).unwrap(), XDP_DROP);
                assert_eq!(programs.run_stack(&frame).unwrap(), TC_SHOT);
                sum = (sum.0 + 2, sum.1 + 2 * frame.len() as u64);
            }
        }
        assert_eq!(count(&programs, inside), Some(sum), "of the narrowest alone");
        let frame = udp(packet()).frame();
        assert_eq!(programs.run_ingress(&frame).unwrap(), XDP_DROP);
        assert_eq!(count(&programs, wide), Some((1, frame.len() as u64)), "where no other reaches");
        programs.ban(narrow, u64::MAX, Ban::WATCHED);
        let frame = packet().frame();
        programs.protect(&[narrow.parse().unwrap()]).unwrap();
        assert_eq!(programs.run_ingress(&frame).unwrap(), XDP_PASS);
        assert_eq!(count(&programs, narrow), Some((0, 0)), "protected");
        programs.protect(&[]).unwrap();
        programs.change_settings(|settings| settings.enforce = 0).unwrap();
        assert_eq!(programs.run_ingress(&frame).unwrap(), XDP_PASS);
        assert_eq!(count(&programs, narrow), Some((1, frame.len() as u64)), "simulated");
        programs.change_settings(|settings| settings.enforce = 1).unwrap();
        programs.ban(narrow, u64::MAX, Ban::HOST);
        assert_eq!(programs.run_ingress(&frame).unwrap(), XDP_DROP);
        assert_eq!(count(&programs, narrow), Some((2, 2 * frame.len() as u64)), "renewed");
        assert_eq!(count(&programs, inside), Some(sum), "the wider one is as it was");
        programs.unban(&narrow.parse().unwrap()).unwrap();
        assert_eq!(count(&programs, narrow), None, "lifted");
    }
}

/// Every ban holds, and those made one by one still get a counter after a long list; one that was
/// another ban's starts from zero.
#[test]
fn a_long_list_leaves_counters_for_others() {
    const LIST: u32 = 20_000;
    let target = |number: u32| IpNet::from(IpAddr::from(Ipv4Addr::from(0x0a00_0000 + number)));
    let entry = |number| Entry { target: target(number), expires: u64::MAX, scope: Ban::WATCHED };
    let mut programs = Programs::load_for(2 * LIST);
    let drops = |programs: &Programs, number: u32| {
        let source = SocketAddr::new(target(number).addr(), 1000);
        let frame = Packet::tcp(source, address(SERVER_V4)).frame();
        assert_eq!(programs.run_ingress(&frame).unwrap(), XDP_DROP);
        programs.ban_count(&target(number)).unwrap().map(|count| count.packets)
    };
    let list: Vec<_> = (0..LIST).map(entry).collect();
    assert!(programs.ban_all(&list).iter().all(Result::is_ok));
    let counted = (0..LIST).filter(|number| drops(&programs, *number).is_some()).count();
    assert_eq!(counted, BAN_COUNTERS as usize / 2 - 3, "two bans were there");
    let mut ones = LIST..;
    let last = loop {
        let number = ones.next().unwrap();
        programs.kernel.ban(&entry(number)).unwrap();
        match drops(&programs, number) {
            Some(count) => assert_eq!(count, 1),
            None => break number,
        }
    };
    assert_eq!(last - LIST, BAN_COUNTERS / 2);
    programs.unban(&target(0)).unwrap();
    programs.kernel.ban(&entry(last)).unwrap();
    assert_eq!(drops(&programs, last), Some(1), "a counter was given back");
}

/// A rate so low that no packet is earned back while the test runs, and an end that is told again
/// after [`NOTICE_INTERVAL`].
#[test]
fn a_burst_passes_to_the_packet_and_its_end_is_told_once() {
    const BURST: u64 = 100;
    let mut programs = Programs::load();
    let mut ring = programs.take_rings().unwrap().remove(0);
    programs.limited(at_once(BURST));
    for number in 0..BURST {
        programs.check(&format!("packet {number}"), &v4(CLEAN_V4), Reason::Clean);
    }
    samples(&mut ring);
    let begun = Instant::now();
    programs.check("over", &v4(CLEAN_V4), Reason::DropLimited);
    programs.check("over from another port", &v4("192.0.2.1:2000"), Reason::DropLimited);
    let is_one_interval = begun.elapsed() < NOTICE_INTERVAL - TICK;
    programs.check("another source", &v4("192.0.2.2:1000"), Reason::Clean);
    let told = samples(&mut ring);
    let told: Vec<_> = told.iter().filter(|(head, _)| head.kind == kind::OVER_LIMIT).collect();
    assert!(told.len() == 1 || (told.len() == 2 && !is_one_interval), "{told:?}");
    assert_eq!(told[0].0.source, address(CLEAN_V4).ip().into());
    assert_eq!(told[0].0.flags, 0, "it never completed a handshake");
    programs.change_settings(|settings| settings.enforce = 0).unwrap();
    programs.check("simulated", &v4(CLEAN_V4), Reason::WouldDropLimited);
}

/// Addresses of one /64 are one source to the limit, as one host has them all.
#[test]
fn the_limit_of_ipv6_is_per_network() {
    let mut programs = Programs::load();
    programs.limited(ONE);
    programs.check("first", &v6("[2001:db8::1]:1"), Reason::Clean);
    programs.check("same /64", &v6("[2001:db8::2]:1"), Reason::DropLimited);
    programs.check("another /64", &v6("[2001:db8:0:1::1]:1"), Reason::Clean);
}

#[test]
fn payload_is_copied_up_whole_whatever_its_length() {
    let mut programs = Programs::load();
    let mut ring = programs.take_rings().unwrap().remove(0);
    let text: Vec<u8> = (0..=255).cycle().take(1460).collect();
    for length in (0..80).chain([127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1460]) {
        for packet in [v4(CLEAN_V4).tag(VLAN, 42), v6(CLEAN_V6).extension(HOP_BY_HOP, &[])] {
            let packet = packet.flags(flag::PSH | flag::ACK).numbers(u32::MAX, 7);
            let packet = packet.payload(&text[..length]);
            programs.check(&format!("{length} octets"), &packet, Reason::Clean);
            let copied = samples(&mut ring);
            let payload: Vec<u8> = copied.iter().flat_map(|(_, part)| part.clone()).collect();
            assert_eq!(payload, text[..length], "{length} octets of {packet:?}");
        }
    }
}

/// Sequence numbers around the wrap: what ends before the one that was named comes without payload.
#[test]
fn payload_nobody_needs_is_left_out_until_a_sequence_number() {
    const UNTIL: u32 = 100;
    let before = |octets: u32| UNTIL.wrapping_sub(octets);
    let mut programs = Programs::load();
    let mut ring = programs.take_rings().unwrap().remove(0);
    let mut skips = programs.skips().unwrap();
    for (source, server) in [(CLEAN_V4, SERVER_V4), (CLEAN_V6, SERVER_V6)] {
        let (source, server) = (address(source), address(server));
        for (name, sequence, length, flags, left_out) in [
            ("far before", before(1 << 30), 1000, flag::ACK, true),
            ("with FIN", before(2000), 1000, flag::ACK | flag::FIN, true),
            ("over the wrap", before(600), 500, flag::ACK, true),
            ("up to it", before(1000), 1000, flag::ACK, true),
            ("again", before(1000), 1000, flag::ACK, true),
            ("small", before(440), 440, flag::ACK, false),
            ("past it", before(999), 1000, flag::ACK, false),
            ("before it still", before(1000), 1000, flag::ACK, true),
            ("behind it", UNTIL, 1000, flag::ACK, false),
            ("before it, and it is forgotten", before(1000), 1000, flag::ACK, false),
        ] {
            if name == "far before" {
                skips.skip(source, server, UNTIL).unwrap();
            }
            let packet = Packet::tcp(source, server).flags(flags).numbers(sequence, 7);
            let packet = packet.payload(&[b'x'; 1000][..length]);
            let counted = port(&programs);
            programs.check(name, &packet, Reason::Clean);
            let counted = (
                port(&programs).skipped - counted.skipped,
                port(&programs).skipped_bytes - counted.skipped_bytes,
            );
            let [(head, payload)] = &samples(&mut ring)[..] else { panic!("{name}: not one") };
            let known = (head.sequence, head.payload_length as usize, head.flags);
            assert_eq!(known, (sequence, length, flags), "{name}");
            assert_eq!(head.kind == kind::SKIPPED, left_out, "{name}");
            assert_eq!(payload.len(), if left_out { 0 } else { length }, "{name}");
            let expected = if left_out { (1, length as u64) } else { (0, 0) };
            assert_eq!(counted, expected, "{name}");
        }
    }
}

/// What is said of one direction of one connection says nothing of others, nor of the next one.
#[test]
fn what_is_left_out_is_of_one_direction_of_one_connection() {
    let mut programs = Programs::load();
    let mut ring = programs.take_rings().unwrap().remove(0);
    let mut skips = programs.skips().unwrap();
    let (client, server) = (address(CLEAN_V4), address(SERVER_V4));
    let other = address("192.0.2.1:1001");
    let large = |from, to| Packet::tcp(from, to).numbers(1, 1).payload(&[b'x'; 1000]).frame();
    skips.skip(client, server, 5000).unwrap();
    let mut copied = |programs: &mut Programs, ingress: bool, frame: &[u8]| {
        if ingress { programs.run_ingress(frame) } else { programs.run_egress(frame) }.unwrap();
        samples(&mut ring).iter().map(|(_, payload)| payload.len()).sum::<usize>()
    };
    assert_eq!(copied(&mut programs, true, &large(client, server)), 0);
    assert_eq!(copied(&mut programs, true, &large(other, server)), 1000);
    assert_eq!(copied(&mut programs, false, &large(server, client)), 1000);
    skips.skip(server, client, 5000).unwrap();
    assert_eq!(copied(&mut programs, false, &large(server, client)), 0);
    let syn = Packet::tcp(client, server).flags(flag::SYN).numbers(1, 0).frame();
    copied(&mut programs, true, &syn);
    assert_eq!(copied(&mut programs, true, &large(client, server)), 1000, "after a SYN");
}

/// Everything of a client goes to one shard, and clients are shared out.
#[test]
fn a_client_has_one_ring_for_both_directions() {
    const SHARDS: usize = 3;
    const CLIENTS: u8 = 200;
    let mut programs = Programs::load_with(1, u32::try_from(SHARDS).unwrap());
    let mut rings = programs.take_rings().unwrap();
    assert_eq!(rings.len(), SHARDS);
    programs.limited(at_once(1));
    let mut clients = [0; SHARDS];
    for number in 0..CLIENTS {
        let client = SocketAddr::from(([198, 51, 100, number], 1000));
        let segment = Packet::tcp(client, address(SERVER_V4)).payload(b"GET / HTTP/1.1");
        let reply = Packet::tcp(address(SERVER_V4), client).payload(b"HTTP/1.1 200 OK");
        programs.run_ingress(&segment.frame()).unwrap();
        programs.run_egress(&reply.frame()).unwrap();
        programs.run_ingress(&segment.frame()).unwrap();
        let kinds: Vec<Vec<_>> = rings
            .iter_mut()
            .map(|ring| samples(ring).iter().map(|(head, _)| head.kind).collect())
            .collect();
        let of_client = kinds.iter().position(|kinds| !kinds.is_empty()).unwrap();
        assert_eq!(kinds[of_client], [kind::INGRESS, kind::EGRESS, kind::OVER_LIMIT]);
        assert_eq!(kinds.concat().len(), 3, "{client}: {kinds:?}");
        clients[of_client] += 1;
    }
    let fair = usize::from(CLIENTS) / SHARDS;
    assert!(clients.iter().all(|count| (fair / 2..fair * 2).contains(count)), "{clients:?}");
}

#[test]
fn a_sample_says_where_it_was_seen() {
    let mut programs = Programs::load();
    let mut ring = programs.take_rings().unwrap().remove(0);
    let packet = v6(CLEAN_V6).tag(VLAN, 42).flags(flag::PSH | flag::ACK).numbers(1000, 7);
    programs.check("a segment", &packet.clone().payload(b"hello"), Reason::Clean);
    let reply = Packet::tcp(address(SERVER_V6), address(CLEAN_V6)).payload(b"HTTP/1.1 200 OK\r\n");
    programs.run_egress(&reply.frame()).unwrap();
    let [(head, payload), (reply, reply_payload)] = &samples(&mut ring)[..] else {
        panic!("not two samples")
    };
    assert_eq!(head.kind, kind::INGRESS);
    assert_eq!(head.source, address(CLEAN_V6).ip().into());
    assert_eq!(head.destination, address(SERVER_V6).ip().into());
    assert_eq!((head.source_port, head.destination_port), (1000, PORT));
    assert_eq!((head.sequence, head.acknowledgement), (1000, 7));
    assert_eq!((head.vlan, head.flags), (42, flag::PSH | flag::ACK));
    assert_eq!((head.payload_length, payload.as_slice()), (5, &b"hello"[..]));
    assert_eq!(reply.kind, kind::EGRESS);
    assert_eq!((reply.source_port, reply.destination_port), (PORT, 1000));
    assert_eq!(reply_payload, b"HTTP/1.1 200 OK\r\n");
}

#[test]
fn requests_and_responses_are_counted_by_their_first_line() {
    let mut programs = Programs::load();
    for (line, expected) in [
        ("POST /hooks HTTP/1.1\r\n", 1),
        ("GET / HTTP/1.1\r\n", 1),
        ("DELETE /x HTTP/1.1\r\n", 1),
        ("POSTAL /x", 0),
        ("P", 1),
        ("OST /hooks HTTP/1.1\r\n", 0),
        ("GE", 1),
        ("T /hooks HTTP/1.1\r\n", 0),
        ("DEL", 1),
        ("ETE /hooks HTTP/1.1\r\n", 0),
        ("OPTIO", 1),
        ("NS /hooks HTTP/1.1\r\n", 0),
        ("}", 0),
        ("\r\n", 0),
        ("\r\nPOST /hooks HTTP/1.1\r\n", 1),
        ("\nGET /hooks HTTP/1.1\r\n", 1),
        ("\r\n\nPUT /hooks HTTP/1.1\r\n", 1),
        ("\r\n\r\nDELETE /x HTTP/1.1\r\n", 1),
        ("\r\n\r\n\nGET /x HTTP/1.1\r\n", 0),
        ("\r\nPOSTAL /x", 0),
        ("\r\n\r\n", 0),
        ("\r\n\r\n\r\n", 0),
        ("\nPO", 1),
        ("\r\nP", 1),
        ("\r\nGE", 1),
        ("\r\nPOST", 1),
        ("\r\n\r\nDEL", 1),
        ("\n}", 0),
        ("{\"ref\":\"refs/heads/main\"}", 0),
        ("", 0),
    ] {
        let before = port(&programs).requests.iter().sum::<u64>();
        programs.check(line, &v4(CLEAN_V4).payload(line.as_bytes()), Reason::Clean);
        assert_eq!(port(&programs).requests.iter().sum::<u64>() - before, expected, "{line}");
    }
    for (line, class) in [
        ("HTTP/1.1 204 No Content\r\n", Some(2)),
        ("HTTP/1.0 404 Not Found\r\n", Some(4)),
        ("HTTP/1.1 999 Odd\r\n", Some(0)),
        ("HTTPS and more", None),
    ] {
        let reply = Packet::tcp(address(SERVER_V4), address(CLEAN_V4)).payload(line.as_bytes());
        let before = port(&programs).responses;
        programs.run_egress(&reply.frame()).unwrap();
        let after = port(&programs).responses;
        for (index, (after, before)) in after.into_iter().zip(before).enumerate() {
            assert_eq!(after - before, u64::from(class == Some(index)), "{line}, class {index}");
        }
    }
}

#[test]
fn requests_with_other_methods_are_counted_together() {
    let mut programs = Programs::load();
    for (line, expected) in [
        ("PROPFIND /x HTTP/1.1\r\n", 1),
        ("PROPPATCH /x HTTP/1.1\r\n", 1),
        ("MKCOL /x HTTP/1.1\r\n", 1),
        ("LINK /x HTTP/1.1\r\n", 1),
        ("VERSION-CONTROL /x HTTP/1.1\r\n", 1),
        ("\r\nREPORT /x HTTP/1.1\r\n", 1),
        ("OPTIONS * HTTP/1.1\r\n", 1),
        ("REPO", 1),
        ("RE", 1),
        ("PROPHET /x", 0),
        ("UPDATED /x", 0),
        ("OTHER /x HTTP/1.1\r\n", 0),
        ("POST /x HTTP/1.1\r\n", 0),
    ] {
        let counted = |programs: &Programs| port(programs).requests[Method::Other as usize];
        let before = counted(&programs);
        programs.check(line, &v4(CLEAN_V4).payload(line.as_bytes()), Reason::Clean);
        assert_eq!(counted(&programs) - before, expected, "{line}");
    }
}

/// Limits under which one event passes, for good: the next is earned in half an hour.
const ONE: Limit = at_once(1);

#[test]
fn connections_and_requests_have_limits_of_their_own() {
    let mut programs = Programs::load();
    let limits = Limits { connections: ONE, requests: ONE, ..Limits::default() };
    programs.watch(&BTreeSet::from([PORT]), limits).unwrap();
    let syn = v4(CLEAN_V4).flags(flag::SYN);
    let request = v4(CLEAN_V4).payload(b"POST /hooks HTTP/1.1\r\n");
    programs.check("a first SYN", &syn, Reason::Clean);
    programs.check("a second SYN", &syn, Reason::DropConnections);
    programs.check("a SYN of another source", &v4("192.0.2.2:1").flags(flag::SYN), Reason::Clean);
    programs.check("a first request", &request, Reason::Clean);
    programs.check("a second request", &request, Reason::DropRequests);
    for start in ["P", "PO", "POS", "POST", "POST ", "\nP", "\r\nPO", "\r\n\r\nPOST /"] {
        let tiny = v4(CLEAN_V4).payload(start.as_bytes());
        programs.check(start, &tiny, Reason::DropRequests);
    }
    for other in ["PROPFIND / HTTP/1.1\r\n", "LINK / HTTP/1.1\r\n", "SUBSCRIBE / HTTP/1.1\r\n"] {
        let request = v4(CLEAN_V4).payload(other.as_bytes());
        programs.check(other, &request, Reason::DropRequests);
    }
    programs.check("what belongs to the first", &v4(CLEAN_V4).payload(b"{\"a\":1}"), Reason::Clean);
    programs.protect(&["192.0.2.1/32".parse().unwrap()]).unwrap();
    programs.check("of a protected source", &request, Reason::Protected);
    programs.protect(&[]).unwrap();
    programs.change_settings(|settings| settings.enforce = 0).unwrap();
    programs.check("simulated", &syn, Reason::WouldDropConnections);
    programs.check("simulated", &request, Reason::WouldDropRequests);
}

#[test]
fn what_is_dropped_counts_as_what_it_asked_for() {
    let mut programs = Programs::load();
    let limits = Limits { connections: ONE, requests: ONE, ..Limits::default() };
    programs.watch(&BTreeSet::from([PORT]), limits).unwrap();
    let line = b"POST /hooks HTTP/1.1\r\n";
    let banned = Reason::DropBanned;
    for (source, first, syn, request, requests) in [
        (CLEAN_V4, Reason::Clean, Reason::DropConnections, Reason::DropRequests, 2),
        (BANNED_V4, banned, banned, banned, 0),
    ] {
        let before = port(&programs);
        for reason in [first, syn] {
            programs.check("a SYN", &v4(source).flags(flag::SYN), reason);
        }
        for reason in [first, request] {
            programs.check("a request", &v4(source).payload(line), reason);
        }
        let after = port(&programs);
        assert_eq!(after.connections - before.connections, 2, "{source}");
        let asked = |counters: &Counters| counters.requests.iter().sum::<u64>();
        assert_eq!(asked(&after) - asked(&before), requests, "{source}");
    }
}

/// Two CPUs take from one source's allowance at once.
#[test]
fn cpus_that_race_let_through_no_more_than_the_burst() {
    const BURST: u32 = 50_000;
    let mut programs = Programs::load();
    programs.change_settings(|settings| settings.sample_one_in = 0).unwrap();
    let frame = v4(CLEAN_V4).frame();
    for _ in 0..5 {
        let before = programs.counted();
        programs.limited(at_once(BURST.into()));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| programs.repeat_ingress(&frame, BURST).unwrap());
            }
        });
        let after = programs.counted();
        let of = |reason: Reason| after[reason as usize] - before[reason as usize];
        let (passed, burst) = (of(Reason::Clean), u64::from(BURST));
        assert_eq!((passed, of(Reason::DropLimited)), (burst, burst));
        programs = Programs::load();
        programs.change_settings(|settings| settings.sample_one_in = 0).unwrap();
    }
}

/// A client that answers the server's SYN with the number only its receiver can know.
fn shake_hands(programs: &mut Programs, client: &str) {
    let (client, server) = (address(client), address(SERVER_V4));
    let answer = Packet::tcp(server, client).flags(flag::SYN | flag::ACK).numbers(u32::MAX, 2);
    programs.run_ingress(&Packet::tcp(client, server).flags(flag::SYN).frame()).unwrap();
    programs.run_egress(&answer.frame()).unwrap();
    programs.run_ingress(&Packet::tcp(client, server).numbers(2, 0).frame()).unwrap();
}

#[test]
fn only_a_handshake_makes_a_source_established() {
    let mut programs = Programs::load();
    programs.run_ingress(&v4("192.0.2.2:1").flags(flag::SYN).frame()).unwrap();
    programs.run_ingress(&v4("192.0.2.2:1").numbers(2, 1).frame()).unwrap();
    shake_hands(&mut programs, CLEAN_V4);
    let mut known: Vec<_> = programs.sources().unwrap();
    known.sort_by_key(|source| source.address);
    let known: Vec<_> =
        known.iter().map(|one| (one.address.to_string(), one.established)).collect();
    assert_eq!(known, [("192.0.2.1".to_owned(), true), ("192.0.2.2".to_owned(), false)]);
}

/// The map of newcomers holds 1024 here; ten times as many come, each from another address.
#[test]
fn a_flood_of_made_up_sources_pushes_out_none_that_is_known() {
    let mut programs = Programs::load();
    shake_hands(&mut programs, CLEAN_V4);
    for number in 0..10_240_u32 {
        let source = SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + number), 1));
        let syn = Packet::tcp(source, address(SERVER_V4)).flags(flag::SYN);
        programs.run_ingress(&syn.frame()).unwrap();
    }
    let established: Vec<_> =
        programs.sources().unwrap().into_iter().filter(|source| source.established).collect();
    assert_eq!(established.len(), 1);
    assert_eq!(established[0].address, address(CLEAN_V4).ip());
}

#[test]
fn a_port_takes_only_so_many_new_sources() {
    let mut programs = Programs::load();
    shake_hands(&mut programs, CLEAN_V4);
    let limits = Limits { new_sources: ONE, ..Limits::default() };
    programs.watch(&BTreeSet::from([PORT]), limits).unwrap();
    programs.check("one that is known", &v4(CLEAN_V4), Reason::Clean);
    programs.check("a first new one", &v4("192.0.2.2:1"), Reason::Clean);
    programs.check("a second new one", &v4("192.0.2.3:1"), Reason::DropNewSource);
    programs.check("the first again", &v4("192.0.2.2:1"), Reason::Clean);
    programs.check("one that is known", &v4(CLEAN_V4), Reason::Clean);
    programs.change_settings(|settings| settings.enforce = 0).unwrap();
    programs.check("simulated", &v4("192.0.2.3:1"), Reason::WouldDropNewSource);
}

#[test]
fn what_a_source_sent_and_got_is_counted() {
    let mut programs = Programs::load();
    shake_hands(&mut programs, CLEAN_V4);
    let request = v4(CLEAN_V4).payload(b"POST /hooks HTTP/1.1\r\n");
    programs.check("a request", &request, Reason::Clean);
    for line in ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 401 Unauthorized\r\n"] {
        let reply = Packet::tcp(address(SERVER_V4), address(CLEAN_V4)).payload(line.as_bytes());
        programs.run_egress(&reply.frame()).unwrap();
    }
    let [source] = programs.sources().unwrap()[..] else { panic!("not one source") };
    let bytes = 2 * v4(CLEAN_V4).frame().len() + request.frame().len();
    let expected = SourceCounts {
        packets: 3,
        bytes: bytes as u64,
        connections: 1,
        requests: 1,
        responses: [0, 0, 1, 0, 1, 0],
    };
    assert_eq!(source.state.counts, expected);
}

/// At a rate that picks no connection, what is copied up is what stands out.
#[test]
fn sources_that_are_new_failing_or_followed_are_copied_up_at_any_rate() {
    let mut programs = Programs::load();
    let mut ring = programs.take_rings().unwrap().remove(0);
    programs.change_settings(|settings| settings.sample_one_in = u32::MAX).unwrap();
    let request = v4(CLEAN_V4).payload(b"POST /hooks HTTP/1.1\r\n").frame();
    let response = |line: &str| {
        Packet::tcp(address(SERVER_V4), address(CLEAN_V4)).payload(line.as_bytes()).frame()
    };
    let mut copied = |programs: &mut Programs| {
        programs.run_ingress(&request).unwrap();
        samples(&mut ring).len()
    };
    assert_eq!(copied(&mut programs), 0, "one that may be made up");
    shake_hands(&mut programs, CLEAN_V4);
    assert!(copied(&mut programs) > 0, "a new one");
    for _ in 0..20 {
        copied(&mut programs);
    }
    assert_eq!(copied(&mut programs), 0, "one that is known");
    programs.run_egress(&response("HTTP/1.1 200 OK\r\n")).unwrap();
    assert_eq!(copied(&mut programs), 0, "one that succeeds");
    programs.follow(&["192.0.2.0/30".parse().unwrap()]).unwrap();
    assert_eq!(copied(&mut programs), 1, "one that is followed");
    programs.follow(&["192.0.2.128/25".parse().unwrap()]).unwrap();
    assert_eq!(copied(&mut programs), 0, "one that is not followed any more");
    programs.run_egress(&response("HTTP/1.1 401 Unauthorized\r\n")).unwrap();
    assert!(copied(&mut programs) > 0, "one that fails");
    programs.change_settings(|settings| settings.sample_one_in = 0).unwrap();
    assert_eq!(copied(&mut programs), 0, "nothing is to be copied");
}

#[test]
fn how_much_of_an_address_makes_a_source_is_configurable() {
    let mut programs = Programs::load();
    programs.limited(ONE);
    programs.change_settings(|settings| settings.set_source(24, 48)).unwrap();
    programs.check("first", &v4("192.0.2.1:1"), Reason::Clean);
    programs.check("same /24", &v4("192.0.2.2:1"), Reason::DropLimited);
    programs.check("another /24", &v4("192.0.3.1:1"), Reason::Clean);
    programs.check("first", &v6("[2001:db8::1]:1"), Reason::Clean);
    programs.check("same /48", &v6("[2001:db8:0:1::1]:1"), Reason::DropLimited);
    programs.check("another /48", &v6("[2001:db8:1::1]:1"), Reason::Clean);
}

#[test]
fn many_bans_are_put_in_force_at_once_and_what_does_not_fit_is_refused() {
    let mut programs = Programs::load_for(100_000);
    let entry = |number: u32| Entry {
        target: IpNet::from(IpAddr::from(Ipv4Addr::from(0x0a00_0000 + number))),
        expires: u64::MAX,
        scope: Ban::WATCHED,
    };
    // One IPv4 ban is there already.
    let entries: Vec<_> = (0..100_001).map(entry).collect();
    let started = clock(ClockId::CLOCK_THREAD_CPUTIME_ID);
    let taken = programs.ban_all(&entries[..99_999]);
    let took = clock(ClockId::CLOCK_THREAD_CPUTIME_ID) - started;
    // A slow machine keeps this, and work that grows with the square of the bans does not.
    assert!(took < patient(Duration::from_secs(10)), "{took:?}");
    assert!(taken.iter().all(Result::is_ok));
    programs.check("the first", &v4("10.0.0.0:1"), Reason::DropBanned);
    programs.check("the last", &v4("10.1.134.158:1"), Reason::DropBanned);
    let taken = programs.ban_all(&entries[99_980..]);
    let refused: Vec<_> =
        taken.iter().map(|taken| matches!(taken, Err(BanError::Full(_)))).collect();
    assert_eq!(refused, [[false; 19].as_slice(), &[true; 2]].concat());
}

/// The golden file holds the most that each program may need, with room for other kernels; past
/// a million the kernel refuses.
#[test]
fn the_verifier_has_room_to_spare() {
    let counts = Programs::load().verified_instructions().unwrap();
    let limits = include_str!("../golden/verifier.txt").lines().map(|line| {
        let (program, limit) = line.split_once(' ').unwrap();
        (program, limit.parse::<u32>().unwrap())
    });
    for ((name, count), (program, limit)) in counts.into_iter().zip(limits) {
        println!("{name}: {count} of {limit} instructions");
        assert_eq!(name, program);
        assert!(count <= limit, "{name}: {count} instructions, {limit} in the golden file");
        // Of some programs the kernels of guests, which are older, look at a third of what the
        // newest does, and of others at twice that.
        let least = limit / if emulated() { 8 } else { 4 };
        assert!(count > least, "{name}: {count} instructions; {limit} holds nothing back");
    }
}

/// The counters of the watched port.
fn port(programs: &Programs) -> Counters {
    let totals = programs.totals().unwrap();
    totals.ports.into_iter().find(|(port, _)| *port == PORT).unwrap().1
}

/// Everything in the ring: heads, each with the payload behind it.
fn samples(ring: &mut Ring) -> Vec<(Sample, Vec<u8>)> {
    let mut samples = Vec::new();
    ring.drain(usize::MAX, |record| {
        let head = Sample::read(record).unwrap();
        let end = Sample::SIZE + head.captured as usize;
        samples.push((head, record[Sample::SIZE..end].to_vec()));
    });
    samples
}
