//! A writer, and readers that wait by long-polls: how long a message is on its way, and how many answers are HITs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use xtask::http::Reply;
use xtask::project::say;

use super::figures::Figures;
use super::site::{From, Site};
use crate::bench::percentile;

/// How much time is between two messages.
const PAUSE: Duration = Duration::from_millis(500);

/// After which time readers that were started are taken to wait.
const SETTLE: Duration = Duration::from_millis(500);

/// What readers have seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    took: Vec<Duration>,
    by_front: usize,
    by_edge: usize,
    by_object: usize,
    /// Whether a cache in front took part.
    has_front: bool,
}

impl Seen {
    fn note(&mut self, from: From) {
        match from {
            From::Front => (self.by_front, self.has_front) = (self.by_front + 1, true),
            From::Edge => self.by_edge += 1,
            From::Object { through_front } => {
                (self.by_object, self.has_front) = (self.by_object + 1, self.has_front || through_front);
            }
        }
    }

    /// The share of HITs: of the cache in front if there is one, else of the one at the edge.
    fn hit_permille(&self) -> u64 {
        let all = self.by_front + self.by_edge + self.by_object;
        let hits = if self.has_front { self.by_front } else { self.by_edge };
        (hits * 1_000 / all.max(1)) as u64
    }
}

/// When each message was sent.
type Sent = Mutex<Vec<Instant>>;

/// Has so many readers follow a stream for so many seconds.
pub(super) fn measure(site: &Site, readers: usize, seconds: u64, figures: &mut Figures) -> Result<()> {
    say(&format!("{readers} readers by long-polls, for {seconds} s"));
    let path = site.create("delivery")?;
    let (sent, is_over) = (Sent::default(), AtomicBool::new(false));
    let all = thread::scope(|scope| -> Result<Vec<Seen>> {
        let following: Vec<_> = (0..readers).map(|_| scope.spawn(|| follow(site, &path, &sent, &is_over))).collect();
        thread::sleep(SETTLE);
        let written = write_all(site, &path, seconds, &sent);
        is_over.store(true, Ordering::Relaxed);
        // Whoever still waits is told so.
        let ended = site.connect().and_then(|mut writer| site.append(&mut writer, &path, r#"{"n":-1}"#));
        let all = following.into_iter().map(|reader| reader.join().unwrap_or_else(|_| Err(anyhow!("it has panicked"))));
        let all = all.collect::<Result<Vec<_>>>();
        written.and(ended)?;
        all
    })?;
    let mut seen = Seen::default();
    for one in all {
        seen.took.extend(one.took);
        (seen.by_front, seen.by_edge) = (seen.by_front + one.by_front, seen.by_edge + one.by_edge);
        (seen.by_object, seen.has_front) = (seen.by_object + one.by_object, seen.has_front || one.has_front);
    }
    ensure!(!seen.took.is_empty(), "no reader has had a message");
    figures.see("delivery_ms.p50", percentile(&seen.took, 0.5).as_millis() as u64);
    figures.see("delivery_ms.p99", percentile(&seen.took, 0.99).as_millis() as u64);
    figures.see("hit_permille.outside", seen.hit_permille());
    figures.miss("hit_permille.sub_request", "the deployment offers no Worker that reads for somebody else");
    Ok(())
}

/// Writes numbered messages.
fn write_all(site: &Site, path: &str, seconds: u64, sent: &Sent) -> Result<()> {
    let (start, mut writer) = (Instant::now(), site.connect()?);
    let mut number = 0;
    while start.elapsed() < Duration::from_secs(seconds) {
        sent.lock().map_err(|_| anyhow!("a reader has panicked"))?.push(Instant::now());
        site.append(&mut writer, path, &format!(r#"{{"n":{number}}}"#))?;
        number += 1;
        thread::sleep((PAUSE * number).saturating_sub(start.elapsed()));
    }
    Ok(())
}

/// Follows the stream to its last message.
fn follow(site: &Site, path: &str, sent: &Sent, is_over: &AtomicBool) -> Result<Seen> {
    let mut connection = site.connect()?;
    let (mut seen, mut offset, mut cursor) = (Seen::default(), "-1".to_owned(), None);
    loop {
        let cursor_part = cursor.map_or_else(String::new, |cursor: String| format!("&cursor={cursor}"));
        let reply = site.get(&mut connection, &format!("{path}?offset={offset}&live=long-poll{cursor_part}"))?;
        let now = Instant::now();
        ensure!(matches!(reply.status, 200 | 204), "a long-poll was answered {}", reply.status);
        offset = reply.head.field("stream-next-offset").context("a long-poll without Stream-Next-Offset")?.to_owned();
        cursor = reply.head.field("stream-cursor").map(str::to_owned);
        let numbers = if reply.status == 200 { numbers(&reply)? } else { Vec::new() };
        if numbers.contains(&-1) || is_over.load(Ordering::Relaxed) {
            return Ok(seen);
        }
        if reply.status == 200 {
            seen.note(From::of(&reply));
        }
        let sent = sent.lock().map_err(|_| anyhow!("the writer has panicked"))?;
        for number in numbers {
            let sent = usize::try_from(number).ok().and_then(|number| sent.get(number));
            seen.took.push(now.duration_since(*sent.context("a message that nobody has written")?));
        }
    }
}

/// The numbers of the messages of an answer.
fn numbers(reply: &Reply) -> Result<Vec<i64>> {
    let messages: serde_json::Value = serde_json::from_slice(&reply.body).context("an answer that is no JSON")?;
    let Some(messages) = messages.as_array() else { bail!("an answer that is no array") };
    messages.iter().map(|message| message["n"].as_i64().context("a message without a number")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_of_a_cache_in_front_and_of_the_edge_are_not_added_up() {
        let object = |through_front| From::Object { through_front };
        for (froms, expected) in [
            (&[object(false), From::Edge, From::Edge, From::Edge][..], 750),
            (&[object(true), From::Edge, From::Front, From::Front], 500),
            (&[object(false), object(false)], 0),
            (&[], 0),
        ] {
            let mut seen = Seen::default();
            froms.iter().for_each(|from| seen.note(*from));
            assert_eq!(seen.hit_permille(), expected, "{froms:?}");
        }
    }
}
