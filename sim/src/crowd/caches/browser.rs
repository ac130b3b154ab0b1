//! The browsers of readers that have one. What is stale and may be handed out is handed out at once, and asked for again
//! meanwhile: that request is the browser's own, by its reader and the reader's turn when it was handed out.

use crate::crowd::agenda::What;
use crate::crowd::answer::Answer;
use crate::crowd::bug::CrowdBug;
use crate::crowd::engine::Engine;
use crate::crowd::reader::{Refresh, visitor};
use crate::crowd::requests::For;
use crate::front::Look;

/// A browser knows ages in whole seconds, and asks a little later than an answer is given, in us.
const MORE_US: u64 = 3_000_000;

impl Engine {
    /// Looks into the reader's browser. Returns whether that has an answer, which the reader has then.
    pub(in crate::crowd) fn has_in_browser(&mut self, reader: u32) -> bool {
        let now_us = self.site.now_us();
        let key = self.browser_key(reader);
        let it = &mut self.readers[reader as usize];
        let Some(browser) = &mut it.browser else { return false };
        self.figures.browser.requests += 1;
        browser.tag = None;
        let answer = match browser.kept.look(now_us, &key) {
            Look::Fresh(answer) => answer,
            Look::Stale(answer, tag) => {
                let (url, turn) = (it.url, it.turn);
                let refresh = Refresh { url, key, tag, asked_us: now_us, place: None, answer: None };
                browser.refreshes.insert(turn, refresh);
                self.figures.browser.pass_on(url);
                self.begin_refresh(reader, turn);
                answer
            }
            Look::Revalidate(_, tag) => {
                browser.tag = Some(tag);
                self.figures.browser.pass_on(it.url);
                return false;
            }
            Look::Nothing => {
                self.figures.browser.pass_on(it.url);
                return false;
            }
        };
        self.figures.browser.hits += 1;
        self.count_outdated(reader, key, &answer);
        self.take(reader, &answer);
        true
    }

    /// Counts what a browser hands out though it has had it for longer than the answer allows: while it is fresh, and while
    /// it may be handed out stale.
    fn count_outdated(&mut self, reader: u32, key: u32, answer: &Answer) {
        let now_us = self.site.now_us();
        let it = &self.readers[reader as usize];
        let Some(browser) = &it.browser else { return };
        let control = answer.head().control;
        let is_refreshed = browser.refreshes.contains_key(&it.turn);
        let lasts_s = control.max_age_s.unwrap_or(0) + if is_refreshed { control.stale_s } else { 0 };
        let given_us = browser.given_us.get(&key).copied().unwrap_or(now_us);
        let is_outdated = now_us > given_us + lasts_s * 1_000_000 + MORE_US;
        self.figures.classes[it.class as usize].outdated += u64::from(is_outdated);
    }

    /// The answer that a reader has by its browser, which keeps what it may.
    pub(in crate::crowd) fn by_browser(&mut self, reader: u32, answer: &Answer, age_s: u64) -> Answer {
        let now_us = self.site.now_us();
        let key = self.browser_key(reader);
        let it = &self.readers[reader as usize];
        let Some(browser) = &it.browser else { return answer.clone() };
        let keeps_on = self.setting.bug == Some(CrowdBug::ChangedPageNotTaken) && browser.tag.is_some();
        let has_changed = answer.response().status != 304 && !keeps_on;
        let shown = match browser.kept.look(now_us, &key) {
            Look::Fresh(kept) | Look::Stale(kept, _) | Look::Revalidate(kept, _) if !has_changed => kept,
            _ => answer.clone(),
        };
        self.keep(reader, key, it.asked_us, (answer, age_s), &shown);
        shown
    }

    /// A reader's browser takes what came of what was asked for then: `shown` is what it keeps if it is told that something
    /// is still right, or that there is something else.
    fn keep(&mut self, reader: u32, key: u32, asked_us: u64, (answer, age_s): (&Answer, u64), shown: &Answer) {
        let forgets_age = self.setting.bug == Some(CrowdBug::BrowserForgetsAge);
        let Some(browser) = &mut self.readers[reader as usize].browser else { return };
        let head = answer.head().clone().with_age_s(if forgets_age { 0 } else { age_s });
        browser.given_us.insert(key, answer.given_us());
        browser.kept.take(asked_us, &key, Some((&head, shown.clone())));
    }

    /// Under what a reader's browser keeps what it asks for: the URL.
    fn browser_key(&mut self, reader: u32) -> u32 {
        let it = &self.readers[reader as usize];
        match self.setting.bug {
            Some(CrowdBug::BrowserKeyWithoutOffset) => self.first_url(usize::from(it.stream), it.class),
            _ => it.url,
        }
    }

    /// A browser sends a request of its own.
    fn begin_refresh(&mut self, reader: u32, turn: u32) {
        let class = self.readers[reader as usize].class;
        self.figures.refreshes += 1;
        self.figures.classes[class as usize].requests += 1;
        let now_us = self.site.now_us();
        let after_us = self.setting.way().draw_us(&self.site.random);
        self.enter(now_us + after_us, reader, What::Refreshes { turn });
        if self.setting.gives_up {
            self.enter(now_us + self.setting.patience_us(class), reader, What::RefreshEnds { turn });
        }
    }

    /// A browser's own request reaches the datacenter.
    pub(in crate::crowd) fn refresh_arrives(&mut self, reader: u32, turn: u32) {
        let it = &mut self.readers[reader as usize];
        let colo = it.colo;
        let Some(Refresh { url, tag, .. }) = it.refresh(turn) else { return };
        let (url, tag) = (*url, tag.clone());
        if self.front.is_some() && !self.is_between() {
            return self.visit(reader, turn, url);
        }
        let place = self.requests.begin(For::Refresh(reader, turn), url, colo, tag);
        if let Some(refresh) = self.readers[reader as usize].refresh(turn) {
            refresh.place = Some(place);
        }
        self.begin(place);
    }

    /// What a browser's own request has brought reaches the browser. Its reader hears nothing of that.
    pub(in crate::crowd) fn refreshed(&mut self, reader: u32, turn: u32, answer: &Answer, age_s: u64) {
        let it = &mut self.readers[reader as usize];
        let Some(refresh) = it.browser.as_mut().and_then(|browser| browser.refreshes.remove(&turn)) else { return };
        self.keep(reader, refresh.key, refresh.asked_us, (answer, age_s), answer);
        if self.setting.bug == Some(CrowdBug::RefreshHeardByReader)
            && let Some(browser) = &self.readers[reader as usize].browser
            && let Look::Fresh(kept) = browser.kept.look(self.site.now_us(), &refresh.key)
        {
            self.take(reader, &kept);
        }
        if !matches!(answer.response().status, 200 | 304) {
            self.count_refused(reader, refresh.asked_us);
        }
    }

    /// There is no answer to a browser's own request: what it has stays. Returns whether that turn has one.
    pub(in crate::crowd) fn refresh_failed(&mut self, reader: u32, turn: u32) -> bool {
        let it = &mut self.readers[reader as usize];
        let Some(refresh) = it.browser.as_mut().and_then(|browser| browser.refreshes.remove(&turn)) else {
            return false;
        };
        self.count_unreached(reader, refresh.url, refresh.asked_us);
        true
    }

    /// A browser waits no longer for what it has asked for by itself.
    pub(in crate::crowd) fn end_refresh(&mut self, reader: u32, turn: u32) {
        let it = &mut self.readers[reader as usize];
        let Some(refresh) = it.browser.as_mut().and_then(|browser| browser.refreshes.remove(&turn)) else { return };
        let is_unreached = self.was_unresolved_since(refresh.url, refresh.asked_us);
        self.count_given_up(reader, refresh.asked_us, is_unreached);
        match refresh.place {
            Some(place) => self.leave(place),
            None if self.is_between() => {}
            None => self.left(visitor(reader, turn)),
        }
    }
}
