//! What caches in front may keep of a stream that is not public: what answers a URL with the reader key that held when the object
//! answered, whoever else has been answered the same, and for no longer than it is fresh.

use bytes::Bytes;

use crate::edge::access::{Claims, mint};
use crate::edge::scripted::{Happens, START_MS, Says, Scripted, UnderWay, at, config};
use crate::edge::serve::serve;
use crate::edge::{Access, EdgeConfig, KeyRing, Scope};
use crate::protocol::cache::EntryNote;
use crate::protocol::live::{LiveMessage, ReaderPosition};
use crate::protocol::sse::Encoding;
use crate::protocol::{CachePolicy, Headers, Method, ReaderKeyDigest, Readership, Response, header};
use crate::runtime::{Past, Request};

const KEY: &str = "http://localhost/.tailrace/2/_default/a?offset=-1";
const PAGE: &str = "public, max-age=60, stale-while-revalidate=300";
const PAGE_OF_A_KEY: &str = "public, max-age=60";
const NOBODY: &str = "private, no-store";

fn holders(key: &str) -> Readership {
    Readership::Holders(ReaderKeyDigest::of(key))
}

fn page(readers: &Readership) -> Response {
    let response = Response::new(200).with(header::CACHE_CONTROL, PAGE).with(header::ETAG, "\"1\"");
    response.with(header::TAILRACE_READERS, readers.as_str()).with_body("data")
}

/// What a client with a grant is answered, by an edge with that policy, whose URL ends like this.
fn served(env: &Scripted, policy: &str, query: &str, fields: &[(&'static str, &str)]) -> Response {
    let keys = KeyRing::parse(&format!("k:{}", "A".repeat(43))).expect("a key");
    let claims = Claims {
        project: "_default".to_owned(),
        scope: Scope::Read,
        expires_s: START_MS / 1_000 + 99,
        begins_s: None,
        stream: None,
        stream_id: None,
    };
    let mut headers = Headers::default();
    headers.push(header::AUTHORIZATION, format!("Bearer {}", mint(&keys, &claims).expect("a token")));
    fields.iter().for_each(|(name, value)| headers.push(*name, *value));
    let policy = CachePolicy::named(policy).expect("a policy");
    let config = EdgeConfig { access: Access::Keys(keys), policy, ..config() };
    let url = format!("http://localhost/v1/stream/a?offset=-1{query}");
    let request = Request { method: Method::Get, url, headers, body: None, past: Past::default() };
    Scripted::run(serve(env, &config, request)).expect("it waits for nothing but the script");
    env.answered().expect("an answer")
}

/// Every way in which a read is answered, where the object says this of its readers.
fn cases(readers: &Readership) -> Vec<(&'static str, Scripted, &'static str, &'static str, bool)> {
    let kept = || {
        let note = EntryNote { answered_ms: START_MS, lasts_ms: 60_000 };
        Scripted::new([]).with_stored(KEY, page(readers).with(header::TAILRACE_KEPT, note.to_text()))
    };
    let joined = LiveMessage::Joined {
        position: ReaderPosition { next: at(2), commit_ms: START_MS },
        now_ms: START_MS,
        touched_until_ms: u64::MAX,
        ends_ms: u64::MAX,
        encoding: Encoding::Text,
        readers: Some(readers.clone()),
    };
    let answer = LiveMessage::Answer {
        position: ReaderPosition { next: at(5), commit_ms: START_MS },
        answer: page(readers).with(header::STREAM_NEXT_OFFSET, at(5).to_string()),
    };
    let waits = |happens: &[Bytes]| {
        let messages = std::iter::once(joined.encode()).chain(happens.iter().cloned()).map(Happens::Message);
        Scripted::new([Says::Socket(messages.collect())])
    };
    let asks = || Scripted::new([Says::Reply(page(readers))]);
    let flies = || Scripted::new([]).with_flights([UnderWay { brings: Some(page(readers)), ..UnderWay::default() }]);
    let (poll, sse) = ("&live=long-poll", "&live=sse");
    vec![
        ("a page that nothing keeps", asks(), "nothing", "", false),
        ("a miss", asks(), "immutable", "", false),
        ("a hit", kept(), "immutable", "", false),
        ("a hit that the client has", kept(), "immutable", "", true),
        ("a flight", flies(), "immutable", "", false),
        ("a gateway", asks(), "gateway", "", false),
        ("a gateway's that the client has", asks(), "gateway", "", true),
        ("a long-poll", asks(), "zone-silence", poll, false),
        ("a long-poll's flight", flies(), "zone-silence", poll, false),
        ("a long-poll that has waited", waits(&[answer.encode()]), "zone-silence", poll, false),
        ("a long-poll in vain", waits(&[]), "zone-silence", poll, false),
        ("events", waits(&[]), "collapsed-events", sse, false),
        ("events from a page", asks(), "collapsed-events", sse, false),
        ("events that nobody shares", waits(&[]), "immutable", sse, false),
    ]
}

#[test]
fn caches_in_front_keep_what_has_the_key_that_held_in_its_url_and_nothing_else() {
    for (readers, shown, is_kept) in [
        (Readership::Everybody, "", true),
        (Readership::Everybody, "&rk=any", true),
        (holders("current"), "&rk=current", true),
        (holders("current"), "&%72k=curren%74", true),
        (holders("current"), "", false),
        (holders("current"), "&rk", false),
        (holders("current"), "&rk=old", false),
        (holders("current"), "&rk=CURRENT", false),
        (holders("current"), "&rk=current ", false),
        (holders("current"), &format!("&rk={}", holders("current").as_str()), false),
        (holders("current"), "&RK=current", false),
        (holders(""), "", false),
    ] {
        for (what, env, policy, query, has_copy) in cases(&readers) {
            let tags: &[_] = if has_copy { &[(header::IF_NONE_MATCH, "\"1\"")] } else { &[] };
            let answer = served(&env, policy, &format!("{query}{shown}"), tags);
            let what = format!("{what} {readers:?} {shown}");
            let status = if what.contains("in vain") {
                204
            } else if has_copy {
                304
            } else {
                200
            };
            assert_eq!(answer.status, status, "{what}");
            let controls = answer.headers.iter().filter(|(name, _)| *name == header::CACHE_CONTROL);
            let told: Vec<&str> = controls.map(|(_, value)| value).collect();
            let expected = match policy {
                "immutable" if query.contains("sse") && is_kept => "no-cache, no-transform",
                "immutable" if query.contains("sse") => "private, no-store, no-transform",
                _ if !is_kept => NOBODY,
                "collapsed-events" => "public, max-age=1",
                _ if status == 204 => "public, max-age=20",
                _ if readers == Readership::Everybody => PAGE,
                // Without the time for which a cache would serve it while it asks, or cannot.
                _ => PAGE_OF_A_KEY,
            };
            assert_eq!(told, [expected], "{what}");
            for name in [header::TAILRACE_READERS, header::TAILRACE_KEPT, header::TAILRACE_AHEAD] {
                assert_eq!(answer.headers.get(name), None, "{what}: {name}");
            }
            let looks_up =
                ["a miss", "a hit", "a hit that the client has", "a flight"].iter().any(|it| what.starts_with(it));
            assert!(!looks_up || answer.headers.get(header::X_CACHE).is_some(), "{what}");
            if what.starts_with("a miss") {
                // Kept under one URL for all, as the object has said it, whatever the client has shown.
                let stored = env.stored(KEY).expect("it is kept");
                let said = [header::CACHE_CONTROL, header::TAILRACE_READERS].map(|name| stored.headers.get(name));
                assert_eq!(said, [Some(PAGE), Some(readers.as_str())], "{what}");
            }
            assert!(!env.notes().iter().chain(&env.shared()).any(|text| text.contains("rk")), "{what}");
        }
    }
}

#[test]
fn a_reader_key_that_is_there_twice_is_refused() {
    for query in ["&rk=a&rk=a", "&rk=a&rk=b", "&rk=a&%72k=a"] {
        let env = Scripted::new([]);
        assert_eq!(served(&env, "immutable", query, &[]).status, 400, "{query}");
        assert!(env.notes().is_empty());
    }
}
