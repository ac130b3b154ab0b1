//! What the cache in front of the Worker does for readers, and asks of the Worker.

use std::rc::Rc;

use tailrace_core::runtime::CallError;

use super::front_cache::Handle;
use crate::crowd::agenda::What;
use crate::crowd::answer::Answer;
use crate::crowd::bug::CrowdBug;
use crate::crowd::engine::Engine;
use crate::crowd::reader::{asker, visitor};
use crate::crowd::requests::For;
use crate::crowd::setting::{Origin, Readers};
use crate::front::{Arrival, Asking, Failed, Fetch, Head, How, Kind, Served, Verdict};
use crate::world::EPOCH_MS;

impl Engine {
    /// The time as caches in front know it, in us since the Unix epoch.
    fn front_us(&self) -> u64 {
        EPOCH_MS * 1_000 + self.site.now_us()
    }

    /// A request reaches the cache in front: a reader's, or one of its browser's own, by the turn.
    pub(in crate::crowd) fn visit(&mut self, reader: u32, turn: u32, key: u32) {
        let colo = self.readers[reader as usize].colo;
        let kind = match self.setting.readers_are {
            Readers::Workers => Kind::SubRequest,
            Readers::OneMachine => Kind::Outside { client: 0 },
            Readers::Clients => Kind::Outside { client: u64::from(reader) },
        };
        let asking = Asking {
            kind,
            colo: usize::from(colo),
            drawn: self.site.random.next_u64(),
            ..Asking::new(key, visitor(reader, turn), 0)
        };
        self.ask_front(reader, key, colo, asking);
    }

    /// A visitor asks the cache: a reader or its browser, or a gateway's request by its place.
    pub(in crate::crowd) fn ask_front(&mut self, who: u32, url: u32, colo: u16, asking: Asking<u32>) {
        let now_us = self.front_us();
        let (_, turn) = asker(asking.visitor);
        let Some(front) = &mut self.front else { return };
        match front.cache.arrive(now_us, asking) {
            Arrival::Serve { served, refresh } => {
                self.serve(who, turn, served);
                if let Some(fetch) = refresh {
                    self.fetch(fetch, None, url, colo);
                }
            }
            Arrival::Fetch(fetch) => self.fetch(fetch, Some((who, turn)), url, colo),
            Arrival::Wait { until_us } => self.wait(who, turn, until_us),
        }
    }

    /// Carries a fetch of the cache in front out, for a visitor or for nobody. A request in which the cache takes no part
    /// has the tag of the reader's browser; a gateway asks without.
    fn fetch(&mut self, fetch: Fetch, who: Option<(u32, u32)>, url: u32, colo: u16) {
        let Fetch { number, tag, passes, .. } = fetch;
        let visitor = who.filter(|_| !self.is_between());
        let own_tag = |(reader, turn): (u32, u32)| {
            let browser = self.readers[reader as usize].browser.as_ref()?;
            browser.refreshes.get(&turn).map_or_else(|| browser.tag.clone(), |refresh| refresh.tag.clone())
        };
        let tag = if passes { visitor.and_then(own_tag) } else { tag };
        self.figures.front.pass_on(url);
        let (knobs, random) = (self.site.knobs, &self.site.random);
        let now_us = self.site.now_us();
        let is_unresolved = match self.setting.origin {
            Origin::Resolves => false,
            Origin::Unresolved => true,
            Origin::UnresolvedUntilCalm => !self.is_calm_for(0),
        };
        let fails = is_unresolved && random.chance(knobs.unresolved_permille);
        let way = if self.is_between() { knobs.inner } else { knobs.origin };
        let after_us = if fails { knobs.unresolved.draw_us(random) } else { way.draw_us(random) };
        if fails {
            let until_us = self.hangs_until_us.entry(url).or_default();
            *until_us = (*until_us).max(now_us + after_us);
        }
        let place = self.requests.begin(For::Fetch(number), url, colo, tag);
        self.fetches.insert(number, place);
        let turn = self.requests.at(place).turn;
        let what = if fails { What::Fails { turn } } else { What::Begins { turn } };
        self.enter(now_us + after_us, place, what);
    }

    /// A fetch has failed before it reached the Worker.
    pub(in crate::crowd) fn fail(&mut self, place: u32, turn: u32) {
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
    pub(in crate::crowd) fn fetched(&mut self, number: u64, head: Head, answer: Answer) {
        let now_us = self.front_us();
        self.fetches.remove(&number);
        let Some(front) = &mut self.front else { return };
        front.brought += 1;
        let outcome = Ok((head, Handle::Whole(answer), front.brought));
        let verdicts = front.cache.fetched(now_us, number, outcome);
        self.judge(verdicts);
    }

    /// A fetch has brought the head of events.
    pub(in crate::crowd) fn began(&mut self, number: u64, head: Head, events: Handle) {
        let now_us = self.front_us();
        let Some(front) = &mut self.front else { return };
        front.brought += 1;
        let verdicts = front.cache.began(now_us, number, head, events, front.brought);
        self.judge(verdicts);
    }

    /// The events that a fetch has brought have come to their end.
    pub(in crate::crowd) fn ended(&mut self, number: u64) {
        let now_us = self.front_us();
        self.fetches.remove(&number);
        let Some(front) = &mut self.front else { return };
        let verdicts = front.cache.ended(now_us, number, Ok(()));
        self.judge(verdicts);
    }

    /// A visitor has waited for another's fetch for as long as it was to.
    pub(in crate::crowd) fn wait_over(&mut self, who: u32, turn: u32) {
        if self.asks_for(who, turn).is_none() {
            return;
        }
        let now_us = self.front_us();
        let Some(front) = &mut self.front else { return };
        let verdicts = front.cache.wait_over(now_us, visitor(who, turn));
        self.judge(verdicts);
    }

    /// For which URL a visitor asks, and in which datacenter; `None` if it asks no more.
    fn asks_for(&mut self, who: u32, turn: u32) -> Option<(u32, u16)> {
        if self.is_between() {
            let request = self.requests.of_turn(who, turn)?;
            return Some((request.asks_inner?, request.colo));
        }
        let it = &mut self.readers[who as usize];
        let colo = it.colo;
        if let Some(refresh) = it.refresh(turn) {
            return Some((refresh.url, colo));
        }
        (it.turn == turn).then_some((it.url, colo))
    }

    /// A visitor has left before it had its answer.
    pub(in crate::crowd) fn left(&mut self, visitor: u64) {
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
            let (who, turn) = asker(visitor);
            let Some((url, colo)) = self.asks_for(who, turn) else { continue };
            match verdict {
                Verdict::Serve(served) => self.serve(who, turn, served),
                Verdict::Fetch(fetch) => self.fetch(fetch, Some((who, turn)), url, colo),
                Verdict::Wait { until_us } => self.wait(who, turn, until_us),
                Verdict::Failed => {
                    self.figures.front.requests += 1;
                    if self.is_between() {
                        self.tell_gateway(who, Err(CallError::Reset));
                    } else if !self.refresh_failed(who, turn) {
                        self.unreached(who);
                    }
                }
            }
        }
    }

    fn wait(&mut self, who: u32, turn: u32, until_us: u64) {
        self.enter(until_us - EPOCH_MS * 1_000, who, What::WaitOver { turn });
    }

    /// A visitor is served by the cache.
    fn serve(&mut self, who: u32, turn: u32, served: Served<Handle>) {
        self.figures.front.requests += 1;
        match served.how {
            How::Hit | How::Stale | How::Joined | How::Revalidated => self.figures.front.hits += 1,
            How::Fetched => {}
            How::Passed => self.figures.front.bypassed += 1,
        }
        if matches!(served.how, How::Hit | How::Stale | How::Joined) {
            self.meter_front_hit(who, turn);
        }
        match served.answer {
            Handle::Whole(answer) if self.is_between() => self.tell_gateway(who, Ok((answer, served.age_s))),
            Handle::Whole(answer) => self.give(who, turn, answer, served.age_s),
            Handle::Events { place, turn } => self.listen(who, place, turn),
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
