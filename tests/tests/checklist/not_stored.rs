//! What is not stored.

use tailrace_core::protocol::{Response, header};

use crate::site::{CLOSES, DEBUG, PAGE, REST, at, field, run, tail, told};

#[test]
fn checklist_04_at_tail_page_is_not_stored() {
    run(|site| async move {
        site.long(&[]).await;
        site.not_stored(false, &at(PAGE), &[], (200, Some("MISS"))).await;
        site.not_stored(false, &tail(), &[], (200, Some("MISS"))).await;
    });
}

#[test]
fn checklist_05_end_of_closed_stream_is_not_stored() {
    run(|site| async move {
        site.long(&[]).await;
        site.append("end", CLOSES).await;
        site.not_stored(false, &at(PAGE), &[], (200, Some("MISS"))).await;
        let end = site.get(&at(PAGE), &[]).await;
        assert_eq!((end.body, end.headers.get(header::STREAM_CLOSED)), (format!("{REST}end").into(), Some("true")));
    });
}

#[test]
fn checklist_06_long_poll_204_is_not_stored() {
    run(|site| async move {
        site.long(&[]).await;
        let began_ms = site.now_ms();
        site.not_stored(true, &tail(), &[], (204, Some("MISS"))).await;
        assert!(site.now_ms() - began_ms >= 40_000, "the second one has waited as well");
        site.append("", CLOSES).await;
        site.not_stored(true, &tail(), &[], (204, Some("MISS"))).await;
    });
}

#[test]
fn checklist_07_now_is_not_stored() {
    run(|site| async move {
        site.long(&[]).await;
        site.not_stored(false, "now", &[], (200, None)).await;
        let (waiting, _) = futures_util::join!(site.poll("now", None, &[]), async {
            site.sleep_ms(1_000).await;
            site.append("new", &[]).await;
        });
        assert_eq!(told(&waiting), (200, None));
        assert_eq!(told(&site.poll("now", None, &[]).await), (204, None));
    });
}

#[test]
fn checklist_08_expired_is_not_stored() {
    run(|site| async move {
        site.long(&[(header::STREAM_EXPIRES_AT, &site.in_ms(5_000))]).await;
        for is_poll in [false, true] {
            site.stored(is_poll, "-1").await;
        }
        site.sleep_ms(5_000).await;
        for is_poll in [false, true] {
            site.not_stored(is_poll, "-1", &[], (404, Some("MISS"))).await;
        }
        site.create(&[]).await;
        site.append("new", &[]).await;
        assert_eq!(site.get("-1", &[]).await.body, "new");
    });
}

#[test]
fn checklist_09_errors_are_not_stored() {
    run(|site| async move {
        for is_poll in [false, true] {
            site.not_stored(is_poll, "-1", &[], (404, Some("MISS"))).await;
        }
        site.create(&[]).await;
        site.append("old", &[]).await;
        for is_poll in [false, true] {
            assert_eq!(site.read(is_poll, "-1", &[]).await.body, "old");
            site.not_stored(is_poll, &at(1_000), &[], (400, Some("MISS"))).await;
            site.not_stored(is_poll, "x", &[], (400, None)).await;
        }
        site.delete().await;
        site.create(&[]).await;
        for is_poll in [false, true] {
            site.not_stored(is_poll, &at(3), &[], (410, Some("MISS"))).await;
        }
    });
}

#[test]
fn checklist_10_events_are_not_stored() {
    run(|site| async move {
        site.create(&[]).await;
        site.append("one", &[]).await;
        let text = |answer: &Response| String::from_utf8_lossy(&answer.body).into_owned();
        let first = site.listen("-1").await;
        assert_eq!((told(&first), text(&first).contains("data:one\n")), ((200, None), true));
        site.append("two", CLOSES).await;
        let second = site.listen("-1").await;
        assert_eq!((told(&second), text(&second).contains("data:onetwo\n")), ((200, None), true));
        assert_eq!(told(&site.get("-1", &[]).await), (200, Some("MISS")));
    });
}

#[test]
fn checklist_11_debug_answers_are_not_stored() {
    run(|site| async move {
        site.long(&[]).await;
        let tells = |answer: &Response| answer.headers.get(header::TAILRACE_INSTANCE).is_some();
        for is_poll in [false, true] {
            site.not_stored(is_poll, "-1", DEBUG, (200, None)).await;
            let [miss, hit] = site.stored(is_poll, "-1").await;
            let again = site.read(is_poll, "-1", DEBUG).await;
            assert_eq!([tells(&miss), tells(&hit), tells(&again)], [false, false, true]);
            let later = site.read(is_poll, "-1", &[]).await;
            assert_eq!((told(&later), tells(&later)), ((200, Some("HIT")), false));
            assert_eq!(field(&later, header::ETAG), field(&again, header::ETAG));
        }
    });
}
