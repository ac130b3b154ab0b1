//! What caches in front of the Worker are told.

use tailrace_core::protocol::{Method, header};

use crate::site::{CLOSES, PAGE, at, field, rule, run, seconds, tail};

#[test]
fn checklist_20_page_headers() {
    run(|site| async move {
        site.long(&[]).await;
        for page in site.stored(false, "-1").await {
            assert_eq!(rule(&page), (200, Some("public, max-age=60, stale-while-revalidate=300")));
        }
        assert_eq!(rule(&site.get(&at(PAGE), &[]).await), (200, Some("no-cache")));
        site.append("", CLOSES).await;
        let end = site.get(&at(PAGE), &[]).await;
        assert_eq!(rule(&end), (200, Some("no-cache")));
        assert!(!field(&end, header::ETAG).is_empty());
    });
}

#[test]
fn checklist_21_long_poll_headers() {
    run(|site| async move {
        site.long(&[]).await;
        for offset in ["-1".to_owned(), at(PAGE)] {
            for answer in site.stored(true, &offset).await {
                assert_eq!(rule(&answer), (200, Some("public, max-age=20")));
            }
        }
    });
}

#[test]
fn checklist_22_long_poll_204_headers() {
    run(|site| async move {
        site.long(&[]).await;
        assert_eq!(rule(&site.poll(&tail(), None, &[]).await), (204, Some("no-store")));
        site.append("", CLOSES).await;
        assert_eq!(rule(&site.poll(&tail(), None, &[]).await), (204, Some("no-store")));
    });
}

#[test]
fn checklist_23_now_headers() {
    run(|site| async move {
        site.long(&[]).await;
        assert_eq!(rule(&site.get("now", &[]).await), (200, Some("no-store")));
        assert_eq!(rule(&site.poll("now", None, &[]).await), (204, Some("no-store")));
        let (waiting, _) = futures_util::join!(site.poll("now", None, &[]), async {
            site.sleep_ms(1_000).await;
            site.append("new", &[]).await;
        });
        assert_eq!(rule(&waiting), (200, Some("no-store")));
    });
}

#[test]
fn checklist_24_head_headers() {
    run(|site| async move {
        assert_eq!(rule(&site.ask(Method::Head, "", &[], "").await), (404, Some("no-store")));
        site.long(&[]).await;
        assert_eq!(rule(&site.ask(Method::Head, "", &[], "").await), (200, Some("no-store")));
    });
}

#[test]
fn checklist_25_expired_headers() {
    run(|site| async move {
        site.long(&[(header::STREAM_EXPIRES_AT, &site.in_ms(5_000))]).await;
        site.sleep_ms(5_000).await;
        for offset in ["-1", "now"] {
            assert_eq!(rule(&site.get(offset, &[]).await), (404, Some("no-store")));
            assert_eq!(rule(&site.poll(offset, None, &[]).await), (404, Some("no-store")));
        }
        assert_eq!(rule(&site.ask(Method::Head, "", &[], "").await), (404, Some("no-store")));
    });
}

#[test]
fn checklist_26_headers_end_with_the_stream() {
    run(|site| async move {
        let end_ms = site.now_ms() + 30_000;
        site.long(&[(header::STREAM_EXPIRES_AT, &site.in_ms(30_000))]).await;
        for _ in 0..14 {
            for is_poll in [false, true] {
                let answer = site.read(is_poll, "-1", &[]).await;
                let age_s = answer.headers.get(header::AGE).map_or(0, |age| age.parse().expect("seconds"));
                let (fresh_s, stale_s) = seconds(&answer);
                let left_ms = end_ms - site.now_ms();
                assert!((fresh_s + stale_s) * 1_000 <= left_ms + age_s * 1_000 + 999, "{answer:?} {left_ms}");
                assert_eq!(fresh_s == 20, is_poll && left_ms + age_s * 1_000 >= 20_000, "{answer:?} {left_ms}");
            }
            site.sleep_ms(2_100).await;
        }
    });
}
