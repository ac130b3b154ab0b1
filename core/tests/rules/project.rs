//! The object of a project: its changes, and when it puts the record into KV.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::Value;
use tailrace_core::object::{AnyObject, Settings};
use tailrace_core::protocol::Response;
use tailrace_core::protocol::project::{ProjectMessage, ProjectOperation, ProjectRecord};
use tailrace_core::runtime::{Actor, KV_SETTLES_MS, ObjectAnswer, ObjectRequest};

use crate::host::{Host, START_MS, project_host};
use crate::kv::Does;

const NAME: &str = "p";

/// A host of a project's object, and the object.
fn object() -> (AnyObject<Host>, Host) {
    let host = project_host();
    (start(&host), host)
}

fn start(host: &Host) -> AnyObject<Host> {
    AnyObject::new(host.clone(), Settings::default())
}

/// Polls a future to its end, while time passes by 100 ms at each poll.
fn run<T>(host: &Host, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..10_000 {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return outcome;
        }
        host.0.now_ms.set(host.0.now_ms.get() + 100);
    }
    panic!("it never ends");
}

fn message(operation: ProjectOperation, body: &str) -> ObjectRequest {
    let message = ProjectMessage { project: NAME.to_owned(), operation, body_too_large: false }.encode();
    ObjectRequest { message, body: body.to_owned().into() }
}

async fn ask(object: &AnyObject<Host>, operation: ProjectOperation, body: &str) -> Response {
    match object.call(message(operation, body)).await {
        ObjectAnswer::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

/// The status of an answer, and its body as JSON.
fn tell(host: &Host, object: &AnyObject<Host>, operation: ProjectOperation, body: &str) -> (u16, Value) {
    let response = run(host, ask(object, operation, body));
    assert_eq!(response.headers.get("cache-control"), Some("no-store"));
    (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
}

fn add(host: &Host, object: &AnyObject<Host>) -> String {
    let (status, told) = tell(host, object, ProjectOperation::AddKey, "");
    assert_eq!(status, 201, "{told}");
    told["key"]["id"].as_str().expect("an id").to_owned()
}

fn create(host: &Host, object: &AnyObject<Host>) -> String {
    let (status, told) = tell(host, object, ProjectOperation::Create, "");
    assert_eq!(status, 201, "{told}");
    told["key"]["id"].as_str().expect("an id").to_owned()
}

/// The record that KV has, and its note.
fn published(host: &Host) -> Option<(ProjectRecord, String)> {
    let texts = host.0.kv.texts.borrow();
    let (text, note) = texts.get(NAME)?;
    Some((ProjectRecord::decode(text).expect("a record"), note.clone()))
}

fn published_ids(host: &Host) -> Vec<String> {
    let (record, _) = published(host).expect("a record");
    record.keys.into_iter().map(|key| key.id).collect()
}

fn puts(host: &Host) -> usize {
    host.0.kv.calls.borrow().iter().filter(|call| call.starts_with("put")).count()
}

fn alarm(host: &Host, object: &AnyObject<Host>) {
    host.0.alarm_ms.set(None);
    assert_eq!(run(host, object.alarm()), Ok(()));
}

/// The alarm goes off at its time.
fn await_alarm(host: &Host, object: &AnyObject<Host>) -> u64 {
    let at_ms = host.0.alarm_ms.get().expect("an alarm");
    host.0.now_ms.set(at_ms.max(host.0.now_ms.get()));
    alarm(host, object);
    at_ms
}

#[test]
fn a_project_is_created_with_a_key_whose_secret_is_told_once() {
    let (object, host) = object();
    let (status, told) = tell(&host, &object, ProjectOperation::Create, "");
    assert_eq!((status, told["project"].as_str()), (201, Some(NAME)));
    let (id, secret) = (told["key"]["id"].as_str().expect("an id"), told["key"]["secret"].as_str().expect("a secret"));
    assert_eq!(secret.len(), 43, "32 bytes");
    // KV has settled by then, and no isolate goes by what it has read before.
    assert_eq!(told["usableAt"], (host.0.now_ms.get() + KV_SETTLES_MS + 30_000).div_ceil(1_000));
    let (record, note) = published(&host).expect("a record");
    assert_eq!((record.version, record.keys[0].id.as_str(), record.keys[0].secret_text().as_str()), (1, id, secret));
    assert_eq!(note, "");
    assert_eq!(tell(&host, &object, ProjectOperation::Create, ""), (200, serde_json::json!({"project": NAME})));
    let shown = serde_json::json!({
        "project": NAME, "keys": [{"id": id, "createdAt": START_MS / 1_000}], "origins": []
    });
    assert_eq!(tell(&host, &object, ProjectOperation::Show, ""), (200, shown));
    assert_eq!(puts(&host), 1, "nothing has changed since");
}

#[test]
fn keys_are_added_and_removed_and_the_last_one_stays() {
    let (object, host) = object();
    let first = create(&host, &object);
    let second = add(&host, &object);
    assert_eq!(published_ids(&host), [second.clone(), first.clone()]);
    let remove = |id: &str| tell(&host, &object, ProjectOperation::RemoveKey(id.to_owned()), "");
    assert_eq!(remove("none").1["error"]["code"], "key_not_found");
    assert_eq!(remove(&first).0, 204);
    assert_eq!(published_ids(&host), [second.as_str()]);
    let (status, told) = remove(&second);
    assert_eq!((status, told["error"]["code"].as_str()), (409, Some("last_key")));
    for _ in 0..7 {
        add(&host, &object);
    }
    let (status, told) = tell(&host, &object, ProjectOperation::AddKey, "");
    assert_eq!((status, told["error"]["code"].as_str()), (409, Some("too_many_keys")));
    assert_eq!(published(&host).expect("a record").0.version, 10);
}

#[test]
fn two_that_remove_at_once_leave_a_key() {
    let (object, host) = object();
    let ids = [create(&host, &object), add(&host, &object)];
    let [one, other] = ids.map(|id| ask(&object, ProjectOperation::RemoveKey(id), ""));
    let (mut one, mut other) = (pin!(one), pin!(other));
    let mut answers = [None, None];
    run(
        &host,
        poll_fn(|context| {
            if answers[0].is_none() {
                answers[0] = as_ready(one.as_mut().poll(context));
            }
            if answers[1].is_none() {
                answers[1] = as_ready(other.as_mut().poll(context));
            }
            if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
        }),
    );
    assert_eq!(answers.map(|answer| answer.expect("an answer").status), [204, 409]);
    assert_eq!(published_ids(&host).len(), 1);
}

fn as_ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

#[test]
fn origins_are_replaced_as_a_whole_or_not_at_all() {
    let (object, host) = object();
    create(&host, &object);
    let set = |body: &str| {
        let (status, told) = tell(&host, &object, ProjectOperation::SetOrigins, body);
        (status, told["error"]["code"].as_str().map(str::to_owned))
    };
    let invalid = || (400, Some("invalid_origin".to_owned()));
    for (body, expected, origins) in [
        (r#"["https://a.test","http://b.test:81"]"#, (204, None), &["https://a.test", "http://b.test:81"][..]),
        (r#"["https://a.test","null"]"#, invalid(), &["https://a.test", "http://b.test:81"]),
        ("", invalid(), &["https://a.test", "http://b.test:81"]),
        (r#""*""#, invalid(), &["https://a.test", "http://b.test:81"]),
        (r#"["*"]"#, (204, None), &["*"]),
        ("[]", (204, None), &[]),
        ("[]", (204, None), &[]),
    ] {
        assert_eq!(set(body), expected, "{body}");
        assert_eq!(published(&host).expect("a record").0.origins, origins, "{body}");
    }
    assert_eq!(puts(&host), 4, "what changes nothing is not published");
}

#[test]
fn a_project_that_is_deleted_is_no_more_until_it_is_created_again() {
    let (object, host) = object();
    let first = create(&host, &object);
    assert_eq!(tell(&host, &object, ProjectOperation::Delete, "").0, 204);
    let (record, note) = published(&host).expect("a record");
    assert_eq!((record.is_deleted, record.version, note.as_str()), (true, 2, "deleted"));
    for operation in [
        ProjectOperation::Show,
        ProjectOperation::Delete,
        ProjectOperation::AddKey,
        ProjectOperation::RemoveKey(first.clone()),
        ProjectOperation::SetOrigins,
    ] {
        let (status, told) = tell(&host, &object, operation.clone(), "[]");
        assert_eq!((status, told["error"]["code"].as_str()), (404, Some("project_not_found")), "{operation:?}");
    }
    assert_ne!(create(&host, &object), first);
    let (record, note) = published(&host).expect("a record");
    assert_eq!((record.version, record.keys.len(), note.as_str()), (3, 1, ""));
}

#[test]
fn a_change_is_answered_once_kv_has_confirmed_it_and_is_published_by_and_by_if_that_takes_too_long() {
    let (object, host) = object();
    host.0.kv.does.set(Does::Fails);
    // What KV has of the project cannot be asked for: nothing changes.
    let (status, told) = tell(&host, &object, ProjectOperation::Create, "");
    assert_eq!((status, told["error"]["code"].as_str()), (503, Some("registry_unavailable")));
    assert_eq!(host.0.alarm_ms.get(), None);
    host.0.kv.does.set(Does::Works);
    let first = create(&host, &object);
    host.0.kv.does.set(Does::Fails);
    let began_ms = host.0.now_ms.get();
    let (status, told) = tell(&host, &object, ProjectOperation::AddKey, "");
    assert_eq!((status, told["error"]["code"].as_str()), (503, Some("registry_unavailable")));
    assert!((20_000..60_000).contains(&(host.0.now_ms.get() - began_ms)));
    assert_eq!(published_ids(&host), [first]);
    // It is made all the same: a retry of the operator finds it.
    assert_eq!(tell(&host, &object, ProjectOperation::Show, "").1["keys"].as_array().map(Vec::len), Some(2));
    host.0.kv.does.set(Does::Works);
    await_alarm(&host, &object);
    assert_eq!(published_ids(&host).len(), 2);
}

#[test]
fn a_put_whose_end_is_unknown_is_followed_by_another_one_once_it_cannot_come_any_more() {
    for does in [Does::Fails, Does::FailsThoughDone] {
        let (object, host) = object();
        create(&host, &object);
        host.0.kv.does.set(does);
        let (mut pending, mut added) = (pin!(ask(&object, ProjectOperation::AddKey, "")), None);
        // The first put fails, and the next one a second later does not.
        let failed_ms = host.0.now_ms.get();
        run(
            &host,
            poll_fn(|context| {
                if puts(&host) > 1 {
                    host.0.kv.does.set(Does::Works);
                }
                added = as_ready(pending.as_mut().poll(context));
                if added.is_some() { Poll::Ready(()) } else { Poll::Pending }
            }),
        );
        let added = added.expect("an answer");
        assert_eq!((added.status, puts(&host)), (201, 3));
        // What was put in vain may take the key back until the record is put once more.
        let told: Value = serde_json::from_slice(&added.body).expect("JSON");
        let usable_ms = told["usableAt"].as_u64().expect("a time") * 1_000;
        assert!(usable_ms >= failed_ms + 2 * KV_SETTLES_MS + 30_000, "{usable_ms}");
        let due_ms = host.0.alarm_ms.get().expect("an alarm");
        assert!(due_ms >= failed_ms + KV_SETTLES_MS, "{due_ms}");
        // An alarm that comes early, and one of another instance, puts nothing.
        alarm(&host, &object);
        assert_eq!((puts(&host), host.0.alarm_ms.get()), (3, Some(due_ms)));
        await_alarm(&host, &start(&host));
        assert_eq!(puts(&host), 4);
        alarm(&host, &object);
        assert_eq!((puts(&host), host.0.alarm_ms.get()), (4, None), "it is settled");
    }
}

#[test]
fn a_put_under_way_at_the_end_of_an_instance_counts_as_one_whose_end_is_unknown() {
    let (object, host) = object();
    create(&host, &object);
    host.0.kv.does.set(Does::Silent);
    {
        let mut pending = pin!(ask(&object, ProjectOperation::AddKey, ""));
        for _ in 0..20 {
            assert!(pending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            host.0.now_ms.set(host.0.now_ms.get() + 100);
        }
    }
    assert_eq!(puts(&host), 2);
    let crashed_ms = host.0.now_ms.get();
    host.0.kv.does.set(Does::Works);
    // The next instance is asked before the alarm goes off.
    let object = start(&host);
    let last = add(&host, &object);
    assert_eq!(published_ids(&host)[0], last);
    let due_ms = host.0.alarm_ms.get().expect("an alarm");
    assert!(due_ms >= crashed_ms + KV_SETTLES_MS - 2_000, "{}", due_ms - crashed_ms);
    let before = puts(&host);
    await_alarm(&host, &object);
    assert_eq!(puts(&host), before + 1);
}

#[test]
fn puts_are_a_second_apart_and_one_at_a_time() {
    let (object, host) = object();
    create(&host, &object);
    let began_ms = host.0.now_ms.get();
    let at_ms = Cell::new(0);
    let adds = [(); 3].map(|()| Box::pin(ask(&object, ProjectOperation::AddKey, "")));
    run(&host, async {
        let answers = futures_util::future::join_all(adds).await;
        assert!(answers.iter().all(|answer| answer.status == 201));
        at_ms.set(host.0.now_ms.get());
    });
    assert_eq!(published_ids(&host).len(), 4);
    assert_eq!(puts(&host), 2, "three changes before it is time to put are one put");
    assert!((1_000..2_000).contains(&(at_ms.get() - began_ms)), "{}", at_ms.get() - began_ms);
}

#[test]
fn what_the_earlier_system_has_left_in_kv_is_imported_with_the_first_change() {
    let (object, host) = object();
    let legacy = r#"{"signingSecrets":["short"],"corsOrigins":["*"]}"#;
    host.0.kv.texts.borrow_mut().insert(NAME.to_owned(), (legacy.to_owned(), String::new()));
    assert_eq!(tell(&host, &object, ProjectOperation::Create, "").0, 200, "it is there");
    let shown = tell(&host, &object, ProjectOperation::Show, "").1;
    assert_eq!(shown["keys"][0]["id"], "imported-1");
    assert_eq!(puts(&host), 0);
    let added = add(&host, &object);
    let (record, _) = published(&host).expect("a record");
    assert_eq!(record.keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), [added.as_str(), "imported-1"]);
    assert_eq!((record.keys[1].secret.as_slice(), record.origins[0].as_str()), (&b"short"[..], "*"));
    // From here on the object knows better than KV.
    host.0.kv.texts.borrow_mut().insert(NAME.to_owned(), (legacy.to_owned(), String::new()));
    add(&host, &start(&host));
    assert_eq!(published_ids(&host).len(), 3);
    host.0.kv.texts.borrow_mut().clear();
    let (other, other_host) = self::object();
    other_host.0.kv.texts.borrow_mut().insert(NAME.to_owned(), ("{}".to_owned(), String::new()));
    let (status, told) = tell(&other_host, &other, ProjectOperation::Create, "");
    assert_eq!(
        (status, told["error"]["code"].as_str()),
        (503, Some("registry_unavailable")),
        "nobody knows what it is"
    );
}

#[test]
fn an_alarm_that_was_given_up_is_set_again_by_the_first_request() {
    let (object, host) = object();
    create(&host, &object);
    host.0.kv.does.set(Does::Fails);
    assert_eq!(tell(&host, &object, ProjectOperation::Delete, "").0, 503);
    host.0.alarm_ms.set(None);
    host.0.now_ms.set(host.0.now_ms.get() + 3_600_000);
    let object = start(&host);
    assert_eq!(tell(&host, &object, ProjectOperation::Show, "").0, 404);
    assert_eq!(host.0.alarm_ms.get(), Some(host.0.now_ms.get()));
}

#[test]
fn a_message_of_another_version_changes_nothing() {
    let (object, host) = object();
    let unknown = ObjectRequest::of("2Cp ".to_owned());
    let ObjectAnswer::Response(response) = run(&host, object.call(unknown)) else { panic!("a socket") };
    assert_eq!((response.status, puts(&host)), (503, 0));
    assert_eq!(create(&host, &object).len(), 8);
}

/// Polls a change as often as time passes by 100 ms, without letting it end.
fn go_on(host: &Host, changes: &mut [std::pin::Pin<&mut dyn Future<Output = Response>>], times: usize) {
    for _ in 0..times {
        for change in changes.iter_mut() {
            assert!(change.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        host.0.now_ms.set(host.0.now_ms.get() + 100);
    }
}

#[test]
fn a_change_while_a_put_is_under_way_is_put_after_it() {
    let (object, host) = object();
    create(&host, &object);
    host.0.kv.does.set(Does::Silent);
    let (mut one, mut other) =
        (pin!(ask(&object, ProjectOperation::AddKey, "")), pin!(ask(&object, ProjectOperation::AddKey, "")));
    go_on(&host, &mut [one.as_mut()], 15);
    go_on(&host, &mut [one.as_mut(), other.as_mut()], 15);
    assert_eq!(puts(&host), 2, "one at a time");
    host.0.kv.does.set(Does::Works);
    let began_ms = host.0.now_ms.get();
    let statuses = run(&host, async { [one.await.status, other.await.status] });
    assert_eq!((statuses, puts(&host), published_ids(&host).len()), ([201, 201], 3, 3));
    assert!(host.0.now_ms.get() - began_ms < 5_000, "nobody waits in vain");
}

#[test]
fn a_record_that_kv_does_not_take_is_put_less_and_less_often() {
    let (object, host) = object();
    create(&host, &object);
    host.0.kv.does.set(Does::Fails);
    assert_eq!(tell(&host, &object, ProjectOperation::AddKey, "").0, 503);
    for _ in 0..3 {
        let at_ms = await_alarm(&host, &object);
        let pause_ms = host.0.alarm_ms.get().expect("an alarm") - at_ms;
        assert!((30_000..=60_000).contains(&pause_ms), "{pause_ms}");
    }
}

#[test]
fn no_two_keys_of_a_project_have_one_id() {
    let (object, host) = object();
    // The host's randomness comes round after some hundred draws, and this key has an id of it.
    let first = create(&host, &object);
    for _ in 0..140 {
        let id = add(&host, &object);
        assert_ne!(id, first);
        assert_eq!(tell(&host, &object, ProjectOperation::RemoveKey(id), "").0, 204);
    }
}

#[test]
fn a_list_of_origins_that_was_too_large_is_refused() {
    let (object, host) = object();
    create(&host, &object);
    let message =
        ProjectMessage { project: NAME.to_owned(), operation: ProjectOperation::SetOrigins, body_too_large: true };
    let request = ObjectRequest { message: message.encode(), body: "[]".into() };
    let ObjectAnswer::Response(response) = run(&host, object.call(request)) else { panic!("a socket") };
    assert_eq!((response.status, puts(&host)), (413, 1));
}
