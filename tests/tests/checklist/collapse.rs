//! Readers of one position share one entry.

use futures_util::future::join_all;
use tailrace_core::protocol::{Method, Response, header};
use tailrace_tests::stream_client::StreamClient;

use crate::site::{Site, field, run, tail, told};

fn cursor(answer: &Response) -> String {
    field(answer, header::STREAM_CURSOR)
}

fn next(answer: &Response) -> String {
    field(answer, header::STREAM_NEXT_OFFSET)
}

#[test]
fn checklist_17_one_entry_for_one_position_and_cursor() {
    run(|site| async move {
        site.long(&[]).await;
        let tail = tail();
        let entry = format!("?offset={tail}&live=long-poll&cursor=7");
        let waiting = join_all((0..8).map(|_| site.ask(Method::Get, &entry, &[], "")));
        let (answers, _) = futures_util::join!(waiting, async {
            site.sleep_ms(1_000).await;
            site.append("new", &[]).await;
        });
        for answer in &answers {
            assert_eq!((&answer.body, cursor(answer)), (&"new".into(), cursor(&answers[0])));
        }
        site.settle().await;
        for query in [
            entry.clone(),
            format!("?cursor=7&live=long-poll&offset={tail}"),
            format!("?live=long%2Dpoll&x=1&offset={tail}&cursor=0007"),
        ] {
            assert_eq!(told(&site.ask(Method::Get, &query, &[], "").await), (200, Some("HIT")), "{query}");
        }
        let spelled = StreamClient { path: "%61", fields: &[], patience_ms: 120_000 };
        assert_eq!(told(&site.ask_as(&spelled, &entry).await), (200, Some("HIT")));
        let other = site.ask(Method::Get, &format!("?offset={tail}&live=long-poll&cursor=8"), &[], "").await;
        assert_eq!(told(&other), (200, Some("MISS")));
    });
}

#[test]
fn checklist_18_cursor_moves_on() {
    run(|site| async move {
        site.long(&[]).await;
        let (mut offset, mut last): (String, Option<String>) = ("-1".to_owned(), None);
        for status in [200, 200, 204, 204] {
            let answer = site.poll(&offset, last.as_deref(), &[]).await;
            assert_eq!(answer.status, status);
            let number = |text: &str| text.parse::<u64>().expect("a decimal");
            assert!(last.is_none_or(|last| number(&last) < number(&cursor(&answer))));
            (offset, last) = (next(&answer), Some(cursor(&answer)));
        }
        // So it is with an answer that was stored, also for whoever is ahead.
        let ahead = (site.now_ms() + 60_000).to_string();
        let miss = site.poll("-1", Some(&ahead), &[]).await;
        site.settle().await;
        let hit = site.poll("-1", Some(&ahead), &[]).await;
        assert_eq!((told(&hit), cursor(&hit)), ((200, Some("HIT")), cursor(&miss)));
        assert!(cursor(&miss) > ahead);
    });
}

/// A reader that follows the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Follower {
    offset: String,
    cursor: Option<String>,
}

impl Follower {
    async fn ask(&mut self, site: &Site) -> Response {
        let answer = site.poll(&self.offset, self.cursor.as_deref(), &[]).await;
        (self.offset, self.cursor) = (next(&answer), Some(cursor(&answer)));
        answer
    }
}

#[test]
fn checklist_19_late_joiner_converges() {
    run(|site| async move {
        site.long(&[]).await;
        let mut early = Follower { offset: tail(), cursor: None };
        let mut late = early.clone();
        // One waits in vain, twice, before the other comes.
        for _ in 0..2 {
            assert_eq!(early.ask(&site).await.status, 204);
        }
        futures_util::join!(early.ask(&site), late.ask(&site), async {
            site.sleep_ms(1_000).await;
            site.append("one", &[]).await;
        });
        assert_eq!(late, early);
        // From here on they share entries: what one has waited for is there for the other.
        futures_util::join!(early.ask(&site), async {
            site.sleep_ms(1_000).await;
            site.append("two", &[]).await;
        });
        site.settle().await;
        let answer = late.ask(&site).await;
        assert_eq!((told(&answer), &answer.body), ((200, Some("HIT")), &"two".into()));
        assert_eq!(late, early);
    });
}
