//! What the cache in front of the Worker does for readers, and asks of the Worker.

use std::rc::Rc;

use super::agenda::What;
use super::answer::Answer;
use super::bug::CrowdBug;
use super::engine::Engine;
use super::front_cache::Handle;
use super::reader::{asker, visitor};
use super::requests::For;
use super::setting::Readers;
use crate::front::{Arrival, Asking, Failed, Fetch, Head, How, Kind, Served, Verdict};
use crate::world::EPOCH_MS;

impl Engine {
    /// The time as caches in front know it, in us since the Unix epoch.
    fn front_us(&self) -> u64 {
        EPOCH_MS * 1_000 + self.site.now_us()
    }

    /// A reader's request reaches the cache in front.
    pub(super) fn visit(&mut self, reader: u32) {
        let now_us = self.front_us();
        let it = &self.readers[reader as usize];
        let (key, colo) = (it.url, it.colo);
        let kind = match self.setting.readers_are {
            Readers::Workers => Kind::SubRequest,
            Readers::OneMachine => Kind::Outside { client: 0 },
            Readers::Clients => Kind::Outside { client: u64::from(reader) },
        };
        let asking = Asking {
            kind,
            colo: usize::from(colo),
            drawn: self.site.random.next_u64(),
            ..Asking::new(key, visitor(reader, it.turn), 0)
        };
        let Some(front) = &mut self.front else { return };
        match front.cache.arrive(now_us, asking) {
            Arrival::Serve { served, refresh } => {
                self.serve(reader, served);
                if let Some(fetch) = refresh {
                    self.fetch(fetch, None, key, colo);
                }
            }
            Arrival::Fetch(fetch) => self.fetch(fetch, Some(reader), key, colo),
            Arrival::Wait { until_us } => self.wait(reader, until_us),
        }
    }

    /// Carries a fetch of the cache in front out, for a reader or for nobody. A request in which the cache takes no part
    /// has the tag of the reader's browser.
    fn fetch(&mut self, fetch: Fetch, reader: Option<u32>, url: u32, colo: u16) {
        let Fetch { number, tag, passes, .. } = fetch;
        let browser = reader.and_then(|reader| self.readers[reader as usize].browser.as_ref());
        let tag = if passes { browser.and_then(|browser| browser.tag.clone()) } else { tag };
        self.figures.front.pass_on(url);
        let (knobs, random) = (self.site.knobs, &self.site.random);
        let now_us = self.site.now_us();
        let fails = !self.setting.origin_resolves && random.chance(knobs.unresolved_permille);
        let after_us = if fails { knobs.unresolved.draw_us(random) } else { knobs.origin.draw_us(random) };
        let place = self.requests.begin(For::Fetch(number), url, colo, tag);
        self.fetches.insert(number, place);
        let turn = self.requests.at(place).turn;
        let what = if fails { What::Fails { turn } } else { What::Begins { turn } };
        self.enter(now_us + after_us, place, what);
    }

    /// A fetch has failed before it reached the Worker.
    pub(super) fn fail(&mut self, place: u32, turn: u32) {
        let Some(request) = self.requests.of_turn(place, turn) else { return };
        let whose = request.whose;
        self.requests.give_back(place);
        let For::Fetch(number) = whose else { return };
        let now_us = self.front_us();
        self.fetches.remove(&number);
        let Some(front) = &mut self.front else { return };
        let verdicts = front.cache.fetched(now_us, number, Err(Failed));
        self.judge(verdicts);
    }

    /// A fetch has brought a whole answer.
    pub(super) fn fetched(&mut self, number: u64, head: Head, answer: Answer) {
        let now_us = self.front_us();
        self.fetches.remove(&number);
        let Some(front) = &mut self.front else { return };
        front.brought += 1;
        let outcome = Ok((head, Handle::Whole(answer), front.brought));
        let verdicts = front.cache.fetched(now_us, number, outcome);
        self.judge(verdicts);
    }

    /// A fetch has brought the head of events.
    pub(super) fn began(&mut self, number: u64, head: Head, events: Handle) {
        let now_us = self.front_us();
        let Some(front) = &mut self.front else { return };
        front.brought += 1;
        let verdicts = front.cache.began(now_us, number, head, events, front.brought);
        self.judge(verdicts);
    }

    /// The events that a fetch has brought have come to their end.
    pub(super) fn ended(&mut self, number: u64) {
        let now_us = self.front_us();
        self.fetches.remove(&number);
        let Some(front) = &mut self.front else { return };
        let verdicts = front.cache.ended(now_us, number, Ok(()));
        self.judge(verdicts);
    }

    /// A reader has waited for another's fetch for as long as it was to.
    pub(super) fn wait_over(&mut self, reader: u32, turn: u32) {
        if self.readers[reader as usize].turn != turn {
            return;
        }
        let now_us = self.front_us();
        let Some(front) = &mut self.front else { return };
        let verdicts = front.cache.wait_over(now_us, visitor(reader, turn));
        self.judge(verdicts);
    }

    /// A reader has left before it had its answer.
    pub(super) fn left(&mut self, visitor: u64) {
        let now_us = self.front_us();
        let Some(front) = &mut self.front else { return };
        let Some(abandoned) = front.cache.left(now_us, visitor) else { return };
        if let Some(place) = abandoned.fetch.and_then(|number| self.fetches.remove(&number)) {
            self.leave(place);
        }
        self.judge(abandoned.others);
    }

    /// What has become of visitors.
    fn judge(&mut self, verdicts: Vec<(u64, Verdict<Handle>)>) {
        for (visitor, verdict) in verdicts {
            let (reader, turn) = asker(visitor);
            if self.readers[reader as usize].turn != turn {
                continue;
            }
            let it = &self.readers[reader as usize];
            let (url, colo) = (it.url, it.colo);
            match verdict {
                Verdict::Serve(served) => self.serve(reader, served),
                Verdict::Fetch(fetch) => self.fetch(fetch, Some(reader), url, colo),
                Verdict::Wait { until_us } => self.wait(reader, until_us),
                Verdict::Failed => {
                    self.figures.front.requests += 1;
                    self.refused(reader);
                }
            }
        }
    }

    fn wait(&mut self, reader: u32, until_us: u64) {
        let turn = self.readers[reader as usize].turn;
        self.enter(until_us - EPOCH_MS * 1_000, reader, What::WaitOver { turn });
    }

    /// A reader is served by the cache in front.
    fn serve(&mut self, reader: u32, served: Served<Handle>) {
        self.figures.front.requests += 1;
        match served.how {
            How::Hit | How::Stale | How::Joined | How::Revalidated => self.figures.front.hits += 1,
            How::Fetched => {}
            How::Passed => self.figures.front.bypassed += 1,
        }
        match served.answer {
            Handle::Whole(answer) => self.give(reader, answer, served.age_s),
            Handle::Events { place, turn } => self.listen(reader, place, turn),
        }
    }

    /// A reader joins those who listen to events: it gets what was sent so far.
    fn listen(&mut self, reader: u32, place: u32, turn: u32) {
        let its_turn = self.readers[reader as usize].turn;
        match self.requests.of_turn(place, turn) {
            Some(request) => {
                request.listeners.push((reader, its_turn));
                let is_told = self.setting.bug != Some(CrowdBug::EarlierEventsNotTold);
                let sent: Vec<Rc<_>> = request.sent.iter().filter(|_| is_told).cloned().collect();
                for told in sent {
                    self.hear(reader, its_turn, &told, 0);
                }
            }
            // They ended a moment ago.
            None => self.ask_again(reader),
        }
    }
}
