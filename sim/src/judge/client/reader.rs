//! Walks through a stream, page after page.

use tailrace_core::protocol::Method;

use super::session::Session;
use super::wire::Ask;
use crate::judge::history::{Call, From, Manner};
use crate::judge::scenario::{Origin, Spelling};

impl Session {
    pub(super) async fn walk(&mut self, stream: usize, origin: Origin, pages: usize, manner: Option<Manner>) {
        let reading = self.reading.entry(stream).or_default();
        let mut from = match origin {
            Origin::Start => From::Start,
            Origin::Now => From::Now,
            Origin::Resume => reading.resume.clone().map_or(From::Start, From::At),
            Origin::Earlier(count) => match reading.seen.len() {
                0 => From::Start,
                seen => From::At(reading.seen[count % seen].clone()),
            },
            Origin::Told(count) => self.told(stream, count).map_or(From::Start, From::At),
            Origin::Latest => self.latest(stream).map_or(From::Start, From::At),
            Origin::Within(count) => {
                let told = self.told(stream, count);
                told.and_then(|told| before(&told, count)).map_or(From::Start, From::At)
            }
            Origin::Revalidate => match reading.tagged.clone() {
                Some((op, from)) => return self.revalidate(stream, op, from, manner).await,
                None => From::Start,
            },
        };
        let walk = self.next_walk();
        for _ in 0..pages.max(1) {
            let op = self.page(stream, from.clone(), None, walk, manner).await;
            match self.remember(stream, op, from) {
                Some(next) => from = From::At(next),
                None => return,
            }
        }
    }

    /// An offset that anyone was told of the stream, of whichever incarnation.
    pub(super) fn told(&self, stream: usize, count: usize) -> Option<String> {
        let history = self.context.history.borrow();
        let told = || history.of_stream(stream).filter_map(|(_, op)| op.told());
        told().nth(count % told().count().max(1)).map(str::to_owned)
    }

    /// The offset that anyone was told last.
    pub(super) fn latest(&self, stream: usize) -> Option<String> {
        let history = self.context.history.borrow();
        let told = history.ops.iter().rev().filter(|op| op.stream == stream).find_map(|op| op.told());
        told.map(str::to_owned)
    }

    async fn revalidate(&mut self, stream: usize, op: usize, from: From, manner: Option<Manner>) {
        let walk = self.next_walk();
        // A browser knows the tags by itself, and any tag is none that is known.
        let manner = manner.filter(|manner| !matches!(manner, Manner::Browser | Manner::AnyTag));
        let op = self.page(stream, from.clone(), Some(op), walk, manner).await;
        self.remember(stream, op, from);
    }

    async fn page(
        &self,
        stream: usize,
        from: From,
        revalidates: Option<usize>,
        walk: usize,
        manner: Option<Manner>,
    ) -> usize {
        let call = |revalidates| Call::Read { from: from.clone(), revalidates, walk, manner };
        let key = self.context.reader_key(self.client, stream);
        if manner == Some(Manner::Browser) {
            let page = || page_of(&self.context.url_path(stream), &from, None).with_reader_key(key.as_deref());
            let request = |tag: Option<&str>| match tag {
                Some(tag) => page().with("if-none-match", tag).build(),
                None => page().build(),
            };
            return self.browser.ask(stream, 0, call, request).await;
        }
        let tag = revalidates.and_then(|op| self.with_answer(op, |answer| answer?.etag.clone()));
        let ask = page_of(&self.context.url_path(stream), &from, manner).with_reader_key(key.as_deref());
        let ask = match tag {
            Some(tag) => ask.with("if-none-match", listed(&tag, walk)),
            None => ask.with_if(manner == Some(Manner::AnyTag), "if-none-match", "*"),
        };
        self.ask(stream, call(revalidates), ask.build()).await
    }

    /// Takes an answer into account. Where the walk goes on, unless it is at its end.
    fn remember(&mut self, stream: usize, op: usize, from: From) -> Option<String> {
        let reading = self.reading.entry(stream).or_default();
        let history = self.context.history.borrow();
        let answer = history.ops[op].definite()?;
        // A browser hands out what a 304 confirms.
        let is_browser = matches!(history.ops[op].call, Call::Read { manner: Some(Manner::Browser), .. });
        let answer = history.shown(&history.ops[op]).filter(|_| is_browser).unwrap_or(answer);
        if matches!(answer.status, 304 | 401) {
            return None;
        }
        if answer.status != 200 {
            // The stream is gone, or another one is there.
            reading.resume = None;
            return None;
        }
        if answer.etag.is_some() {
            reading.tagged = Some((op, from.clone()));
        }
        let next = answer.next_offset.clone()?;
        reading.resume = Some(next.clone());
        if reading.seen.last() != Some(&next) {
            reading.seen.push(next.clone());
        }
        // Who is sent to where it stands goes no further.
        if answer.up_to_date || is_there(&from, &next) { None } else { Some(next) }
    }
}

/// A read from there, asked for in that manner.
fn page_of(path: &str, from: &From, manner: Option<Manner>) -> Ask {
    let ask = match manner {
        Some(Manner::Reordered) => Ask::spelled(Method::Get, path, Spelling::of(Method::Post)).with_nothing(),
        Some(Manner::NoCache) => Ask::new(Method::Get, path).with("cache-control", "no-cache"),
        Some(Manner::Debugged) => Ask::new(Method::Get, path).with("tailrace-debug", "1"),
        Some(Manner::AnyTag | Manner::Browser) | None => Ask::new(Method::Get, path),
    };
    match from {
        From::Start => ask,
        From::Now => ask.with_offset("now"),
        From::At(offset) => ask.with_offset(offset),
    }
}

fn is_there(from: &From, next: &str) -> bool {
    matches!(from, From::At(offset) if offset == next)
}

/// A value of `If-None-Match` that names the tag, among others or not.
fn listed(tag: &str, spelling: usize) -> String {
    match spelling % 4 {
        0 => tag.to_owned(),
        1 => format!("W/{tag}"),
        2 => format!("\"another, one\", {tag}"),
        _ => format!("{tag},W/\"another\""),
    }
}

/// A position of the same segment that is not after `offset`.
fn before(offset: &str, count: usize) -> Option<String> {
    let (segment, index) = offset.split_once('_')?;
    let index: u64 = index.parse().ok()?;
    Some(format!("{segment}_{:016}", index * (count as u64 % 16) / 16))
}
