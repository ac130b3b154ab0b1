//! Walks through a stream, page after page.

use tailrace_core::protocol::Method;

use super::session::Session;
use super::wire::Ask;
use crate::judge::history::{Call, From};
use crate::judge::scenario::{Origin, Scenario};

impl Session {
    pub(super) async fn walk(&mut self, stream: usize, origin: Origin, pages: usize) {
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
                Some((op, from)) => return self.revalidate(stream, op, from).await,
                None => From::Start,
            },
        };
        let walk = self.next_walk();
        for _ in 0..pages.max(1) {
            let op = self.page(stream, from.clone(), None, walk).await;
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

    async fn revalidate(&mut self, stream: usize, op: usize, from: From) {
        let walk = self.next_walk();
        let op = self.page(stream, from.clone(), Some(op), walk).await;
        self.remember(stream, op, from);
    }

    async fn page(&self, stream: usize, from: From, revalidates: Option<usize>, walk: usize) -> usize {
        let ask = Ask::new(Method::Get, &Scenario::path(stream));
        let ask = match &from {
            From::Start => ask,
            From::Now => ask.with_offset("now"),
            From::At(offset) => ask.with_offset(offset),
        };
        let tag = revalidates.and_then(|op| self.with_answer(op, |answer| answer?.etag.clone()));
        let ask = match tag {
            Some(tag) => ask.with("if-none-match", listed(&tag, walk)),
            None => ask,
        };
        self.ask(stream, Call::Read { from, revalidates, walk }, ask.build()).await
    }

    /// Takes an answer into account. Where the walk goes on, unless it is at its end.
    fn remember(&mut self, stream: usize, op: usize, from: From) -> Option<String> {
        let reading = self.reading.entry(stream).or_default();
        let history = self.context.history.borrow();
        let answer = history.ops[op].definite()?;
        if answer.status == 304 {
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
