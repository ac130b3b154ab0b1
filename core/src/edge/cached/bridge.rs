//! A long-poll that has been answered, and goes on for those that come after it: it asks for what they will ask next,
//! and has each answer stored before them.

use super::{Caching, kept, marker, store};
use crate::edge::config::EdgeConfig;
use crate::edge::live::LiveRead;
use crate::edge::poll::fly;
use crate::protocol::cache::Marker;
use crate::protocol::{Offset, ReadFrom, Response, header};
use crate::runtime::{EdgeEnv, marks};

/// Goes on from an answer until `until_ms`, or until there is nothing more to go on from: the stream has ended, or the
/// object does not answer.
pub(in crate::edge) async fn go_on<E: EdgeEnv>(
    env: &E,
    config: &EdgeConfig,
    live: &LiveRead,
    answered: &Response,
    marker: Marker,
    until_ms: u64,
) {
    let mut next = next_read(live, answered);
    while let Some((live, caching)) = next {
        let now_ms = env.now_ms();
        if now_ms >= until_ms {
            return;
        }
        env.sometimes(marks::BRIDGE_WENT_ON);
        marker::leave(env, marker, &caching).await;
        let ends_ms = until_ms.min(now_ms + config.live.waits.long_poll_ms);
        let brought = fly(env, config, &live, (now_ms, ends_ms), None).await;
        let head = brought.head();
        let (answer, note) = kept(env, config, &live, brought).await;
        if let Some(note) = note {
            store(env, &caching, &answer, note).await;
        }
        marker::remove(env, &caching).await;
        next = next_read(&live, &head);
    }
}

/// What is asked next by those who have this answer; `None` after a refusal, and at the end of a stream.
fn next_read(live: &LiveRead, answered: &Response) -> Option<(LiveRead, Caching)> {
    if !matches!(answered.status, 200 | 204) || answered.headers.get(header::STREAM_CLOSED).is_some() {
        return None;
    }
    let mut next = live.clone();
    next.read.from = ReadFrom::At(Offset::parse(answered.headers.get(header::STREAM_NEXT_OFFSET)?)?);
    next.read.cursor = Some(answered.headers.get(header::STREAM_CURSOR)?.parse().ok()?);
    next.read.if_none_match = None;
    let caching = live.caching.as_ref()?.of_next(&next.object, &next.read)?;
    next.caching = Some(caching.clone());
    Some((next, caching))
}

#[cfg(test)]
mod tests {
    use crate::edge::scripted::{Happens, START_MS, Says, Scripted, at, config, greeting};
    use crate::edge::serve::serve;
    use crate::protocol::live::{LiveMessage, ReaderPosition};
    use crate::protocol::{CachePolicy, Headers, Method, Response, header};
    use crate::runtime::{Past, Request};

    /// What comes to a long-poll that waits: data that ends at that position, and whether the stream is closed then.
    fn comes(position: u64, closed: bool) -> Says {
        let answer = Response::new(200)
            .with(header::CACHE_CONTROL, "public, max-age=20")
            .with(header::STREAM_NEXT_OFFSET, at(position).to_string())
            .with_some(header::STREAM_CLOSED, closed.then_some(header::TRUE));
        let position = ReaderPosition { next: at(position), commit_ms: START_MS + position };
        let message = LiveMessage::Answer { position, answer }.encode();
        Says::Socket(vec![greeting(2), Happens::Message(message)])
    }

    /// The notes of a long-poll by the policy of that name, with times left out.
    fn polled(policy: &str, says: impl IntoIterator<Item = Says>) -> (Vec<String>, Scripted) {
        let env = Scripted::new(says);
        let config = crate::edge::EdgeConfig { policy: CachePolicy::named(policy).expect("a policy"), ..config() };
        let url = format!("http://localhost/v1/stream/a?offset={}&live=long-poll", at(2));
        let (headers, past) = (Headers::default(), Past::default());
        let request = Request { method: Method::Get, url, headers, body: None, past };
        Scripted::run(serve(&env, &config, request)).expect("it waits for nothing but the script");
        let notes = env.notes().into_iter().filter(|note| !note.starts_with("sleep")).collect();
        (notes, env)
    }

    #[test]
    fn a_sentinel_stores_the_answer_and_then_removes_its_marker() {
        let (notes, _) = polled("sentinel", [comes(5, false)]);
        let ask = format!("ask {}", at(2));
        assert_eq!(notes, ["store", &ask, "close", "land 200", "store", "remove"]);
        let (notes, _) = polled("sentinel", [Says::Fails]);
        assert_eq!(notes, ["store", &ask, "land 503", "remove"]);
    }

    #[test]
    fn a_bridge_goes_on_with_what_is_asked_next_until_the_stream_ends() {
        let (notes, env) = polled("bridge", [comes(5, false), comes(9, true)]);
        let asks = [format!("ask {}", at(2)), format!("ask {} cursor {}", at(5), START_MS + 5)];
        let first = ["store", &asks[0], "close", "land 200", "store", "remove"];
        assert_eq!(notes, [&first[..], &["store", &asks[1], "close", "store", "remove"]].concat());
        let key = format!("http://localhost/.tailrace/2/_default/a?offset={}&live=long-poll", at(5));
        let stored = env.stored(&format!("{key}&cursor={}", START_MS + 5)).expect("what is asked next is there");
        assert_eq!(stored.headers.get(header::STREAM_NEXT_OFFSET), Some(at(9).to_string().as_str()));
        assert_eq!(env.stored(&format!("{key}&cursor={}&marker", START_MS + 5)), None);
    }

    #[test]
    fn a_bridge_ends_after_its_time_and_after_a_failure() {
        let silent = || Says::Socket(vec![greeting(2)]);
        let (notes, _) = polled("bridge", [comes(5, false), silent(), silent(), silent(), silent()]);
        let mut asks: Vec<&String> = notes.iter().filter(|note| note.starts_with("ask")).collect();
        // The last wait is over where the object's clock still shows its beginning, so it is asked twice.
        asks.dedup();
        assert_eq!(asks.len(), 3, "25 seconds are one wait of 20 seconds and one of 5: {notes:?}");
        let (notes, _) = polled("bridge", [comes(5, false), Says::Fails, silent()]);
        assert_eq!(notes.iter().filter(|note| note.starts_with("ask")).count(), 2);
    }
}
