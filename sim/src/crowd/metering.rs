//! What a crowd's requests are billed for at the edge. What objects are billed for is counted by the world in which they are.

use super::engine::{Engine, TIDIES_US};
use super::setting::InFront;
use crate::bill::{Cause, Meter};

/// How long it takes to tell whether an object is asked too often, in us.
const TELLS_US: u64 = 5_000_000;

impl Engine {
    /// What is used counts from now on.
    pub(super) fn begin_metering(&mut self) {
        self.metered_from = (self.world.usage(), self.site.now_us());
    }

    /// What is used counts no more: no more messages are written.
    pub(super) fn end_metering(&mut self) {
        let (before, from_us) = &self.metered_from;
        self.figures.usage.merge(&self.world.usage().since(before));
        self.figures.metered_us = self.site.now_us() - from_us;
        self.is_metered = false;
    }

    /// Whether an object is asked more often than it bears, by the first seconds that count. A cycle more or less at the edges of
    /// so short a time makes no difference to that.
    pub(super) fn asks_too_much(&self) -> bool {
        let (before, from_us) = &self.metered_from;
        let counted_us = self.site.now_us() - from_us;
        let Some(bears) = self.setting.bears else { return false };
        if !self.counts || !self.is_metered || !(TELLS_US..TELLS_US + TIDIES_US).contains(&counted_us) {
            return false;
        }
        let asked = self.world.usage().since(before).total(Meter::ObjectRequests) as f64;
        let cycles = counted_us as f64 / self.setting.write_every_us.max(1) as f64;
        let streams = self.setting.streams as f64;
        asked / streams / (counted_us as f64 / 1e6) * cycles / (cycles + 1.0) > bears
    }

    fn meter(&mut self, url: u32, meter: Meter) {
        self.meter_for(self.urls.cause(url), meter);
    }

    fn meter_for(&mut self, cause: Cause, meter: Meter) {
        if self.is_metered {
            self.figures.usage.add(cause, meter, 1);
        }
    }

    /// The Worker is invoked for the request at that place.
    pub(super) fn meter_invocation(&mut self, place: u32) {
        let url = self.requests.at(place).url;
        self.meter(url, Meter::WorkerRequests);
    }

    /// The Worker has answered the request at that place from the cache of its datacenter.
    pub(super) fn meter_edge_hit(&mut self, place: u32) {
        let url = self.requests.at(place).url;
        self.meter(url, Meter::EdgeHits);
    }

    /// The Worker has written events to a connection.
    pub(super) fn meter_delivery(&mut self) {
        self.meter_for(Cause::Connection, Meter::Deliveries);
    }

    /// A cache has served a visitor without a request of the visitor's own to the Worker. What Workers Cache answers is one
    /// all the same. `who` is a reader, or its browser by the turn, or the place of a gateway's request.
    pub(super) fn meter_front_hit(&mut self, who: u32, turn: u32) {
        let url = match self.is_between() {
            true => self.requests.at(who).url,
            false => {
                let it = &mut self.readers[who as usize];
                it.refresh(turn).map(|refresh| refresh.url).unwrap_or(it.url)
            }
        };
        if self.setting.front == InFront::Zone {
            return self.meter(url, Meter::ZoneHits);
        }
        self.meter(url, Meter::WorkerRequests);
        self.meter(url, Meter::WorkersCacheHits);
    }
}
