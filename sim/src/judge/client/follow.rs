//! A client's live readers: they join, stall, leave and resume.

use std::rc::Rc;

use super::follower::Follower;
use super::session::Session;
use crate::judge::history::{From, Mode};
use crate::judge::scenario::{Ahead, Origin};

impl Session {
    /// Starts live readers beside what the client does else.
    pub(super) fn join(&mut self, stream: usize, mode: Mode, origin: Origin, readers: usize, ahead: Option<Ahead>) {
        let (from, cursor) = self.live_origin(stream, origin);
        let following = self.following.entry(stream).or_default();
        if following.reader_control.has_left() {
            following.reader_control = Rc::default();
        }
        let (reader_control, place) = (following.reader_control.clone(), following.place.clone());
        let now_ms = self.context.world.now_ms();
        for number in 0..readers.max(1) as u64 {
            // Each has a cursor of its own.
            let cursor = ahead.map_or(cursor, |Ahead(ms)| Some((now_ms + ms).saturating_sub(number)));
            let follower = Follower {
                context: self.context.clone(),
                client: self.client,
                stream,
                mode,
                from: from.clone(),
                cursor,
                reader_control: reader_control.clone(),
                place: place.clone(),
                browser: self.browser.clone(),
                asks_browser: false,
                event_source: None,
            };
            self.context.run_beside(&reader_control, follower.follow());
        }
    }

    /// Where live readers begin. One that resumes echoes the last cursor as well.
    fn live_origin(&self, stream: usize, origin: Origin) -> (From, Option<u64>) {
        let following = self.following.get(&stream);
        let place = following.and_then(|following| following.place.borrow().clone());
        let reading = self.reading.get(&stream);
        let walked = reading.and_then(|reading| reading.resume.clone());
        match origin {
            Origin::Now => (From::Now, None),
            Origin::Start => (From::Start, None),
            Origin::Resume | Origin::Revalidate => match (place, walked) {
                (Some((offset, cursor)), _) => (From::At(offset), cursor),
                (None, Some(offset)) => (From::At(offset), None),
                (None, None) => (From::Start, None),
            },
            Origin::Earlier(count) => match reading.map_or(&[][..], |reading| &reading.seen) {
                [] => (From::Start, None),
                seen => (From::At(seen[count % seen.len()].clone()), None),
            },
            Origin::Latest => (self.latest(stream).map_or(From::Start, From::At), None),
            Origin::Told(count) | Origin::Within(count) => {
                (self.told(stream, count).map_or(From::Start, From::At), None)
            }
        }
    }

    /// Its live readers neither ask nor read for a while.
    pub(super) fn stall(&mut self, stream: usize, for_ms: u64) {
        if let Some(following) = self.following.get(&stream) {
            following.reader_control.stall_until(self.context.world.now_ms() + for_ms);
        }
    }

    /// Its live readers leave.
    pub(super) fn leave(&mut self, stream: usize) {
        if let Some(following) = self.following.get(&stream) {
            following.reader_control.leave();
        }
    }
}
