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
        // What its browser asks for by itself, that goes on asking for.
        let is_browsers = it.refresh(it.turn).is_some();
        it.turn += 1;
        match place {
            Some(place) => self.leave(place),
            // To a cache between the entrypoints no reader is a visitor.
            None if self.is_between() || is_browsers => {}
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

    pub(super) fn arrive(&mut self, reader: u32, turn: u32) {
        let it = &self.readers[reader as usize];
        if it.turn != turn {
            return;
        }
        if self.front.is_some() && !self.is_between() {
            return self.visit(reader, turn, self.readers[reader as usize].url);
        }
        let tag = it.browser.as_ref().and_then(|browser| browser.tag.clone());
        let place = self.requests.begin(For::Reader(reader, turn), it.url, it.colo, tag);
        self.readers[reader as usize].place = Some(place);
        self.begin(place);
    }

    /// The answer that is on its way to a reader reaches it, or its browser.
    pub(super) fn get(&mut self, reader: u32, turn: u32) {
        let it = &mut self.readers[reader as usize];
        if let Some(refresh) = it.refresh(turn) {
            if let Some((answer, age_s)) = refresh.answer.take() {
                self.refreshed(reader, turn, &answer, age_s);
            }
            return;
        }
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
    pub(super) fn take(&mut self, reader: u32, answer: &Answer) {
        let it = &mut self.readers[reader as usize];
        it.place = None;
        let (class, stream) = (it.class, usize::from(it.stream));
        let status = answer.response().status;
        if !matches!(status, 200 | 204 | 304) {
            return self.refused(reader);
        }
        it.failures = 0;
        let told = answer.told();
        if let Some(messages) = &told.messages {
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
        let is_behind = self.is_calm_for(FORGOTTEN_AFTER_US) && !it.expected.have_come(self.written(stream));
        self.figures.classes[class as usize].behind += u64::from(is_behind && self.setting.reads_pages());
        let url = self.first_url(stream, class);
        let it = &mut self.readers[reader as usize];
        (it.url, it.patient_until_us) = (url, 0);
        it.expected.begin_anew();
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
        if let Some(messages) = &told.messages {
            let way_us = self.setting.way().draw_us(&self.site.random);
            self.deliver(reader, messages, after_us + way_us);
        }
    }
}
