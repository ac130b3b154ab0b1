//! What is stored, and what `X-Cache` says.

use tailrace_core::protocol::{Method, header};

use crate::site::{CLOSES, NO_CACHE, PAGE, REST, at, field, run, tail, told};

#[test]
fn checklist_01_mid_stream_page_is_stored() {
    run(|site| async move {
        site.long(&[]).await;
        site.stored(false, "-1").await;
        site.stored(false, &at(1)).await;
    });
}

#[test]
fn checklist_02_mid_stream_long_poll_is_stored() {
    run(|site| async move {
        site.long(&[]).await;
        let [_, hit] = site.stored(true, "-1").await;
        assert_eq!(hit.headers.get(header::STREAM_UP_TO_DATE), None);
    });
}

#[test]
fn checklist_03_at_tail_long_poll_is_stored() {
    run(|site| async move {
        site.long(&[]).await;
        let [_, hit] = site.stored(true, &at(PAGE)).await;
        assert_eq!(hit.headers.get(header::STREAM_UP_TO_DATE), Some("true"));
        // So is what comes while it waits.
        let tail = tail();
        let (waiting, _) = futures_util::join!(site.poll(&tail, None, &[]), async {
            site.sleep_ms(1_000).await;
            site.append("new", &[]).await;
        });
        site.settle().await;
        let began_ms = site.now_ms();
        let hit = site.poll(&tail, None, &[]).await;
        assert_eq!((told(&waiting), told(&hit), &hit.body), ((200, Some("MISS")), (200, Some("HIT")), &waiting.body));
        assert!(site.now_ms() - began_ms < 1_000);
    });
}

#[test]
fn checklist_12_no_cache_stores_the_fresh_answer() {
    run(|site| async move {
        site.long(&[]).await;
        for is_poll in [false, true] {
            site.stored(is_poll, "-1").await;
            site.sleep_ms(6_990).await;
            let old = site.read(is_poll, "-1", &[]).await;
            assert_eq!(field(&old, header::AGE), "7");
            let bypass = site.read(is_poll, "-1", NO_CACHE).await;
            assert_eq!((told(&bypass), &bypass.body), ((200, Some("BYPASS")), &old.body));
            site.settle().await;
            let fresh = site.read(is_poll, "-1", &[]).await;
            assert_eq!((told(&fresh), field(&fresh, header::AGE).as_str()), ((200, Some("HIT")), "0"));
        }
    });
}

#[test]
fn checklist_13_append_is_seen_at_the_tail() {
    run(|site| async move {
        site.long(&[]).await;
        site.get(&at(PAGE), &[]).await;
        for (added, expected) in [("c", format!("{REST}c")), ("d", format!("{REST}cd"))] {
            site.append(added, &[]).await;
            let after = site.get(&at(PAGE), &[]).await;
            assert_eq!((told(&after), &after.body), ((200, Some("MISS")), &expected.into()));
        }
    });
}

#[test]
fn checklist_14_x_cache_hit() {
    run(|site| async move {
        site.long(&[]).await;
        for is_poll in [false, true] {
            site.stored(is_poll, "-1").await;
            site.sleep_ms(1_989).await;
            let hit = site.read(is_poll, "-1", &[]).await;
            assert_eq!((told(&hit), field(&hit, header::AGE).as_str()), ((200, Some("HIT")), "1"));
        }
    });
}

#[test]
fn checklist_15_x_cache_miss() {
    run(|site| async move {
        let missing = site.get("-1", &[]).await;
        assert_eq!(told(&missing), (404, Some("MISS")));
        site.long(&[]).await;
        for (is_poll, offset) in [(false, "-1".to_owned()), (true, "-1".to_owned()), (false, at(PAGE))] {
            let miss = site.read(is_poll, &offset, &[]).await;
            assert_eq!((told(&miss), miss.headers.get(header::AGE)), ((200, Some("MISS")), None));
        }
        // What has become too old is looked for, and is not there.
        site.sleep_ms(60_000).await;
        assert_eq!(told(&site.get("-1", &[]).await), (200, Some("MISS")));
    });
}

#[test]
fn checklist_16_x_cache_bypass() {
    run(|site| async move {
        site.long(&[]).await;
        for (is_poll, offset) in [(false, "-1".to_owned()), (true, "-1".to_owned()), (false, at(PAGE))] {
            let bypass = site.read(is_poll, &offset, NO_CACHE).await;
            assert_eq!((told(&bypass), bypass.headers.get(header::AGE)), ((200, Some("BYPASS")), None));
        }
        for (method, query) in [
            (Method::Head, ""),
            (Method::Get, "?offset=now"),
            (Method::Get, "?offset=now&live=long-poll"),
            (Method::Get, "?offset=-1&live=sse"),
            (Method::Put, ""),
            (Method::Delete, ""),
            (Method::Options, ""),
        ] {
            let answer = site.ask(method, query, &[], "").await;
            assert_eq!(answer.headers.get(header::X_CACHE), None, "{method:?} {query}");
        }
        site.create(CLOSES).await;
    });
}
