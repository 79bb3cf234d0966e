//! What the table makes of a connection, event by event.

use std::fmt::Write;

use super::wire::{From, Packet, Wire};
use super::{Event, EventKind, Limits, Side, Table};
use crate::capture::{TcpFlags, Timestamp};

/// Writes events down: `>` client octets, `<` server octets, `[n]` a gap, `(n)` what
/// was left out, `.` an end.
fn note(log: &mut String, event: Event<'_>) {
    // The client's address is the lower one in every test connection.
    let arrow = |side| if side == Side::Low { '>' } else { '<' };
    match event.kind {
        EventKind::Opened(opening) => match opening.initiator {
            Some(side) => write!(log, "{}open", arrow(side)),
            None => write!(log, "midstream"),
        },
        EventKind::Data { side, octets, disputed, .. } => {
            let mark = if disputed { "!" } else { "" };
            write!(log, " {}{mark}{}", arrow(side), String::from_utf8_lossy(octets))
        }
        EventKind::Contradicted { side, .. } => write!(log, " {}?", arrow(side)),
        EventKind::Gap { side, length, .. } => write!(log, " {}[{length}]", arrow(side)),
        EventKind::Skipped { side, length, .. } => write!(log, " {}({length})", arrow(side)),
        EventKind::Finished { side } => write!(log, " {}.", arrow(side)),
        EventKind::Closed(reason) => write!(log, " {reason:?}"),
    }
    .unwrap();
}

fn run(wire: &Wire, limits: Limits) -> (String, Table) {
    let mut table = Table::new(limits, 0);
    let mut log = String::new();
    for segment in wire.segments() {
        table.segment(&segment, &mut |event| note(&mut log, event));
    }
    table.finish(&mut |event| note(&mut log, event));
    (log, table)
}

#[track_caller]
fn check(wire: &Wire, expected: &str) {
    assert_eq!(run(wire, Limits::default()).0, expected);
}

#[test]
fn octets_in_order_go_straight_through() {
    let wire = Wire::open().client("ab").server("xy").client("cd").close();
    check(&wire, ">open >ab <xy >cd >. <. Finished");
}

#[test]
fn segments_out_of_order_are_put_in_order() {
    check(&Wire::open().client("ab").client("cd").swap().close(), ">open >ab >cd >. <. Finished");
    let wire = Wire::open().client("question").server("answer").swap().close();
    check(&wire, ">open >question <answer >. <. Finished");
}

#[test]
fn what_comes_again_is_dropped_and_the_first_octets_stand() {
    let wire = Wire::open().client("ab").again("XY").close();
    check(&wire, ">open >ab >? >. <. Finished");
    let held = Wire::open().client("ab").client("cd").swap();
    let mut packets = held.packets.clone();
    packets.insert(3, packets[2].clone());
    packets[3].payload = b"CX".to_vec();
    let (log, table) = run(&held.with(packets), Limits::default());
    assert_eq!(log, ">open >ab >!cd Drained");
    assert_eq!(table.counters().conflicting_octets, 2);
}

#[test]
fn what_was_acknowledged_and_not_captured_is_a_gap_of_known_size() {
    let wire = Wire::open().client("ab").client("lost!").lose().client("cd").server("ok").close();
    check(&wire, ">open >ab >[5] >cd <ok >. <. Finished");
    let wire = Wire::open().client("ab").client("lost!").lose().server("ok").close();
    check(&wire, ">open >ab >[5] <ok >. <. Finished");
}

#[test]
fn a_gap_waits_for_the_reorder_window_and_no_longer() {
    let lost = Wire::open().client("ab").client("lost!").lose().client("cd").server("ok");
    let early = lost.clone().wait(400_000_000).client("ef");
    let late = lost.wait(600_000_000).client("ef");
    let many = Wire::open().client("a").client("1").lose().client("b").client("23").lose();
    let many = many.client("c").server("ok").wait(600_000_000).client("d");
    let before_end = |wire: &Wire| {
        let mut table = Table::new(Limits::default(), 0);
        let mut log = String::new();
        for segment in wire.segments() {
            table.segment(&segment, &mut |event| note(&mut log, event));
        }
        log
    };
    assert_eq!(before_end(&early), ">open >ab");
    assert_eq!(before_end(&late), ">open >ab >[5] >cd <ok >ef");
    assert_eq!(before_end(&many), ">open >a >[1] >b >[2] >c <ok >d");
}

#[test]
fn what_nobody_acknowledged_is_waited_for_as_long_as_a_sender_tries() {
    let lost = Wire::open().client("ab").client("late!").client("cd");
    let mut packets = lost.packets.clone();
    let mut again = packets.remove(3);
    again.time += 5_000_000_000;
    packets.push(again);
    check(&lost.with(packets), ">open >ab >late! >cd Drained");
}

#[test]
fn a_cut_payload_is_a_gap_after_its_prefix() {
    let wire = Wire::open().client("abcdef").snap(2).client("gh").close();
    check(&wire, ">open >ab >[4] >gh >. <. Finished");
}

#[test]
fn a_connection_may_be_picked_up_under_way() {
    let wire = Wire::midstream().client("ab").server("xy").client("cd").close();
    check(&wire, "midstream >ab <xy >cd >. <. Finished");
}

#[test]
fn one_side_alone_leaves_gaps_of_the_other() {
    let wire = Wire::open().lose().client("ab").server("xyz").lose().client("cd");
    check(&wire, ">open >ab <[3] >cd Drained");
}

#[test]
fn data_may_come_with_the_syn() {
    let mut wire = Wire::midstream();
    wire.push(From::Client, TcpFlags::SYN, b"early");
    wire.push(From::Server, TcpFlags::SYN | TcpFlags::ACK, b"");
    check(&wire.server("xy").close(), ">open >early <xy >. <. Finished");
}

#[test]
fn both_sides_may_open_at_once() {
    let mut wire = Wire::midstream();
    wire.push(From::Client, TcpFlags::SYN, b"");
    wire.push(From::Server, TcpFlags::SYN, b"");
    check(&wire.client("ab").server("xy").close(), ">open >ab <xy >. <. Finished");
}

#[test]
fn a_keep_alive_probe_is_no_data() {
    let mut wire = Wire::open().client("ab").server("xy");
    let mut probe = wire.packets[2].clone();
    probe.sequence = probe.sequence.wrapping_add(1);
    probe.payload = b"?".to_vec();
    probe.payload_length = 1;
    wire.packets.push(probe);
    check(&wire.client("cd").close(), ">open >ab <xy >cd >. <. Finished");
}

#[test]
fn one_side_may_go_on_after_the_other_has_ended() {
    let mut wire = Wire::open().client("ab");
    wire.push(From::Client, TcpFlags::FIN | TcpFlags::ACK, b"");
    let mut wire = wire.server("xy").server("z");
    wire.push(From::Server, TcpFlags::FIN | TcpFlags::ACK, b"");
    check(&wire, ">open >ab >. <xy <z <. Finished");
}

#[test]
fn a_reset_ends_a_connection_unless_it_goes_on() {
    let reset = Wire::open().client("ab").reset();
    check(&reset, ">open >ab Reset");
    check(&reset.clone().client("cd").server("xy"), ">open >ab >cd <xy Reset");
    let resumed = reset.wait(2_000_000_000).client("cd");
    check(&resumed, ">open >ab Resetmidstream >cd Drained");
    let mut forged = Wire::open().client("ab");
    forged.push(From::Server, TcpFlags::RST, b"");
    let last = forged.packets.last_mut().unwrap();
    last.sequence = last.sequence.wrapping_sub(1);
    check(&forged.client("cd"), ">open >ab >cd Drained");
}

/// The packets of a connection over the same ports, with sequence numbers far from those before.
fn over_again(wire: &Wire) -> Vec<Packet> {
    let mut packets = wire.packets.clone();
    for packet in &mut packets {
        let (client, server) = (0x4000_0000, 0x5000_0000);
        let (own, other) =
            if packet.from == From::Client { (client, server) } else { (server, client) };
        packet.sequence = packet.sequence.wrapping_add(own);
        if packet.flags & TcpFlags::ACK != 0 {
            packet.acknowledgement = packet.acknowledgement.wrapping_add(other);
        }
    }
    packets
}

#[test]
fn ports_used_again_are_another_connection() {
    let first = Wire::open().client("ab");
    let twice = |wire: &Wire| first.with([first.packets.clone(), over_again(wire)].concat());
    check(&twice(&first), ">open >ab Reused>open >ab Drained");
    let mut unanswered = Wire::open().client("ab").server("xy");
    unanswered.packets.remove(1);
    check(&twice(&unanswered), ">open >ab Reused>open >[2] <xy Drained");
    let mut refused = Wire::midstream();
    refused.push(From::Client, TcpFlags::SYN, b"");
    refused.push(From::Server, TcpFlags::RST | TcpFlags::ACK, b"");
    check(&twice(&refused), ">open >ab Reused");
    let mut early = Wire::midstream();
    early.push(From::Client, TcpFlags::SYN, b"early");
    early.push(From::Server, TcpFlags::SYN | TcpFlags::ACK, b"");
    check(&twice(&early.client("late")), ">open >ab Reused>open >[5] >late Drained");
}

#[test]
fn a_syn_that_nobody_answers_ends_nothing() {
    let said = Wire::open().client("ab").server("xy");
    let rest = said.clone().client("cd").server("zw").close();
    for far in [1, 3, 70_000, 0x1234_5678, u32::MAX / 2, u32::MAX - 70_000, u32::MAX - 3] {
        for from in [From::Client, From::Server] {
            let mut packets = rest.packets.clone();
            let mut syn = packets[usize::from(from == From::Server)].clone();
            syn.sequence = syn.sequence.wrapping_add(far);
            syn.flags = TcpFlags::SYN;
            let mut answer = packets[4 + usize::from(from == From::Client)].clone();
            answer.payload.clear();
            answer.payload_length = 0;
            answer.flags = TcpFlags::ACK;
            answer.acknowledgement = packets[4 + usize::from(from == From::Server)].sequence;
            let mut data = syn.clone();
            data.sequence = data.sequence.wrapping_add(1);
            data.flags = TcpFlags::ACK;
            data.payload = b"data".to_vec();
            data.payload_length = 4;
            let is_far = (1 << 24..u32::MAX - (1 << 24)).contains(&far);
            let doubtful = if is_far { vec![syn, answer, data] } else { vec![syn, answer] };
            let count = doubtful.len() as u64;
            packets.splice(4..4, doubtful);
            let (log, table) = run(&rest.with(packets), Limits::default());
            assert_eq!(log, ">open >ab <xy >cd <zw >. <. Finished", "{far} {from:?}");
            assert_eq!(table.counters().doubtful_segments, count - 1);
        }
    }
}

/// Floods a table, in which one connection speaks, with others that are `made_up`.
#[track_caller]
fn check_flood(made_up: &Wire) {
    let limits = Limits { connections: 100, ..Limits::default() };
    let mut table = Table::new(limits, 7);
    let mut log = String::new();
    let honest = Wire::open().client("ab");
    for segment in honest.segments() {
        table.segment(&segment, &mut |event| note(&mut log, event));
    }
    log.clear();
    let mut flood = made_up.clone();
    for port in (1..50_000).filter(|port| *port != honest.client.port()) {
        flood.client.set_port(port);
        for segment in flood.segments() {
            table.segment(&segment, &mut |_| {});
        }
    }
    assert_eq!(table.open_connections(), 100);
    assert!(table.counters().closed_evicted > 49_000);
    for segment in honest.server("xy").segments().skip(3) {
        table.segment(&segment, &mut |event| note(&mut log, event));
    }
    assert_eq!(log, " <xy", "goes on");
}

#[test]
fn a_flood_displaces_itself_and_not_the_connections_that_speak() {
    let mut syn = Wire::midstream();
    syn.push(From::Client, TcpFlags::SYN, b"");
    check_flood(&syn);
    check_flood(&Wire::open());
    check_flood(&Wire::midstream().client("made up"));
}

/// A connection that falls silent after `wire` is kept for `seconds`, and no longer.
#[track_caller]
fn check_patience(wire: &Wire, seconds: u64) {
    let mut table = Table::new(Limits::default(), 0);
    for segment in wire.segments() {
        table.segment(&segment, &mut |_| {});
    }
    let last = wire.packets.last().map_or(0, |packet| packet.time);
    let end = last + seconds * 1_000_000_000;
    table.tick(Timestamp(end - 1), &mut |_| {});
    assert_eq!(table.open_connections(), 1);
    table.tick(Timestamp(end), &mut |_| {});
    assert_eq!((table.open_connections(), table.counters().closed_idle), (0, 1));
}

#[test]
fn silent_connections_leave_soon_unless_both_sides_hold_them_open() {
    let (half_open, one_sided, open) = (30, 120, 3 * 60 * 60);
    let mut syn = Wire::midstream();
    syn.push(From::Client, TcpFlags::SYN, b"");
    check_patience(&syn, half_open);
    check_patience(&Wire::open(), one_sided);
    check_patience(&Wire::open().client(""), open);
    check_patience(&Wire::open().client("ab"), open);
    check_patience(&Wire::open().client("ab").server("xy"), open);
    check_patience(&Wire::midstream().client("ab"), one_sided);
    check_patience(&Wire::midstream().client("ab").server(""), open);
    let mut half_closed = Wire::open().client("ab").server("xy");
    half_closed.push(From::Server, TcpFlags::FIN | TcpFlags::ACK, b"");
    check_patience(&half_closed, one_sided);
}

#[test]
fn a_peer_may_take_its_time() {
    let hour = 3_600_000_000_000;
    let wire = Wire::open().client("question").wait(2 * hour).server("answer").wait(2 * hour);
    check(&wire.client("more").close(), ">open >question <answer >more >. <. Finished");
}

/// Hands a segment on in the midst of a connection, half a minute before it goes on, and expects
/// that it changes nothing.
#[track_caller]
fn check_ignored(flags: u8, ahead: u32, acknowledged: u32, octets: &[u8], copies: u32) {
    let start = Wire::open().client("ab").server("xy");
    let rest = start.clone().wait(31_000_000_000).client("cd").server("zw").close();
    let next = rest.packets[4].clone();
    let foreign = (0..copies).map(|copy| Packet {
        time: start.packets[3].time + 1,
        sequence: next.sequence.wrapping_add(ahead).wrapping_add(2 * copy),
        acknowledgement: next.acknowledgement.wrapping_add(acknowledged),
        flags: flags | TcpFlags::ACK,
        payload: octets.to_vec(),
        payload_length: u32::try_from(octets.len()).unwrap(),
        ..next
    });
    let mut packets = rest.packets.clone();
    packets.splice(4..4, foreign);
    let (log, table) = run(&rest.with(packets), Limits::default());
    assert_eq!(log, ">open >ab <xy >cd <zw >. <. Finished", "{ahead} {acknowledged} {copies}");
    assert_eq!(table.counters().implausible_segments, u64::from(copies));
}

#[test]
fn what_a_receiver_drops_changes_nothing() {
    let far = 16 << 20;
    check_ignored(0, far, 0, b"x", 1);
    check_ignored(0, 1 << 28, 0, b"x", 520);
    check_ignored(TcpFlags::FIN, far, 0, b"", 1);
    check_ignored(TcpFlags::FIN, 1_u32.wrapping_neg(), 0, b"", 1);
    check_ignored(0, 0, far, b"x", 1);
}

#[test]
fn a_fin_may_come_after_its_acknowledgement() {
    let mut wire = Wire::open().client("ab").client("lost!").lose().close();
    let last = wire.packets.len() - 1;
    wire.packets[last].time += 600_000_000;
    wire.packets.swap(last - 2, last - 1);
    let fin = wire.packets.remove(last - 1);
    wire.packets.push(Packet { time: fin.time + 700_000_000, ..fin });
    check(&wire, ">open >ab >[6] <. >. Finished");
}

#[test]
fn what_both_sides_say_is_believed_however_far() {
    let lost = "x".repeat(16 << 20);
    let upload = Wire::open().client("ab").client(&lost).lose().client("cd").server("ok");
    check(&upload.close(), ">open >ab >[16777216] >cd <ok >. <. Finished");
    let download = Wire::open().client("ab").server(&lost).lose().server("xy").client("cd");
    check(&download.close(), ">open >ab <[16777216] <xy >cd >. <. Finished");
    let alone = Wire::open().lose().client("ab").server(&lost).lose().client("cd");
    check(&alone, ">open >ab <[16777216] >cd Drained");
}

#[test]
fn a_clock_set_back_takes_no_connection_for_an_old_one() {
    let second = 1_000_000_000;
    for back in [31, 301, 86_400] {
        let mut wire = Wire::open().client("ab").server("xy").client("late!").client("cd");
        wire.packets[..3].iter_mut().for_each(|packet| packet.time += back * second);
        let mut late = wire.packets.remove(4);
        late.time += second / 10;
        wire.packets.push(late);
        let (mut table, mut log) = (Table::new(Limits::default(), 0), String::new());
        for segment in wire.segments() {
            table.segment(&segment, &mut |event| note(&mut log, event));
        }
        assert_eq!(log, ">open >ab <xy >late! >cd", "{back}");
        assert_eq!(table.counters().clock_setbacks, 1);
        let silence = Limits::default().idle.as_secs() + 2;
        table.tick(Timestamp(silence * second), &mut |event| note(&mut log, event));
        assert_eq!(table.open_connections(), 0, "{back}");
    }
}

#[test]
fn held_data_stays_within_its_limits() {
    let mut wire = Wire::open().client("start").client("hole").lose();
    for _ in 0..3000 {
        wire = wire.client("x".repeat(1000));
    }
    let (log, table) = run(&wire, Limits::default());
    assert!(log.starts_with(">open >start >[4] >xxx"), "{}", &log[..40]);
    assert_eq!(table.counters().gap_octets, 4);
    assert!(table.counters().buffer_overflows > 0);
}

#[test]
fn what_was_left_out_keeps_its_place() {
    let wire = Wire::open().client("ab").client("cd").skip().client("ef").close();
    check(&wire, ">open >ab >(2) >ef >. <. Finished");
    let late = Wire::open().client("ab").client("cd").skip().swap().client("ef").close();
    check(&late, ">open >ab >(2) >ef >. <. Finished");
}
