//! What a HIT costs, in ns: the time of many, less the time of half as many.

use std::rc::Rc;
use std::time::Instant;

use futures_util::FutureExt;
use tailrace_core::edge::serve;
use tailrace_core::protocol::cache::{EntryNote, key};
use tailrace_core::protocol::message::Read;
use tailrace_core::protocol::{CachePolicy, Headers, Method, ReadFrom, Response, header};
use tailrace_core::runtime::{Past, Request};

use super::answer::Answer;
use super::caches::Handle;
use super::edge::{Edge, Effect, Site};
use super::knobs::Knobs;
use super::run;
use super::setting::Setting;
use crate::front::{Arrival, Asking, Fetch, Front as _, Head, Zone, ZoneKnobs};
use crate::kernel::random::Random;
use crate::kernel::rt;
use crate::tailrace::{Settings, World, WorldConfig};
use crate::world::EPOCH_MS;

/// How many HITs behind the Worker are timed.
const HITS: u32 = 100_000;

/// In ns: a HIT of a zone's CDN; the same with all that its reader does; and a HIT behind the Worker by core's edge.
pub fn hits_ns() -> [u64; 3] {
    let mut zone = Zone::new(ZoneKnobs::default(), None);
    let Arrival::Fetch(Fetch { number, .. }) = zone.arrive(0, Asking::new(1_u32, 0, 0)) else {
        unreachable!("it has nothing yet");
    };
    let answer = Handle::Whole(Answer::new(Response::new(200)));
    zone.fetched(0, number, Ok((Head::new(200, "public, max-age=20"), answer, 0)));
    let began = Instant::now();
    for visitor in 1..=u64::from(HITS) {
        assert!(matches!(zone.arrive(1_000, Asking::new(1, visitor, 0)), Arrival::Serve { .. }));
    }
    let zone_ns = began.elapsed().as_nanos() as u64 / u64::from(HITS);
    let in_front = |seconds| {
        let policy = CachePolicy::named("workers-cache").unwrap_or_default();
        let setting = Setting { colos: Setting::regions(20), seconds, ..Setting::of(policy, 10_000) };
        let began = Instant::now();
        let figures = run(setting);
        (began.elapsed(), figures.front.requests)
    };
    let ((short, few), (long, many)) = (in_front(15), in_front(30));
    let front_ns = long.saturating_sub(short).as_nanos() as u64 / (many - few).max(1);
    let behind = |hits| {
        let began = Instant::now();
        hit(hits);
        began.elapsed()
    };
    let (short, long) = (behind(HITS), behind(2 * HITS));
    [zone_ns, front_ns, long.saturating_sub(short).as_nanos() as u64 / u64::from(HITS)]
}

/// Serves the same page from the cache again and again.
fn hit(hits: u32) {
    rt::block_on(1, async move {
        let config = WorldConfig::of(Settings::default());
        let edge = config.edge.clone();
        let line = World::new(config).line();
        let site = Rc::new(Site::new(Knobs { partitions: 1, ..Knobs::default() }, Random::new(1), vec![line], None));
        let read = Read {
            from: ReadFrom::Start,
            if_none_match: None,
            live: None,
            cursor: None,
            from_now: false,
            is_kept: true,
        };
        let key = key("https://tailrace.test", "_default/s0", &read, "").expect("a page has a key");
        let note = EntryNote { answered_ms: EPOCH_MS, lasts_ms: 60_000 };
        let page = Response::new(200)
            .with(header::CACHE_CONTROL, "public, max-age=60")
            .with(header::TAILRACE_KEPT, note.to_text())
            .with_body("[1]");
        let stored = site.caches.borrow_mut()[0].put(EPOCH_MS, 0, &key, Answer::new(page), 1);
        stored.expect("it may be stored");
        for _ in 0..hits {
            let env = Edge::new(&site, (0, 0), (0, 0), false);
            let url = "https://tailrace.test/v1/stream/s0?offset=-1".to_owned();
            let (headers, past) = (Headers::default(), Past::default());
            let request = Request { method: Method::Get, url, headers, body: None, past };
            let served = serve(&env, &edge, request).now_or_never();
            assert_eq!(served, Some(()), "a HIT waits for nothing");
            let effects = site.effects.take();
            assert!(matches!(&effects[..], [Effect::Answers { served, .. }] if served.is_hit));
        }
    });
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_hit_behind_the_worker_is_served_in_one_poll() {
        super::hit(3);
    }
}
