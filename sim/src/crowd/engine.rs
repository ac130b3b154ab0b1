//! The crowd's one task: it takes what is due from the agenda, and polls what the world has woken.
//!
//! The agenda's clock follows the world's: what is due by the world's time is done, at its own time, and what the world
//! brings comes at the world's time. A call of an object begins less than a millisecond late by that.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use futures_util::FutureExt;
use tailrace_core::edge::{self, EdgeConfig};
use tailrace_core::protocol::{Headers, Method, header};
use tailrace_core::runtime::{self, Past};

use super::agenda::What;
use super::answer::{Answer, events_told};
use super::bug::CrowdBug;
use super::caches::{Front, Handle};
use super::edge::{Edge, Effect, Site};
use super::figures::{ClassFigures, Figures, TierFigures};
use super::messages::{Expected, Messages, Writers};
use super::reader::Reader;
use super::requests::{Brought, For, Requests};
use super::setting::{Class, InFront, Origin, Setting};
use super::urls::Urls;
use crate::bill::Usage;
use crate::kernel::rt;
use crate::tailrace::World;
use crate::world::cache_head;

/// What is counted begins so long after the first readers have come, in s.
pub const WARM_UP_S: u64 = 5;
/// For so much longer it goes on after the last message if fetches hang, in us.
const HANGS_US: u64 = 60_000_000;
/// Within so long all readers have come, in us.
const COME_WITHIN_US: u64 = 1_000_000;
/// How often what is of no use any more is dropped, in us.
pub(super) const TIDIES_US: u64 = 1_000_000;

/// Within how many ms all objects have started again after a deploy.
const DEPLOYS_WITHIN_MS: u64 = 1_000;

/// A crowd under way.
pub(super) struct Engine {
    pub(super) setting: Setting,
    pub(super) site: Rc<Site>,
    pub(super) readers: Vec<Reader>,
    pub(super) requests: Requests,
    pub(super) urls: Urls,
    pub(super) front: Option<Front>,
    /// The places of the fetches of the cache in front, by their numbers.
    pub(super) fetches: BTreeMap<u64, u32>,
    /// By URL: until when the last fetch of it hangs for which the origin's name has not resolved, in us since the seed
    /// began.
    pub(super) hangs_until_us: BTreeMap<u32, u64>,
    pub(super) figures: Figures,
    config: Rc<EdgeConfig>,
    pub(super) world: World,
    writers: Writers,
    began_us: u64,
    /// From when on nothing goes wrong, in us since the seed began.
    pub(super) calm_us: u64,
    /// From where those begin who read a stream from its tail, and from its start.
    begins: Vec<(String, String)>,
    pub(super) counts: bool,
    /// What had been used when it began to count, and when that was, in us.
    pub(super) metered_from: (Usage, u64),
    /// Whether what is used counts no more.
    pub(super) is_metered: bool,
    /// Whether it ends before its time.
    is_cut_short: bool,
}

impl Engine {
    /// A crowd whose readers have not come yet. `tails` are the offsets at which the streams end.
    pub(super) fn new(setting: Setting, site: Rc<Site>, world: World, config: EdgeConfig, tails: Vec<String>) -> Self {
        let front = Front::of(&setting);
        let mut engine = Self {
            site,
            readers: Vec::new(),
            requests: Requests::default(),
            urls: Urls::default(),
            front,
            fetches: BTreeMap::new(),
            hangs_until_us: BTreeMap::new(),
            figures: Figures::default(),
            config: Rc::new(config),
            writers: Writers::new(&setting, world.clone()),
            world,
            began_us: rt::now_ns() / 1_000,
            calm_us: u64::MAX,
            begins: tails.into_iter().map(|tail| (tail, "-1".to_owned())).collect(),
            counts: false,
            metered_from: <_>::default(),
            is_metered: true,
            is_cut_short: false,
            setting,
        };
        engine.gather();
        engine
    }

    /// The readers: each class is spread over the streams, and over the datacenters.
    fn gather(&mut self) {
        let (streams, colos) = (self.setting.streams, self.setting.colos.len());
        let expected = Expected::of(self.writers.count());
        for (class, count) in Class::ALL.into_iter().zip(self.setting.readers) {
            for number in 0..count {
                // Nobody writes to the last stream.
                let stream = if class == Class::Idle { streams } else { number % streams };
                let colo = number / streams % colos;
                let begin = &self.begins[stream];
                let from = if class == Class::CatchUp { &begin.1 } else { &begin.0 };
                let url = self.urls.number(stream, class, from, None);
                let part = self.site.random.next_u64() as u32;
                self.readers.push(Reader::new(class, stream, (colo, part), url, expected.clone()));
            }
        }
    }

    /// Runs until the last message has been delivered.
    pub(super) async fn run(mut self) -> Figures {
        self.site.agenda.borrow_mut().move_on(self.began_us);
        for reader in 0..self.readers.len() as u32 {
            let at_us = self.began_us + self.site.random.between(0, COME_WITHIN_US);
            self.enter(at_us, reader, What::Comes { turn: 0 });
        }
        let written_to = if self.setting.write_every_us > 0 { self.setting.streams as u32 } else { 0 };
        for stream in 0..written_to {
            let at_us = self.began_us + COME_WITHIN_US + self.site.random.between(0, self.setting.write_every_us);
            self.enter(at_us, stream, What::Writes);
        }
        self.enter(self.began_us + TIDIES_US, 0, What::TidiesUp);
        if let Some(after_s) = self.setting.deploys_after_s {
            self.enter(self.began_us + after_s * 1_000_000, 0, What::Deploys);
        }
        let calm_us = self.began_us + self.setting.seconds * 1_000_000;
        self.calm_us = calm_us;
        self.enter(calm_us, 0, What::CalmsDown);
        let hangs_us = if self.setting.origin == Origin::Unresolved { HANGS_US } else { 0 };
        let ends_us = calm_us + self.setting.lingers_s * 1_000_000 + hangs_us;
        loop {
            let now_us = rt::now_ns() / 1_000;
            while let Some((who, what)) = { self.site.agenda.borrow_mut().take(now_us) } {
                self.happen(who, what);
            }
            self.site.agenda.borrow_mut().move_on(now_us);
            for place in self.requests.take_woken() {
                self.poll(place);
            }
            if now_us >= ends_us || self.is_cut_short {
                break;
            }
            let next_us = self.site.agenda.borrow().next_us();
            let wait_us = next_us.unwrap_or(ends_us).min(ends_us).saturating_sub(now_us);
            let mut sleep = pin!(rt::sleep_ms(wait_us.div_ceil(1_000)));
            poll_fn(|context| match self.requests.poll_woken(context) {
                Poll::Pending => sleep.poll_unpin(context),
                woken => woken,
            })
            .await;
        }
        self.figures.writes = self.writers.acknowledged();
        self.count_those_behind();
        self.figures
    }

    /// Followers that have not got the last message of their stream, though they stay, and whoever asks no more.
    fn count_those_behind(&mut self) {
        let now_us = self.site.now_us();
        for reader in &self.readers {
            let follows = matches!(reader.class, Class::LongPoll | Class::Events);
            let is_behind = follows && !reader.expected.have_come(self.written(usize::from(reader.stream)));
            let has_stopped = now_us > reader.asked_us + self.longest_us(reader.class);
            let is_here = u64::from(reader.is_here);
            self.figures.classes[reader.class as usize].behind += is_here * u64::from(is_behind || has_stopped);
        }
    }

    /// How many messages were written to a stream.
    pub(super) fn written(&self, stream: usize) -> u32 {
        self.writers.sent_us(stream).len() as u32
    }

    /// Whether nothing has gone wrong for so long, in us.
    pub(super) fn is_calm_for(&self, us: u64) -> bool {
        self.site.now_us() > self.calm_us.saturating_add(us)
    }

    pub(super) fn enter(&self, at_us: u64, who: u32, what: What) {
        self.site.agenda.borrow_mut().enter(at_us, who, what);
    }

    fn happen(&mut self, who: u32, what: What) {
        match what {
            What::Comes { turn } => self.come(who, turn),
            What::Goes { turn } => self.go(who, turn),
            What::LosesPatience => self.lose_patience(who),
            What::Asks { turn } => self.ask(who, turn),
            What::Arrives { turn } => self.arrive(who, turn),
            What::Refreshes { turn } => self.refresh_arrives(who, turn),
            What::RefreshEnds { turn } => self.end_refresh(who, turn),
            What::WaitOver { turn } => self.wait_over(who, turn),
            What::Gets { turn } => self.get(who, turn),
            What::Begins { turn } => {
                if self.requests.of_turn(who, turn).is_some() {
                    self.begin(who);
                }
            }
            What::Resumes { turn } => {
                if self.requests.of_turn(who, turn).is_some() {
                    self.poll(who);
                }
            }
            What::Brings { turn } => self.bring(who, turn),
            What::Ends { turn } => self.end_events(who, turn),
            What::Fails { turn } => self.fail(who, turn),
            What::Writes => self.write(who),
            What::Deploys => self.world.deploy(DEPLOYS_WITHIN_MS),
            What::CalmsDown => {
                self.end_metering();
                self.world.calm();
            }
            What::TidiesUp => {
                self.site.tidy_up();
                rt::forget_finished_tasks();
                self.counts_from();
                if self.asks_too_much() {
                    self.is_cut_short = true;
                    self.end_metering();
                }
                self.enter(self.site.now_us() + TIDIES_US, 0, What::TidiesUp);
            }
        }
    }

    /// Begins to count, if it is time.
    fn counts_from(&mut self) {
        if !self.counts && self.site.now_us() >= self.began_us + WARM_UP_S * 1_000_000 {
            self.counts = true;
            let mut classes = std::mem::take(&mut self.figures).classes;
            classes.iter_mut().for_each(ClassFigures::count_anew);
            self.figures.classes = classes;
            self.begin_metering();
            self.writers.count_anew();
        }
    }

    /// Serves a request by core's edge.
    pub(super) fn begin(&mut self, place: u32) {
        self.meter_invocation(place);
        let request = self.requests.at(place);
        let (turn, colo, url, whose) = (request.turn, usize::from(request.colo), request.url, request.whose);
        let mut headers = Headers::default();
        if let Some(tag) = request.tag.clone() {
            headers.push(header::IF_NONE_MATCH, &*tag);
        }
        let part = match whose {
            For::Reader(reader, _) | For::Refresh(reader, _) => u64::from(self.readers[reader as usize].part),
            For::Fetch(_) | For::Nobody => self.site.random.next_u64(),
        };
        let is_read = self.setting.reads_pages() || self.urls.is_live(url);
        let edge = Edge::new(&self.site, (place, turn), (colo, part), is_read);
        let url = self.urls.text(url).to_owned();
        let asked = runtime::Request { method: Method::Get, url, headers, body: None, past: Past::default() };
        let (env, config) = (edge.clone(), self.config.clone());
        let task = match self.is_inner(whose) {
            true => async move { edge::serve_inner(&env, &config, asked).await }.boxed_local(),
            false => async move { edge::serve(&env, &config, asked).await }.boxed_local(),
        };
        self.requests.run(place, edge, task);
        self.poll(place);
    }

    pub(super) fn poll(&mut self, place: u32) {
        let is_over = self.requests.poll(place);
        self.take_effects();
        if !is_over {
            return;
        }
        if matches!(self.requests.at(place).brought, Brought::Events(_)) {
            let at_us = self.site.now_us() + self.way_us(place);
            let request = self.requests.at(place);
            request.outstanding += 1;
            // The end of a body comes after its head, on whatever way.
            let at_us = match self.setting.bug {
                Some(CrowdBug::EndOvertakesHead) => at_us,
                Some(CrowdBug::EndComesWithHead) => request.brought_us,
                _ => at_us.max(request.brought_us),
            };
            let turn = request.turn;
            self.enter(at_us, place, What::Ends { turn });
        }
        self.requests.settle(place);
    }

    /// How long the answer of a request at the edge is on its way, in us.
    fn way_us(&mut self, place: u32) -> u64 {
        let Site { knobs, random, .. } = &*self.site;
        match self.requests.at(place).whose {
            For::Fetch(_) if self.setting.front == InFront::Between => knobs.inner.draw_us(random),
            For::Fetch(_) => knobs.origin.draw_us(random),
            For::Reader(..) | For::Refresh(..) | For::Nobody => self.setting.way().draw_us(random),
        }
    }

    /// Does what requests have brought about.
    fn take_effects(&mut self) {
        let effects = self.site.effects.take();
        for effect in effects {
            match effect {
                Effect::Calls { place } => {
                    let url = self.requests.at(place).url;
                    self.tier(place).pass_on(url);
                    self.figures.object_calls += 1;
                }
                Effect::Answers { place, after_us, served } => {
                    let tier = self.tier(place);
                    tier.requests += 1;
                    tier.hits += u64::from(served.is_hit);
                    if served.is_hit {
                        self.meter_edge_hit(place);
                    }
                    self.bring_later(place, after_us, Brought::Whole(served));
                }
                Effect::Opens { place, after_us, head: response } => {
                    self.tier(place).requests += 1;
                    if let For::Reader(reader, turn) = self.requests.at(place).whose {
                        self.requests.at(place).listeners.push((reader, turn));
                    }
                    self.bring_later(place, after_us, Brought::Events(cache_head(&response)));
                }
                Effect::AsksInner { place, url } => self.ask_inner(place, url),
                Effect::Pushes { place, after_us, events } => {
                    let told = Rc::new(events_told(&events));
                    self.meter_delivery();
                    let request = self.requests.at(place);
                    let listeners = request.listeners.clone();
                    let is_shared = matches!(request.whose, For::Fetch(_));
                    if is_shared {
                        request.sent.push(told.clone());
                    }
                    let shared_us = if is_shared { self.way_us(place) } else { 0 };
                    for (reader, turn) in listeners {
                        self.hear(reader, turn, &told, after_us + shared_us);
                    }
                }
            }
        }
    }

    /// Where the request at that place is counted.
    fn tier(&mut self, place: u32) -> &mut TierFigures {
        let whose = self.requests.at(place).whose;
        let is_gateway = self.is_between() && !self.is_inner(whose);
        if is_gateway { &mut self.figures.gateway } else { &mut self.figures.edge }
    }

    fn bring_later(&mut self, place: u32, after_us: u64, brought: Brought) {
        let at_us = self.site.now_us() + after_us + self.way_us(place);
        let request = self.requests.at(place);
        (request.brought, request.brought_us) = (brought, at_us);
        request.outstanding += 1;
        let turn = request.turn;
        self.enter(at_us, place, What::Brings { turn });
    }

    /// The answer of a request at the edge, or its head, reaches whoever waits for it.
    fn bring(&mut self, place: u32, turn: u32) {
        let Some(request) = self.requests.of_turn(place, turn) else { return };
        request.outstanding -= 1;
        match (request.whose, &request.brought) {
            (For::Reader(reader, turn), Brought::Whole(served)) => {
                let (answer, age_s) = (served.answer.clone(), served.age_s);
                if self.readers[reader as usize].turn == turn {
                    self.receive(reader, &answer, age_s);
                }
            }
            (For::Refresh(reader, turn), Brought::Whole(served)) => {
                let (answer, age_s) = (served.answer.clone(), served.age_s);
                self.refreshed(reader, turn, &answer, age_s);
            }
            (For::Fetch(number), Brought::Whole(served)) => {
                let (answer, age_s) = (served.answer.clone(), served.age_s);
                let head = answer.head().clone().with_age_s(age_s);
                self.fetched(number, head, answer);
            }
            (For::Fetch(number), Brought::Events(head)) => {
                let head = head.clone();
                self.began(number, head, Handle::Events { place, turn });
            }
            (For::Reader(..) | For::Refresh(..) | For::Nobody, _) | (For::Fetch(_), Brought::Nothing) => {}
        }
        self.requests.settle(place);
    }

    /// Events have come to their end.
    fn end_events(&mut self, place: u32, turn: u32) {
        let Some(request) = self.requests.of_turn(place, turn) else { return };
        request.outstanding -= 1;
        let (whose, listeners) = (request.whose, std::mem::take(&mut request.listeners));
        for (reader, turn) in listeners {
            if self.readers[reader as usize].turn != turn {
                continue;
            }
            if self.setting.bug != Some(CrowdBug::PlaceKeptAfterEnd) {
                self.readers[reader as usize].place = None;
            }
            match self.setting.bug {
                Some(CrowdBug::ReconnectionLost) => self.readers[reader as usize].patient_until_us = 0,
                _ => self.ask_again(reader),
            }
        }
        if let For::Fetch(number) = whose {
            self.ended(number);
        }
        self.requests.settle(place);
    }

    /// Somebody writes a message to a stream.
    fn write(&mut self, stream: u32) {
        let now_us = self.site.now_us();
        self.writers.write(stream as usize, now_us);
        let next_us = now_us + self.setting.write_every_us;
        if next_us < self.began_us + self.setting.seconds * 1_000_000 {
            self.enter(next_us, stream, What::Writes);
        }
    }

    /// A reader learns of messages, so many us from now.
    pub(super) fn deliver(&mut self, reader: u32, messages: &Messages, after_us: u64) {
        let reader = &mut self.readers[reader as usize];
        let class = &mut self.figures.classes[reader.class as usize];
        let sent_us = self.writers.sent_us(usize::from(reader.stream));
        let Some(places) = messages.places(reader.stream, sent_us.len()) else {
            class.foreign += 1;
            return;
        };
        let now_us = self.site.now_us();
        let mut are_next = true;
        for place in places {
            are_next &= reader.expected.take(place);
            if reader.class != Class::CatchUp {
                class.deliver(now_us + after_us - sent_us[place as usize]);
            }
        }
        class.gaps += u64::from(!are_next);
    }

    /// A reader's request has come to its end: it asks again after a while.
    pub(super) fn ask_again(&mut self, reader: u32) {
        let after_us = self.site.knobs.reconnects.draw_us(&self.site.random);
        self.ask_after(reader, after_us);
    }

    pub(super) fn ask_after(&mut self, reader: u32, after_us: u64) {
        let it = &mut self.readers[reader as usize];
        it.patient_until_us = 0;
        let turn = it.turn;
        self.enter(self.site.now_us() + after_us, reader, What::Asks { turn });
    }

    /// From where those of that class begin who read that stream.
    pub(super) fn first_url(&mut self, stream: usize, class: Class) -> u32 {
        let (tail, start) = self.begins[stream].clone();
        let from = if class == Class::CatchUp { start } else { tail };
        self.urls.number(stream, class, &from, None)
    }

    /// The answer that is on its way to a reader, or to its browser by the turn, with its age.
    pub(super) fn give(&mut self, reader: u32, turn: u32, answer: Answer, age_s: u64) {
        let at_us = self.site.now_us() + self.setting.way().draw_us(&self.site.random);
        let it = &mut self.readers[reader as usize];
        match it.refresh(turn) {
            Some(refresh) => refresh.answer = Some((answer, age_s)),
            None => it.answer = Some((answer, age_s)),
        }
        self.enter(at_us, reader, What::Gets { turn });
    }
}
