//! What a crowd's requests are billed for at the edge. What objects are billed for is counted by the world in which they are.

use super::engine::Engine;
use super::setting::InFront;
use crate::bill::{Cause, Meter};

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
