//! What readers that wait on sockets cost an object: all that the platform can do is list the sockets of a tag.

use futures_util::FutureExt;
use tailrace_core::object::{ColdSettings, Settings, StreamObject};
use tailrace_core::protocol::message::{Live, Operation, Read};
use tailrace_core::protocol::{Expiry, ReadFrom, Waits};
use tailrace_core::runtime::Actor;

use crate::host::{Host, START_MS, append, ask, call, create, object, start};

fn read(live: Option<Live>) -> Operation {
    Operation::Read(Read {
        from: ReadFrom::Now,
        live,
        cursor: None,
        if_none_match: None,
        from_now: true,
        is_kept: false,
    })
}

fn join(object: &StreamObject<Host>, host: &Host, readers: usize) {
    for _ in 0..readers {
        host.accept(call(object, read(Some(Live::Sse)), ""));
    }
}

/// How many sockets were listed meanwhile.
fn listed(host: &Host, what: impl FnOnce()) -> usize {
    let before = host.0.listed.get();
    what();
    host.0.listed.get() - before
}

/// The object starts again with nothing in memory.
fn wake(host: &Host) -> StreamObject<Host> {
    start(host, ColdSettings::default())
}

#[test]
fn only_a_write_lists_sockets_and_a_constant_number_of_times() {
    let (object, host) = object();
    assert_eq!(create(&object, Expiry::Never), 201);
    join(&object, &host, 100);
    type Event = fn(&StreamObject<Host>, &Host);
    let events: [(&str, Event); 4] = [
        ("a read", |object, _| drop(ask(object, read(None), ""))),
        ("a HEAD", |object, _| drop(ask(object, Operation::Head, ""))),
        ("an alarm", |object, _| drop(object.alarm().now_or_never())),
        ("a join", |object, host| join(object, host, 1)),
    ];
    for (name, event) in events {
        let object = wake(&host);
        assert_eq!(listed(&host, || event(&object, &host)), 0, "{name}");
    }
    let object = wake(&host);
    // Whether there are any, and to send to them.
    assert_eq!(listed(&host, || assert_eq!(append(&object), 204)), 2 * 101);
    assert_eq!(listed(&host, || assert_eq!(append(&object), 204)), 101);
}

#[test]
fn sockets_whose_peer_has_vanished_are_closed_some_at_a_time_and_no_others_are_looked_at() {
    let (object, host) = object();
    assert_eq!(create(&object, Expiry::Never), 201);
    join(&object, &host, 1_200);
    let longest_ms = Waits::default().longest_ms();
    let mut looked_at = 0;
    // A reader comes now and then, and the object sleeps in between.
    for _ in 0..24 {
        host.pass_ms(longest_ms / 4);
        let before = host.open_sockets();
        let object = wake(&host);
        looked_at += listed(&host, || join(&object, &host, 1));
        assert!(before + 1 - host.open_sockets() <= 500, "some at a time");
    }
    assert!(host.open_sockets() <= 24, "{} are left", host.open_sockets());
    // Each of them once, and again where there were too many for one turn.
    assert!(looked_at <= 1_200 + 700 + 200 + 2 * 24, "{looked_at} were looked at");
    // Of those that are left, the ones that may be in use are not even looked at.
    join(&object, &host, 1_000);
    let object = wake(&host);
    assert!(listed(&host, || join(&object, &host, 1)) <= 24);
}

#[test]
fn after_a_release_with_longer_waits_no_socket_is_closed_that_may_be_in_use() {
    let (object, host) = object();
    assert_eq!(create(&object, Expiry::Never), 201);
    for _ in 0..8 {
        join(&object, &host, 1);
        host.pass_ms(Waits::default().longest_ms());
    }
    let kept = host.open_sockets();
    assert!(kept >= 2, "{kept} may be in use now");
    let waits = Waits { sse_ms: 900_000, ..Waits::default() };
    let object = StreamObject::new(host.clone(), Settings { waits, ..Settings::default() });
    join(&object, &host, 1);
    assert_eq!(host.open_sockets(), kept + 1, "none is older than the longest wait of this release");
}

#[test]
fn stale_sockets_are_looked_for_once_in_half_the_longest_wait() {
    let longest_ms = Waits::default().longest_ms();
    let mut closed_later = 0;
    for period in 1..=8 {
        let (object, host) = object();
        assert_eq!(create(&object, Expiry::Never), 201);
        // They join in the last moment of a period.
        host.0.now_ms.set((START_MS / longest_ms + period) * longest_ms - 1);
        join(&object, &host, 10);
        let open_after = |ms| {
            host.pass_ms(ms);
            join(&object, &host, 1);
            host.open_sockets()
        };
        assert_eq!(open_after(longest_ms), 11, "none is stale when the first look comes");
        assert_eq!(open_after(longest_ms / 2 - 1), 12, "it is too early for the next one");
        closed_later += usize::from(open_after(1) == 3);
    }
    assert!(closed_later >= 2, "{closed_later} of 8: some have the color of a period that is still in use");
}
