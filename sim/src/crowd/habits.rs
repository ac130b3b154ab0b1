//! What readers do: they come, ask, get answers, and go.

use std::rc::Rc;

use super::agenda::What;
use super::answer::{Answer, Told};
use super::bug::CrowdBug;
use super::engine::Engine;
use super::patience::FORGOTTEN_AFTER_US;
use super::reader::visitor;
use super::requests::{Brought, For};
use super::setting::Class;
use crate::front::Look;

/// A browser knows ages in whole seconds, and asks a little later than an answer is given, in us.
const MORE_US: u64 = 3_000_000;

/// Once nothing has gone wrong for so long, whoever is there stays, so that it can be seen what it has got, in us.
const STAYS_AFTER_US: u64 = 5_000_000;

impl Engine {
    pub(super) fn come(&mut self, reader: u32, session: u32) {
        let it = &self.readers[reader as usize];
        if it.session != session {
            return;
        }
        if self.setting.come_and_go {
            let after_us = self.site.knobs.stays.draw_us(&self.site.random);
            self.enter(self.site.now_us() + after_us, reader, What::Goes { turn: session });
        }
        self.readers[reader as usize].is_here = true;
        self.ask_after(reader, 0);
    }

    /// A reader goes: it leaves what it waits for, and comes again later.
    pub(super) fn go(&mut self, reader: u32, session: u32) {
        let is_calm = self.is_calm_for(STAYS_AFTER_US);
        let it = &mut self.readers[reader as usize];
        if it.session != session || is_calm {
            return;
        }
        it.session += 1;
        it.is_here = false;
        it.patient_until_us = 0;
        self.hang_up(reader);
        let after_us = self.site.knobs.away.draw_us(&self.site.random);
        self.enter(self.site.now_us() + after_us, reader, What::Comes { turn: session + 1 });
    }

    /// A reader leaves what it waits for.
    pub(super) fn hang_up(&mut self, reader: u32) {
        let it = &mut self.readers[reader as usize];
        it.answer = None;
        let (left, place) = (visitor(reader, it.turn), it.place.take());
        it.turn += 1;
        match place {
            Some(place) => self.leave(place),
            // To a cache between the entrypoints no reader is a visitor.
            None if self.is_between() => {}
            None => self.left(left),
        }
    }

    /// Nobody waits for a request at the edge any more. The platform ends it, unless it outlives its client.
    pub(super) fn leave(&mut self, place: u32) {
        let request = self.requests.at(place);
        request.whose = For::Nobody;
        request.listeners.clear();
        let outlives = request.edge.as_ref().is_some_and(|edge| edge.outlives_client());
        if !outlives || request.is_running() && matches!(request.brought, Brought::Events(_)) {
            self.requests.end(place);
            self.leave_inner(place);
        }
        self.requests.settle(place);
    }

    pub(super) fn ask(&mut self, reader: u32, turn: u32) {
        let it = &mut self.readers[reader as usize];
        if it.turn != turn {
            return;
        }
        it.turn += 1;
        it.asked_us = self.site.now_us();
        let turn = it.turn;
        if self.has_in_browser(reader) {
            return;
        }
        let it = &self.readers[reader as usize];
        self.figures.classes[it.class as usize].requests += 1;
        self.be_patient(reader);
        let after_us = self.setting.way().draw_us(&self.site.random);
        self.enter(self.site.now_us() + after_us, reader, What::Arrives { turn });
    }

    /// Looks into the reader's browser. Returns whether that has an answer, which the reader has then. What may be served
    /// stale is asked for again first: that takes a crowd no longer than anything else.
    fn has_in_browser(&mut self, reader: u32) -> bool {
        let now_us = self.site.now_us();
        let key = self.browser_key(reader);
        let it = &mut self.readers[reader as usize];
        let Some(browser) = &mut it.browser else { return false };
        self.figures.browser.requests += 1;
        browser.tag = match browser.kept.look(now_us, &key) {
            Look::Fresh(answer) => {
                self.figures.browser.hits += 1;
                let fresh_us = answer.head().control.max_age_s.unwrap_or(0) * 1_000_000 + MORE_US;
                let given_us = browser.given_us.get(&key).copied().unwrap_or(now_us);
                self.figures.classes[it.class as usize].outdated += u64::from(now_us > given_us + fresh_us);
                self.take(reader, &answer);
                return true;
            }
            Look::Stale(_, tag) => tag,
            Look::Revalidate(_, tag) => Some(tag),
            Look::Nothing => None,
        };
        self.figures.browser.pass_on(it.url);
        false
    }

    /// The answer that a reader has by its browser, which keeps what it may.
    fn by_browser(&mut self, reader: u32, answer: &Answer, age_s: u64) -> Answer {
        let now_us = self.site.now_us();
        let key = self.browser_key(reader);
        let forgets_age = self.setting.bug == Some(CrowdBug::BrowserForgetsAge);
        let it = &mut self.readers[reader as usize];
        let Some(browser) = &mut it.browser else { return answer.clone() };
        let head = answer.head().clone().with_age_s(if forgets_age { 0 } else { age_s });
        browser.given_us.insert(key, answer.given_us());
        let keeps_on = self.setting.bug == Some(CrowdBug::ChangedPageNotTaken) && browser.tag.is_some();
        if head.status != 304 && !keeps_on {
            browser.kept.take(it.asked_us, &key, Some((&head, answer.clone())));
            return answer.clone();
        }
        let kept = match browser.kept.look(now_us, &key) {
            Look::Fresh(kept) | Look::Stale(kept, _) | Look::Revalidate(kept, _) => kept,
            Look::Nothing => answer.clone(),
        };
        browser.kept.take(it.asked_us, &key, Some((&head, kept.clone())));
        kept
    }

    /// Under what a reader's browser keeps what it asks for: the URL.
    fn browser_key(&mut self, reader: u32) -> u32 {
        let it = &self.readers[reader as usize];
        match self.setting.bug {
            Some(CrowdBug::BrowserKeyWithoutOffset) => self.first_url(usize::from(it.stream), it.class),
            _ => it.url,
        }
    }

    pub(super) fn arrive(&mut self, reader: u32, turn: u32) {
        let it = &self.readers[reader as usize];
        if it.turn != turn {
            return;
        }
        if self.front.is_some() && !self.is_between() {
            return self.visit(reader);
        }
        let tag = it.browser.as_ref().and_then(|browser| browser.tag.clone());
        let place = self.requests.begin(For::Reader(reader, turn), it.url, it.colo, tag);
        self.readers[reader as usize].place = Some(place);
        self.begin(place);
    }

    /// The answer that is on its way to a reader reaches it.
    pub(super) fn get(&mut self, reader: u32, turn: u32) {
        let it = &mut self.readers[reader as usize];
        if it.turn != turn {
            return;
        }
        if let Some((answer, age_s)) = it.answer.take() {
            self.receive(reader, &answer, age_s);
        }
    }

    /// An answer reaches a reader, or its browser.
    pub(super) fn receive(&mut self, reader: u32, answer: &Answer, age_s: u64) {
        if self.setting.bug == Some(CrowdBug::NotModifiedRefused) && answer.response().status == 304 {
            return self.refused(reader);
        }
        let answer = self.by_browser(reader, answer, age_s);
        self.take(reader, &answer);
    }

    /// A reader gets an answer.
    fn take(&mut self, reader: u32, answer: &Answer) {
        let it = &mut self.readers[reader as usize];
        it.place = None;
        let (class, stream) = (it.class, usize::from(it.stream));
        let status = answer.response().status;
        if !matches!(status, 200 | 204 | 304) {
            return self.refused(reader);
        }
        it.failures = 0;
        let told = answer.told();
        if let Some(messages) = told.messages {
            self.deliver(reader, messages, 0);
        }
        if class == Class::CatchUp && (told.is_up_to_date || status != 200) {
            return self.walked(reader);
        }
        match answer.next_url(|| self.urls.after(stream, class, told)) {
            Some(url) => self.readers[reader as usize].url = url,
            None => return self.refused(reader),
        }
        self.ask_again(reader);
    }

    /// A reader has read a stream from its start to its end, and comes to read it again.
    fn walked(&mut self, reader: u32) {
        let it = &self.readers[reader as usize];
        let (class, stream) = (it.class, usize::from(it.stream));
        let is_behind = self.is_calm_for(FORGOTTEN_AFTER_US) && it.next_message.unwrap_or(0) != self.written(stream);
        self.figures.classes[class as usize].behind += u64::from(is_behind && self.setting.reads_pages());
        let url = self.first_url(stream, class);
        let it = &mut self.readers[reader as usize];
        (it.url, it.next_message, it.patient_until_us) = (url, None, 0);
        if self.setting.bug == Some(CrowdBug::WalkNotRepeated) {
            return;
        }
        let after_us = self.site.knobs.reads_again.draw_us(&self.site.random);
        self.ask_after(reader, after_us);
    }

    /// Events reach a reader, so many us and the way from now.
    pub(super) fn hear(&mut self, reader: u32, turn: u32, told: &Rc<Told>, after_us: u64) {
        let it = &self.readers[reader as usize];
        if it.turn != turn && self.setting.bug != Some(CrowdBug::OutdatedEventsHeard) {
            return;
        }
        let (class, stream) = (it.class, usize::from(it.stream));
        self.hears(reader);
        if let Some(url) = self.urls.after(stream, class, told) {
            self.readers[reader as usize].url = url;
        }
        if let Some(messages) = told.messages {
            let way_us = self.setting.way().draw_us(&self.site.random);
            self.deliver(reader, messages, after_us + way_us);
        }
    }
}
