//! Reader keys: who is told them, what answers say of them, and how they are replaced.

use tailrace_core::object::{ColdSettings, StreamObject};
use tailrace_core::protocol::live::LiveMessage;
use tailrace_core::protocol::message::{Create, Live, Operation, Read};
use tailrace_core::protocol::{Admission, Expiry, ReadFrom, ReaderKeyDigest, Readership, Response};
use tailrace_core::runtime::{ActorState, ObjectAnswer};
use tailrace_core::storage::SqlStorage;

use crate::host::{Host, append, call_as, object, start};

fn creation(is_public: bool) -> Operation {
    let (location, expiry) = ("https://example.test/a".to_owned(), Expiry::Never);
    Operation::Create(Create { location, content_type: None, expiry, closed: false, public: is_public })
}

fn read(from: ReadFrom, live: Option<Live>) -> Operation {
    let from_now = from == ReadFrom::Now;
    Operation::Read(Read { from, if_none_match: None, live, cursor: None, from_now, is_kept: false })
}

fn ask(object: &StreamObject<Host>, admission: Admission, operation: Operation) -> Response {
    match call_as(admission, object, operation, "") {
        ObjectAnswer::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

fn key(response: &Response) -> Option<String> {
    response.headers.get("stream-reader-key").map(str::to_owned)
}

fn readers(response: &Response) -> Option<Readership> {
    response.headers.get("tailrace-readers").and_then(Readership::parse)
}

fn holders(key: &str) -> Option<Readership> {
    Some(Readership::Holders(ReaderKeyDigest::of(key)))
}

#[test]
fn who_creates_a_stream_or_looks_it_up_with_a_grant_is_told_its_key() {
    for (is_public, admission, is_told) in [
        (false, Admission::Granted, true),
        (false, Admission::Open, false),
        (true, Admission::Granted, false),
        (true, Admission::Open, false),
    ] {
        let (object, host) = object();
        let created = ask(&object, admission, creation(is_public));
        let found = ask(&object, admission, creation(is_public));
        let looked_up = ask(&object, admission, Operation::Head);
        assert_eq!((created.status, found.status, looked_up.status), (201, 200, 200));
        let stored = host.rows("SELECT reader_key FROM stream").pop().filter(|_| is_told);
        assert_eq!(stored.as_ref().is_some_and(|key| key.len() == 22), is_told);
        assert_eq!([key(&created), key(&found), key(&looked_up)], [stored.clone(), None, stored]);
    }
    let keys = [(); 2].map(|()| key(&ask(&object().0, Admission::Granted, creation(false))));
    assert!(keys[0].is_some());
}

#[test]
fn every_answer_of_a_read_says_who_may_be_handed_it_unless_the_deployment_is_open() {
    for is_public in [false, true] {
        let (object, host) = object();
        let own = key(&ask(&object, Admission::Granted, creation(is_public)));
        let expected = own.as_deref().map_or(Some(Readership::Everybody), holders);
        assert_eq!(append(&object), 204);
        for admission in [Admission::Granted, Admission::Open] {
            let is_guarded = admission == Admission::Granted;
            let told = || expected.clone().filter(|_| is_guarded);
            for (from, live) in [
                (ReadFrom::Start, None),
                (ReadFrom::Now, None),
                (ReadFrom::Start, Some(Live::LongPoll)),
                (ReadFrom::Start, Some(Live::Sse)),
            ] {
                let answer = ask(&object, admission, read(from, live));
                assert_eq!((answer.status, readers(&answer)), (200, told()), "{from:?} {live:?}");
            }
            for operation in [creation(is_public), Operation::Head] {
                assert_eq!(readers(&ask(&object, admission, operation)), None);
            }
        }
        // What an edge answers by itself, and what is pushed.
        for live in [Live::LongPoll, Live::Sse] {
            let joined = call_as(Admission::Granted, &object, read(ReadFrom::Now, Some(live)), "");
            let ObjectAnswer::Upgrade(upgrade) = &joined else { panic!("{joined:?}") };
            let greeting = LiveMessage::decode(upgrade.greeting.clone());
            let Some(LiveMessage::Joined { readers, .. }) = greeting else { panic!("{greeting:?}") };
            assert_eq!(readers, expected);
            host.accept(joined);
        }
        assert_eq!(append(&object), 204);
        let pushed: Vec<_> = host.sent().into_iter().filter_map(|(_, message)| LiveMessage::decode(message)).collect();
        let answers = pushed.iter().filter_map(|message| match message {
            LiveMessage::Answer { answer, .. } => Some(readers(answer)),
            _ => None,
        });
        assert_eq!(answers.collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn a_new_key_holds_at_once_and_those_who_wait_come_back() {
    let (object, host) = object();
    let old = key(&ask(&object, Admission::Granted, creation(false))).expect("a key");
    assert_eq!(append(&object), 204);
    for live in [Live::LongPoll, Live::Sse] {
        host.accept(call_as(Admission::Granted, &object, read(ReadFrom::Now, Some(live)), ""));
    }
    let rotated = ask(&object, Admission::Granted, Operation::RotateReaderKey);
    let new = key(&rotated).expect("a key");
    assert_eq!((rotated.status, rotated.headers.get("cache-control")), (200, Some("no-store")));
    assert_eq!(String::from_utf8_lossy(&rotated.body), format!(r#"{{"readerKey":"{new}"}}"#));
    assert_ne!(new, old);
    assert_eq!(readers(&ask(&object, Admission::Granted, read(ReadFrom::Start, None))), holders(&new));
    assert_eq!(key(&ask(&object, Admission::Granted, Operation::Head)), Some(new.clone()));
    let told: Vec<_> = host.sent().into_iter().map(|(count, message)| (count, LiveMessage::decode(message))).collect();
    assert_eq!(told, [(1, Some(LiveMessage::Gone)), (1, Some(LiveMessage::Gone))]);
    assert_eq!(host.rows("SELECT reader_key FROM stream"), [new]);
}

#[test]
fn a_stream_that_is_created_again_has_another_key_and_a_tombstone_none() {
    let (object, host) = object();
    let first = key(&ask(&object, Admission::Granted, creation(false)));
    assert_eq!(ask(&object, Admission::Granted, Operation::Delete).status, 204);
    assert_eq!(host.rows("SELECT public || coalesce(reader_key, 'none') FROM stream"), ["0none"]);
    assert_eq!(ask(&object, Admission::Granted, Operation::RotateReaderKey).status, 404);
    assert_ne!(key(&ask(&object, Admission::Granted, creation(false))), first);
}

#[test]
fn a_stream_of_version_4_gets_a_key_of_its_own_and_is_not_public_and_a_tombstone_gets_none() {
    for is_there in [true, false] {
        let (object, host) = object();
        assert_eq!(ask(&object, Admission::Granted, creation(true)).status, 201);
        assert!(is_there || ask(&object, Admission::Granted, Operation::Delete).status == 204);
        drop(object);
        for change in [
            "ALTER TABLE stream DROP COLUMN public",
            "ALTER TABLE stream DROP COLUMN reader_key",
            "UPDATE stream SET version = 4",
        ] {
            host.sql().run(change, &[]).expect("a change");
        }
        let object = start(&host, ColdSettings::default());
        let looked_up = ask(&object, Admission::Granted, Operation::Head);
        assert_eq!(looked_up.status, if is_there { 200 } else { 404 });
        let stored = host.rows("SELECT version || ' ' || public || ' ' || coalesce(reader_key, 'none') FROM stream");
        let key = key(&looked_up).unwrap_or_else(|| "none".to_owned());
        assert_eq!(stored, [format!("5 0 {key}")]);
        assert_eq!(key.len(), if is_there { 22 } else { 4 });
    }
}
