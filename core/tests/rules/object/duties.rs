//! The duties of an object's agenda: none holds up another, each backs off by itself, and the alarm's handler succeeds
//! all the same.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::FutureExt;
use tailrace_core::object::{ColdSettings, Settings, StreamObject};
use tailrace_core::protocol::Expiry;
use tailrace_core::protocol::message::Operation;
use tailrace_core::runtime::{Actor, ActorState, Listed};
use tailrace_core::storage::{SqlParam, SqlStorage};

use crate::host::{Bucket, Host, START_MS, append, ask, create, object, object_of, object_with};

/// The agenda: kind, minutes until it is due (rounded down), and failures of each entry.
fn agenda(host: &Host) -> Vec<String> {
    const SELECT: &str = "SELECT kind || ' ' || due_ms || ' ' || coalesce(payload, '') FROM agenda ORDER BY kind";
    let told = |row: &String| {
        let mut words = row.splitn(3, ' ');
        let (kind, due_ms, payload) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let minutes = due_ms.parse::<u64>().unwrap().saturating_sub(host.0.now_ms.get()) / 60_000;
        match payload.split_once('\n') {
            Some((_, failures)) => format!("{kind} in {minutes} min after {failures}"),
            None => format!("{kind} in {minutes} min"),
        }
    };
    host.rows(SELECT).iter().map(told).collect()
}

fn due_ms(host: &Host, kind: &str) -> u64 {
    let rows = host.rows("SELECT kind || ' ' || due_ms FROM agenda");
    let row = rows.iter().find_map(|row| row.strip_prefix(&format!("{kind} ")));
    row.expect("an entry of that kind").parse().expect("a number")
}

fn is_there(host: &Host) -> bool {
    !host.rows("SELECT incarnation FROM stream WHERE incarnation IS NOT NULL").is_empty()
}

/// Runs the alarm's handler, which has nothing to wait for.
fn alarm(object: &StreamObject<Host>) {
    assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
}

/// Creates a stream of 60 s, or without an end, with a sealed segment.
fn create_sealed(object: &StreamObject<Host>, expiry: Expiry) {
    assert_eq!(create(object, expiry), 201);
    assert_eq!((append(object), append(object)), (204, 204));
}

const MINUTE: Expiry = Expiry::Ttl { seconds: 60 };

/// Counts how often it is woken.
#[derive(Default)]
struct Alarmed(AtomicUsize);

impl Wake for Alarmed {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_stream_expires_while_r2_does_not_answer_a_put() {
    let (object, host) = object();
    create_sealed(&object, MINUTE);
    host.store().does.set(Bucket::Silent);
    let mut handler = pin!(object.alarm());
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Pending);
    host.pass_ms(59_999);
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Pending);
    assert!(is_there(&host));
    // Many other duties fall due first, of streams that were removed.
    host.sql()
        .run(
            "INSERT INTO agenda (kind, subject, due_ms) SELECT 4, a.value || b.value, ?1 \
             FROM json_each('[1,2,3,4]') a, json_each('[5,6,7,8]') b",
            &[SqlParam::count(START_MS + 61_000).expect("a time")],
        )
        .expect("rows of a test");
    // The slack of its TTL, an eighth.
    host.pass_ms(7_501);
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Pending);
    assert!(!is_there(&host), "the put is still under way");
    host.store().does.set(Bucket::Works);
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Ready(Ok(())));
}

#[test]
fn a_removal_begins_while_r2_does_not_answer_a_put_and_a_request_wakes_the_handler_for_it() {
    let (object, host) = object();
    create_sealed(&object, Expiry::Never);
    host.store().does.set(Bucket::Silent);
    let woken = Arc::new(Alarmed::default());
    let waker = Waker::from(woken.clone());
    let mut context = Context::from_waker(&waker);
    let mut handler = pin!(object.alarm());
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(ask(&object, Operation::Head, "").status, 200);
    assert_eq!(woken.0.load(Ordering::Relaxed), 0, "a request that enters no duty costs nothing");
    assert_eq!(ask(&object, Operation::Delete, "").status, 204);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Pending);
    let limits = ColdSettings::default();
    let expected = [("put", limits.change_limit_ms), ("list", limits.read_limit_ms)];
    assert_eq!(*host.store().calls.borrow(), expected);
    host.store().does.set(Bucket::Works);
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Ready(Ok(())));
}

#[test]
fn a_second_handler_leaves_everything_to_the_one_that_runs() {
    let (object, host) = object();
    create_sealed(&object, Expiry::Never);
    host.store().does.set(Bucket::Silent);
    let mut context = Context::from_waker(Waker::noop());
    let puts = || host.store().calls.borrow().len();
    {
        let mut first = pin!(object.alarm());
        assert_eq!(first.as_mut().poll(&mut context), Poll::Pending);
        host.0.alarm_ms.set(None);
        alarm(&object);
        assert_eq!((puts(), host.0.alarm_ms.get()), (1, None), "one attempt at a time");
        // A handler of the platform ends after 15 minutes: this one is gone.
        host.pass_ms(15 * 60_000);
        let mut second = pin!(object.alarm());
        assert_eq!(second.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(puts(), 2);
    }
    let mut third = pin!(object.alarm());
    assert_eq!(third.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(puts(), 3, "nothing is left of handlers that were dropped");
}

#[test]
fn each_duty_that_fails_backs_off_by_itself_and_none_holds_up_another() {
    let (object, host) = object();
    create_sealed(&object, MINUTE);
    // A row that cannot be read: the rotation fails whatever R2 does.
    host.sql().run("UPDATE log SET body = 'no bytes'", &[]).expect("rows of a test");
    let mut last_wait_ms = 0;
    for failures in 1..=20 {
        alarm(&object);
        if !is_there(&host) {
            return assert!(host.0.now_ms.get() > START_MS + 60_000);
        }
        let wait_ms = due_ms(&host, "2") - host.0.now_ms.get();
        let limits = ColdSettings::default();
        let doubled_ms = limits.retry_min_ms.checked_shl(failures - 1).unwrap_or(u64::MAX).min(limits.retry_max_ms);
        assert!((doubled_ms..=doubled_ms * 5 / 4).contains(&wait_ms), "{wait_ms} ms after {failures} failures");
        assert!(wait_ms >= last_wait_ms);
        assert!(host.0.alarm_ms.get().is_some_and(|alarm_ms| alarm_ms <= due_ms(&host, "2")));
        last_wait_ms = wait_ms;
        host.pass_ms(wait_ms);
    }
    panic!("the stream has not expired: {:?}", agenda(&host));
}

#[test]
fn a_sweep_that_its_rotation_has_made_needless_meanwhile_is_not_entered_again() {
    let (object, host) = object_with(ColdSettings { orphan_age_ms: 1_000, ..ColdSettings::default() });
    create_sealed(&object, Expiry::Never);
    host.store().does.set(Bucket::Silent);
    let mut handler = pin!(object.alarm());
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Pending);
    host.pass_ms(1_000);
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Pending);
    let calls: Vec<_> = host.store().calls.borrow().iter().map(|(name, _)| *name).collect();
    assert_eq!(calls, ["put", "list"], "the sweep looks for what the put may leave");
    host.store().does.set(Bucket::Works);
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    assert_eq!(agenda(&host), [""; 0], "the only attempt is recorded");
}

#[test]
fn a_duty_that_succeeds_after_failures_begins_to_count_anew() {
    let (object, host) = object();
    create_sealed(&object, Expiry::Never);
    assert_eq!((append(&object), append(&object)), (204, 204), "a second segment");
    for failures in ["1", "2"] {
        alarm(&object);
        assert_eq!(agenda(&host)[0], format!("2 in 0 min after {failures}"), "{:?}", agenda(&host));
        host.pass_ms(60_000);
    }
    // One put succeeds, and the next one is under way.
    host.store().does.set(Bucket::WorksOnce);
    let mut handler = pin!(object.alarm());
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(agenda(&host)[0], "2 in 0 min");
    host.store().does.set(Bucket::Fails);
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    assert_eq!(agenda(&host)[0], "2 in 0 min after 1");
}

#[test]
fn an_unknown_duty_is_left_alone_fails_no_other_and_is_looked_at_again_an_hour_later() {
    let (object, host) = object();
    create_sealed(&object, MINUTE);
    for kind in 90..=99 {
        let insert = "INSERT INTO agenda (kind, subject, due_ms, payload) SELECT 90 + count(*), '', 7, \
                      'of another version' FROM agenda WHERE kind >= 90";
        host.sql().run(insert, &[]).unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
    host.pass_ms(68_000);
    alarm(&object);
    assert!(!is_there(&host), "the expiry is done");
    let of_another_version = || host.rows("SELECT kind || payload FROM agenda WHERE kind >= 90 ORDER BY kind");
    let expected: Vec<_> = (90..=99).map(|kind| format!("{kind}of another version")).collect();
    assert_eq!(of_another_version(), expected);
    assert_eq!((due_ms(&host, "90"), due_ms(&host, "99")), (START_MS + 3_668_000, START_MS + 3_668_000));
    assert!(host.0.alarm_ms.get() > Some(host.0.now_ms.get()), "the alarm does not go off again at once");
    for hours in 1..=3 {
        host.0.now_ms.set(due_ms(&host, "99"));
        alarm(&object);
        assert_eq!(
            (of_another_version(), due_ms(&host, "99")),
            (expected.clone(), START_MS + 68_000 + (hours + 1) * 3_600_000)
        );
    }
}

#[test]
fn no_stream_is_created_while_a_thousand_earlier_ones_wait_for_r2() {
    let (object, host) = object();
    assert_eq!(create(&object, Expiry::Never), 201);
    let digits = "WITH digit(d) AS (SELECT value FROM json_each('[0,1,2,3,4,5,6,7,8,9]')) \
                  INSERT INTO agenda (kind, subject, due_ms) SELECT 4, a.d || b.d || c.d, 9e15 FROM digit a, digit b, digit c";
    append(&object);
    append(&object);
    host.sql().run(digits, &[]).expect("duties of a test");
    assert_eq!(create(&object, Expiry::Never), 200, "it is there");
    assert_eq!((append(&object), ask(&object, Operation::Delete, "").status), (204, 204));
    assert_eq!(create(&object, Expiry::Never), 503);
    host.sql().run("DELETE FROM agenda WHERE kind = 4 AND subject = '007'", &[]).expect("one is done");
    assert_eq!(create(&object, Expiry::Never), 201);
}

#[test]
fn what_a_given_up_alarm_was_overdue_for_is_not_taken_away_without_another_alarm() {
    let (object, host) = object();
    assert_eq!(create(&object, MINUTE), 201);
    host.sql()
        .run("INSERT INTO agenda (kind, subject, due_ms) SELECT 4, 'gone', due_ms + 3600000 FROM agenda", &[])
        .expect("a duty for later");
    host.0.alarm_ms.set(None);
    // The first request of an instance looks for an alarm that was given up. This one came before it was.
    assert_eq!(ask(&object, Operation::Head, "").status, 200);
    host.pass_ms(600_000);
    assert_eq!(create(&object, Expiry::Never), 201, "the stream had expired, and no alarm had said so");
    assert_eq!(host.0.alarm_ms.get(), Some(due_ms(&host, "4")));
}

#[test]
fn alarms_that_came_too_early_are_forgotten_once_something_was_due() {
    let (object, host) = object();
    assert_eq!(create(&object, MINUTE), 201);
    let ends_ms = due_ms(&host, "1");
    for later_ms in [0, 100, 200] {
        alarm(&object);
        assert_eq!(host.0.alarm_ms.get(), Some(ends_ms + later_ms));
    }
    host.store().does.set(Bucket::Works);
    assert_eq!((append(&object), append(&object)), (204, 204));
    assert_eq!(agenda(&host), ["1 in 1 min", "2 in 0 min"], "a segment is sealed");
    alarm(&object);
    assert_eq!((agenda(&host), host.0.alarm_ms.get()), (vec!["1 in 1 min".to_owned()], Some(ends_ms)));
}

#[test]
fn a_sweep_whose_deletion_fails_finds_the_same_objects_again() {
    let (object, host) = object();
    create_sealed(&object, Expiry::Never);
    alarm(&object);
    host.store().does.set(Bucket::DeletesNothing);
    host.pass_ms(due_ms(&host, "2") - host.0.now_ms.get());
    alarm(&object);
    assert_eq!(agenda(&host), ["3 in 59 min"], "the second attempt was stored, and the first one may have been");
    let incarnation = host.rows("SELECT incarnation FROM stream").remove(0);
    let key = format!("segments/0/{incarnation}/0000000000/of-the-first-attempt");
    host.store().objects.replace(vec![Listed { key, bytes: 1, uploaded_ms: START_MS }]);
    let deletions = || host.store().calls.borrow().iter().filter(|(name, _)| *name == "delete").count();
    for failures in 1..=3 {
        host.pass_ms(due_ms(&host, "3") - host.0.now_ms.get());
        alarm(&object);
        assert_eq!(deletions(), failures);
        assert!(agenda(&host)[0].ends_with(&format!("after {failures}")), "{:?}", agenda(&host));
    }
    host.store().does.set(Bucket::Works);
    host.pass_ms(due_ms(&host, "3") - host.0.now_ms.get());
    alarm(&object);
    assert_eq!((deletions(), agenda(&host)), (4, vec!["3 in 60 min".to_owned()]), "a segment was recorded: once more");
    host.store().objects.take();
    host.pass_ms(3_600_000);
    alarm(&object);
    assert_eq!((deletions(), agenda(&host)), (4, Vec::new()));
}

#[test]
fn the_next_segment_notices_an_alarm_that_was_lost_a_minute_ago() {
    let (object, host) = object();
    create_sealed(&object, Expiry::Never);
    host.0.alarm_ms.set(None);
    for (pass_ms, alarm_ms) in [(59_999, None), (1, Some(START_MS + 60_000))] {
        host.pass_ms(pass_ms);
        assert_eq!((append(&object), append(&object)), (204, 204), "a segment is sealed");
        assert_eq!(host.0.alarm_ms.get(), alarm_ms);
    }
}

#[test]
fn an_append_that_finds_no_room_notices_an_alarm_that_was_lost_a_minute_ago() {
    let mut settings = Settings::default();
    (settings.limits.segment_rows, settings.limits.hot_bytes) = (2, 1_000);
    let (object, host) = object_of(settings);
    create_sealed(&object, Expiry::Never);
    while append(&object) == 204 {}
    host.0.alarm_ms.set(None);
    // Who looks once a minute has just looked.
    for (pass_ms, alarm_ms) in
        [(59_999, None), (1, Some(START_MS + 60_000)), (59_999, None), (1, Some(START_MS + 120_000))]
    {
        host.pass_ms(pass_ms);
        host.0.alarm_ms.set(None);
        assert_eq!(append(&object), 507);
        assert_eq!(host.0.alarm_ms.get(), alarm_ms);
    }
}

#[test]
fn a_listing_that_goes_on_goes_on_at_once_or_later_if_it_told_nothing() {
    let (object, host) = object();
    create_sealed(&object, Expiry::Never);
    alarm(&object);
    host.store().does.set(Bucket::Works);
    host.store().has_more.set(true);
    host.pass_ms(due_ms(&host, "2") - host.0.now_ms.get());
    alarm(&object);
    for _ in 0..2 {
        host.pass_ms(due_ms(&host, "3") - host.0.now_ms.get());
        alarm(&object);
        assert_eq!(agenda(&host), ["3 in 5 min"]);
    }
    let object_at = |number: u32| Listed { key: format!("strange/{number}"), bytes: 1, uploaded_ms: START_MS };
    host.store().objects.replace((0..3).map(object_at).collect());
    let lists = || host.store().calls.borrow().iter().filter(|(name, _)| *name == "list").count();
    let before = lists();
    host.store().does.set(Bucket::WorksOnce);
    host.pass_ms(300_000);
    let mut handler = pin!(object.alarm());
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(handler.as_mut().poll(&mut context), Poll::Pending, "it lists on");
    assert_eq!(lists(), before + 2);
}
