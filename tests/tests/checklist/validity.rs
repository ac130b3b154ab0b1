//! What an entry stands for: bytes, entity tags, and the stream that it is of.

use tailrace_core::protocol::{Response, header};

use crate::site::{CLOSES, FIRST, NO_CACHE, PAGE, at, field, run, seconds, told};

#[test]
fn checklist_27_entity_tag_tells_of_the_close() {
    run(|site| async move {
        site.long(&[]).await;
        // A long-poll that was stored before the close leads to where the close is told.
        let [_, polled] = site.stored(true, &at(PAGE)).await;
        let open = field(&site.get(&at(PAGE), &[]).await, header::ETAG);
        let known = [(header::IF_NONE_MATCH, open.as_str())];
        assert_eq!(site.get(&at(PAGE), &known).await.status, 304);
        site.append("", CLOSES).await;
        let closed = site.get(&at(PAGE), &known).await;
        assert_eq!((told(&closed), field(&closed, header::STREAM_CLOSED).as_str()), ((200, Some("MISS")), "true"));
        let tag = field(&closed, header::ETAG);
        assert_ne!(tag, open);
        let again = site.get(&at(PAGE), &[(header::IF_NONE_MATCH, &tag)]).await;
        assert_eq!((again.status, field(&again, header::STREAM_CLOSED).as_str()), (304, "true"));
        let fields = [(header::IF_NONE_MATCH, field(&polled, header::ETAG))];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let hit = site.poll(&at(PAGE), None, &fields).await;
        assert_eq!(told(&hit), (304, Some("HIT")));
        let cursor = field(&hit, header::STREAM_CURSOR);
        let end = site.poll(&field(&hit, header::STREAM_NEXT_OFFSET), Some(&cursor), &[]).await;
        assert_eq!((end.status, field(&end, header::STREAM_CLOSED).as_str()), (204, "true"));
    });
}

#[test]
fn checklist_28_events_end_in_time() {
    run(|site| async move {
        site.create(&[]).await;
        let began_ms = site.now_ms();
        let answer = site.listen("-1").await;
        let took_ms = site.now_ms() - began_ms;
        assert!((54_000..=66_000).contains(&took_ms), "{took_ms}");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let last = text.trim_end().rsplit("\n\n").next().unwrap_or_default();
        assert!(last.starts_with("event: control\n") && last.contains("\"upToDate\":true"), "{text}");
    });
}

#[test]
fn checklist_29_hit_is_the_miss() {
    run(|site| async move {
        site.long(&[]).await;
        for (is_poll, offset) in [(false, "-1".to_owned()), (false, at(1)), (true, "-1".to_owned()), (true, at(PAGE))] {
            let [miss, hit] = site.stored(is_poll, &offset).await;
            let others = |answer: &Response| {
                let mut fields: Vec<_> =
                    answer.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                fields.retain(|field| !field.starts_with("age:") && !field.starts_with("x-cache:"));
                fields.sort();
                fields
            };
            assert_eq!((hit.status, &hit.body, others(&hit)), (miss.status, &miss.body, others(&miss)));
            assert!(!miss.body.is_empty());
        }
        assert_eq!(site.get("-1", &[]).await.body, FIRST);
    });
}

#[test]
fn checklist_30_predecessor_is_gone() {
    run(|site| async move {
        site.long(&[]).await;
        let [_, old] = site.stored(false, "-1").await;
        let (fresh_s, stale_s) = seconds(&old);
        site.delete().await;
        site.long(&[]).await;
        site.append("cccccccccccccccccccccccccccccccccccccccccccccccccc", &[]).await;
        let gone_ms = site.now_ms() + (fresh_s + stale_s) * 1_000;
        let (mut was_old, mut is_new) = (false, false);
        while site.now_ms() < gone_ms + 5_000 {
            let answer = site.get("-1", &[]).await;
            let is_old = field(&answer, header::ETAG) == field(&old, header::ETAG);
            assert!(!is_old || (site.now_ms() < gone_ms && !is_new), "{answer:?}");
            (was_old, is_new) = (was_old || is_old, is_new || !is_old);
            // Whoever goes on from the old one's end is told, and gets nothing of the new one.
            let on = site.get(&field(&answer, header::STREAM_NEXT_OFFSET), &[]).await;
            assert_eq!(on.status, if is_old { 410 } else { 200 }, "{answer:?} {on:?}");
            site.sleep_ms(1_700).await;
        }
        assert_eq!((was_old, is_new), (true, true));
    });
}

#[test]
fn checklist_31_if_none_match() {
    run(|site| async move {
        site.long(&[]).await;
        for is_poll in [false, true] {
            let [_, hit] = site.stored(is_poll, "-1").await;
            let tag = field(&hit, header::ETAG);
            for (list, status) in [
                (tag.clone(), 304),
                (format!("W/{tag}"), 304),
                (format!("\"x\", {tag}"), 304),
                (format!("\"x\" , W/{tag}, \"y\""), 304),
                ("*".to_owned(), 304),
                ("\"x\"".to_owned(), 200),
                (format!("{}0\"", tag.trim_end_matches('"')), 200),
                ("W/\"x\", \"y\"".to_owned(), 200),
            ] {
                // What is stored answers it, and so does the object.
                for (fields, cached) in [(&[][..], "HIT"), (NO_CACHE, "BYPASS")] {
                    let fields = [fields, &[(header::IF_NONE_MATCH, list.as_str())]].concat();
                    let answer = site.read(is_poll, "-1", &fields).await;
                    assert_eq!(
                        (told(&answer), field(&answer, header::ETAG)),
                        ((status, Some(cached)), tag.clone()),
                        "{list}"
                    );
                    assert_eq!(answer.body.is_empty(), status == 304);
                }
            }
        }
    });
}
