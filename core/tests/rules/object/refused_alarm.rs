//! An alarm that cannot be set undoes the transaction that needs it. This is tested with a host that refuses to set
//! alarms.

use futures_util::FutureExt;
use tailrace_core::protocol::Expiry;
use tailrace_core::runtime::Actor;

use crate::host::{Host, REFUSED, append, create, object, stored};

/// Does `step` while alarms are refused, which must change nothing, and again while they are not, which must work.
fn check(host: &Host, step: impl Fn() -> u16, status: u16) {
    let (before, alarm_ms) = (stored(host), host.0.alarm_ms.get());
    host.0.refuses.set(true);
    assert_eq!(step(), 500);
    assert_eq!(stored(host), before, "what was written is undone");
    host.0.refuses.set(false);
    assert_eq!(step(), status);
    assert_ne!(stored(host), before);
    assert_ne!(host.0.alarm_ms.get(), alarm_ms);
}

#[test]
fn a_stream_is_not_created_without_the_alarm_that_ends_it() {
    let (object, host) = object();
    check(&host, || create(&object, Expiry::Ttl { seconds: 60 }), 201);
}

#[test]
fn an_append_that_seals_a_segment_is_not_applied_without_the_alarm_that_moves_it() {
    let (object, host) = object();
    assert_eq!(create(&object, Expiry::Never), 201);
    host.0.refuses.set(true);
    assert_eq!(append(&object), 204, "the segment has room: no alarm is needed");
    check(&host, || append(&object), 204);
}

#[test]
fn an_alarm_that_cannot_set_the_next_one_fails_in_the_hosts_words() {
    let (object, host) = object();
    assert_eq!(create(&object, Expiry::Ttl { seconds: 60 }), 201);
    let alarm = || object.alarm().now_or_never().expect("nothing to wait for");
    assert!(alarm().is_ok());
    host.0.refuses.set(true);
    assert_eq!(alarm().map_err(|failure| failure.message), Err(REFUSED.to_owned()));
}

#[test]
fn an_alarm_after_an_undone_transaction_finds_no_agenda_that_went_with_it() {
    let (object, host) = object();
    host.0.refuses.set(true);
    assert_eq!(create(&object, Expiry::Ttl { seconds: 60 }), 500);
    // An alarm that was set for an earlier stream goes off before any other request.
    assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
    let (object, host) = crate::host::object();
    assert_eq!(create(&object, Expiry::Never), 201);
    host.0.refuses.set(true);
    assert_eq!((append(&object), append(&object)), (204, 500));
    assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
}
