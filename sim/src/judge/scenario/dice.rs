//! The dice of a seed: numbers, and what a world is made of.

use std::ops::Deref;

use tailrace_core::protocol::CachePolicy;
use tailrace_core::protocol::limits::CLIENT_BUFFER;

use super::memory_bounds::piece_bytes;
use super::{StreamPlan, policy};
use crate::judge::history::{Content, Lifetime};
use crate::kernel::random::{Delay, Random};
use crate::tailrace::{ColdSettings, EncodingStep, MemoryLimits, StreamLimits, Waits};
use crate::world::{BucketFaults, CacheFaults, Faults, Link, Region};

/// How many pages the largest body takes at most. More would show no more of what pages do, and one seed in a hundred
/// took as long as forty others.
const MOST_PAGES: usize = 32;

/// The randomness of a seed's scenario. What it draws, and in which order, decides what every seed means.
pub(super) struct Dice(Random);

impl Deref for Dice {
    type Target = Random;

    fn deref(&self) -> &Random {
        &self.0
    }
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    /// Whether what happens in `permille` of 1,000 cases happens now; unlike [`Random::chance`], it always draws.
    pub(super) fn chance(&self, permille: u32) -> bool {
        self.0.below(1_000) < permille
    }

    fn permille_if(&self, on: u32, min: u64, max: u64) -> u32 {
        if self.chance(on) { self.scale(min, max) as u32 } else { 0 }
    }

    fn delay_if(&self, on: u32, max_ms: u64) -> Delay {
        if !self.chance(on) {
            return Delay::NONE;
        }
        let max_ms = self.scale(1, max_ms);
        Delay::new(self.between(0, max_ms), max_ms)
    }

    pub(super) fn limits(&self) -> StreamLimits {
        let row_bytes = self.scale(64, 1_024) as usize;
        let mut limits = StreamLimits {
            // A message spans at most 16 rows, and the largest still has to be above a frame.
            body_bytes: row_bytes * self.between(4, 14) as usize,
            row_bytes,
            page_bytes: self.scale(64, 4_096) as usize,
            segment_rows: self.among(&[1, 2, 2, 3, 5, 8, 30, 1_000]),
            segment_bytes: if self.chance(400) { self.scale(100, 6_000) } else { 1 << 20 },
            ..StreamLimits::default()
        };
        // Mostly nobody gets there; where segments are small, an outage may.
        if limits.segment_bytes < 1 << 20 {
            match self.between(0, 9) {
                0..4 => limits.hot_bytes = limits.largest_segment() + self.scale(1, 4_000),
                4..9 => {
                    limits.row_bytes = limits.row_bytes.max(300);
                    limits.body_bytes = limits.row_bytes * 12;
                    limits.database_bytes = limits.least_database_bytes() + self.scale(1, 20_000);
                }
                _ => {}
            }
        }
        if self.chance(300) {
            limits.producers = self.among(&[1, 1, 2, 3]);
            limits.producer_idle_ms = self.scale(1_000, 300_000);
        }
        limits.page_bytes = limits.page_bytes.max(limits.body_bytes / MOST_PAGES);
        limits
    }

    /// How segments move to R2, where these faults are: a put is on its way for less than the age of an orphan.
    pub(super) fn cold(&self, faults: &Faults) -> ColdSettings {
        let BucketFaults { get, put, delete, list, late, .. } = faults.bucket;
        // By an object's own clock, which may be off, what has just been put is as old as that.
        let on_its_way_ms = faults.storage.flush.max_ms + put.max_ms + late.max_ms + 2 * faults.object_clock_off_ms();
        let retry_min_ms = self.scale(20, 2_000);
        ColdSettings {
            retry_min_ms,
            retry_max_ms: retry_min_ms + self.scale(1_000, 40_000),
            // Short enough that sweeps meet what goes wrong, or as long as it should be.
            orphan_age_ms: on_its_way_ms + if self.chance(500) { self.scale(1_000, 60_000) } else { 3_600_000 },
            sweep_page: self.among(&[1, 2, 5, 1_000]) as usize,
            read_attempts: self.between(1, 4) as u32,
            read_retry_ms: self.between(1, 100),
            index_bytes: self.among(&[0, 200, 1 << 20]) as usize,
            encoding: EncodingStep {
                rows: self.among(&[1, 2, 5, 512]),
                bytes: self.among(&[1, 200, 256 << 10]) as usize,
            },
            // Long enough for every call that comes to an end.
            read_limit_ms: get.max_ms.max(list.max_ms) + self.scale(500, 10_000),
            change_limit_ms: faults.storage.flush.max_ms + put.max_ms.max(delete.max_ms) + self.scale(1_000, 60_000),
        }
    }

    /// Mostly what a service has. Shorter than a few seconds would heal what is forgotten before a checker sees it, and
    /// a scenario ends before longer connections do.
    pub(super) fn waits(&self) -> Waits {
        match self.chance(650) {
            true => Waits::default(),
            false => Waits { long_poll_ms: self.scale(3_000, 25_000), sse_ms: self.scale(6_000, 90_000) },
        }
    }

    /// Mostly what a service has; where it is small, clients that do not read fill it.
    pub(super) fn client_buffer_bytes(&self) -> usize {
        if self.chance(600) { CLIENT_BUFFER } else { self.scale(50, 4_000) as usize }
    }

    /// Half of the worlds have as little room as their payloads are smaller than those of a service.
    pub(super) fn memory(&self, limits: &StreamLimits) -> MemoryLimits {
        if self.chance(500) {
            return MemoryLimits::default();
        }
        // Sometimes the copies of one small event are more than may be pushed.
        let pushed_bytes = if self.chance(500) { 4 * limits.body_bytes } else { self.scale(200, 4_000) as usize };
        let clients_bytes = piece_bytes(limits) * self.among(&[2, 4, 16]) as usize;
        MemoryLimits { bodies_bytes: limits.body_bytes * self.among(&[1, 2, 4]) as usize, pushed_bytes, clients_bytes }
    }

    /// An eighth of the worlds are on their best day, and another has nothing but distances.
    pub(super) fn faults(&self) -> Faults {
        if self.chance(125) {
            return Faults::default();
        }
        let faults = self.all_faults();
        if self.chance(140) { faults.delays() } else { faults }
    }

    fn all_faults(&self) -> Faults {
        let link = |loss: u64| Link {
            latency: self.delay_if(700, 120),
            request_loss_permille: self.permille_if(350, 2, loss),
            response_loss_permille: self.permille_if(350, 2, loss),
            ..Link::default()
        };
        let (client_link, object_link) = (link(250), link(100));
        let superseded = match self.chance(600) {
            true => Delay::new(0, self.scale(1_000, 30_000)),
            false => Delay::NONE,
        };
        let alarm_cut_off_fails = self.chance(250);
        let mut faults = Faults::default();
        faults.network.client_link = client_link;
        faults.network.object_link = object_link;
        // In the order in which they are drawn: another one would be other scenarios for every seed.
        faults.edge.isolate_restart_permille = self.permille_if(200, 2, 60);
        faults.objects.crash_permille = self.permille_if(350, 2, 120);
        faults.objects.crash_awaiting_permille = self.permille_if(400, 30, 400);
        faults.objects.crash_held_permille = self.permille_if(600, 40, 600);
        faults.storage.flush = self.delay_if(750, 60);
        faults.objects.cold_start = self.delay_if(400, 300);
        faults.objects.hibernation_missed_permille = self.permille_if(400, 100, 1_000);
        faults.objects.superseded = superseded;
        faults.objects.superseded_reads_fail = self.chance(500);
        faults.objects.stale_route_permille =
            if superseded == Delay::NONE { 0 } else { self.permille_if(900, 200, 900) };
        faults.sockets.half_dead_permille = self.permille_if(250, 20, 700);
        faults.edge.answer_cut_permille = self.permille_if(250, 2, 150);
        faults.edge.answer_lost_permille = self.permille_if(200, 2, 80);
        faults.edge.request_vanished_permille = self.permille_if(250, 5, 200);
        faults.edge.request_vanishes = self.delay_if(800, 30_000);
        faults.edge.answer_in_pieces_permille = self.permille_if(400, 50, 1_000);
        faults.edge.answer_pause = self.delay_if(700, 60);
        faults.edge.client_gone_noticed_permille = self.among(&[0, 0, 300, 1_000]) as u32;
        faults.edge.reply_broken_permille = self.permille_if(250, 5, 150);
        faults.edge.flight_lost_permille = self.permille_if(250, 50, 600);
        faults.edge.instance_lost_permille = self.permille_if(280, 5, 120);
        faults.alarm.late = self.delay_if(300, 20_000);
        faults.alarm.early_permille = self.permille_if(250, 50, 800);
        faults.alarm.early = self.delay_if(500, 5_000);
        faults.alarm.duplicate_permille = self.permille_if(250, 50, 800);
        faults.alarm.retry_limit = if alarm_cut_off_fails { self.among(&[0, 0, 1, 6]) as u32 } else { 6 };
        faults.alarm.cut_off_fails = alarm_cut_off_fails;
        faults.bucket = self.bucket();
        faults.alarm.reject_permille = self.permille_if(200, 5, 200);
        self.rarer_faults(&mut faults);
        faults.cache = self.cache();
        faults
    }

    fn rarer_faults(&self, faults: &mut Faults) {
        for link in [&mut faults.network.client_link, &mut faults.network.object_link] {
            link.slow_permille = self.permille_if(200, 2, 80);
            link.slow = if link.slow_permille > 0 { Delay::new(1_000, 60_000) } else { Delay::NONE };
        }
        faults.network.call_stuck_permille = self.permille_if(200, 2, 60);
        faults.network.client_leaves_permille = self.permille_if(250, 5, 300);
        if faults.network.client_leaves_permille > 0 {
            faults.network.client_leaves = Delay::new(0, self.scale(5, 3_000));
        }
        faults.objects.overloaded_permille = self.permille_if(200, 2, 150);
        faults.bucket.damaged_permille = self.permille_if(300, 20, 500);
        faults.storage.statement_fails_permille = self.permille_if(350, 5, 100);
        faults.objects.clock_off_ms = if self.chance(400) { self.scale(self.among(&[1, 500]), 20_000) } else { 0 };
        faults.objects.shares_isolate_permille = self.permille_if(400, 300, 1_000);
        faults.edge.clock_off_ms = if self.chance(250) { self.scale(1, 20_000) } else { 0 };
        faults.bucket.stuck_permille = self.permille_if(300, 30, 400);
        faults.storage.statement_full_permille = self.permille_if(250, 5, 100);
        if self.chance(350) {
            faults.objects.hibernate_after_ms = self.scale(50, 60_000);
        }
        faults.edge.shares_busy_isolate_permille = self.among(&[0, 300, 700, 1_000]) as u32;
        if self.chance(400) {
            let max_ms = self.scale(10, 100_000);
            faults.edge.isolate_idle = Delay::new(self.between(1, max_ms), max_ms);
        }
        faults.map.distance_permille = if self.chance(500) { self.among(&[1_000, 1_000, 300]) as u32 } else { 0 };
        faults.map.object_elsewhere_permille = self.permille_if(400, 100, 1_000);
        faults.map.clock_off_ms = match faults.objects.clock_off_ms {
            0 if self.chance(60) => self.scale(1, 10_000),
            off_ms @ 1.. if self.chance(400) => self.scale(1, off_ms),
            _ => 0,
        };
    }

    /// A third of R2 is on its best day. A sixth of the others stores quickly what it is slow to read and to list: so
    /// a stream is replaced, and the next one is stored, while the first is read and before it is removed.
    fn bucket(&self) -> BucketFaults {
        if self.chance(330) {
            return BucketFaults::default();
        }
        let slowest_put_ms = self.among(&[200, 3_000, 40_000]);
        let slowest_get_ms = self.among(&[400, 400, 900]);
        let late_permille = self.permille_if(400, 50, 500);
        let (get, put, list) = match self.chance(167) {
            true => (Delay::new(200, slowest_get_ms), Delay::new(0, 20), Delay::new(slowest_get_ms, 1_000)),
            false => {
                (self.delay_if(700, slowest_get_ms), self.delay_if(800, slowest_put_ms), self.delay_if(700, 1_000))
            }
        };
        BucketFaults {
            get,
            put,
            delete: self.delay_if(700, 1_000),
            list,
            error_before_permille: self.permille_if(400, 10, 400),
            error_after_permille: self.permille_if(500, 50, 600),
            late_permille,
            late: if late_permille > 0 { self.delay_if(1_000, 400_000) } else { Delay::NONE },
            short_page_permille: self.permille_if(300, 50, 700),
            damaged_permille: 0,
            stuck_permille: 0,
        }
    }

    /// Mostly the default.
    pub(super) fn policy(&self) -> CachePolicy {
        let drawn = policy::drawn();
        let place = if self.chance(700) { 0 } else { self.between(0, drawn.len() as u64 - 1) as usize };
        drawn[place]
    }

    /// Mostly as measured in production; sometimes an answer is visible at once, or only after a second.
    fn cache(&self) -> CacheFaults {
        CacheFaults {
            partitions: self.among(&[1, 1, 1, 2, 3, 20]),
            look_up: self.delay_if(700, 8),
            put: self.delay_if(700, 40),
            visible: match self.between(0, 9) {
                0..7 => Delay::new(5, 10),
                7..9 => Delay::NONE,
                _ => Delay::new(0, 1_000),
            },
            put_lost_permille: self.permille_if(250, 20, 700),
            evicted_permille: self.permille_if(250, 20, 500),
            look_up_fails_permille: self.permille_if(200, 20, 500),
            look_up_stuck_permille: 0,
            no_zone: self.chance(60),
        }
    }

    /// Of 1,000 look-ups into a cache, those that never come to an end.
    pub(super) fn look_up_stuck_permille(&self) -> u32 {
        self.permille_if(150, 5, 100)
    }

    /// Half of the worlds have one datacenter.
    pub(super) fn colos(&self) -> Vec<Region> {
        match self.chance(500) {
            true => Vec::new(),
            false => (0..self.between(2, 4)).map(|_| self.0.among(Region::ALL)).collect(),
        }
    }

    /// Mostly so few that requests share them; sometimes enough that each can have one of its own.
    pub(super) fn isolates(&self) -> usize {
        if self.chance(850) { self.between(1, 3) as usize } else { self.among(&[8, 20, 50]) as usize }
    }

    pub(super) fn stream(&self) -> StreamPlan {
        let content = match self.between(0, 99) {
            0..50 => Content::Json,
            50..75 => Content::Bytes,
            _ => Content::Text,
        };
        StreamPlan { content, lifetime: self.lifetime() }
    }

    pub(super) fn lifetime(&self) -> Lifetime {
        match self.between(0, 99) {
            0..45 => Lifetime::Endless,
            45..62 => Lifetime::Ttl(self.between(0, 8)),
            62..74 => Lifetime::Ttl(self.between(15, 70)),
            74..88 => Lifetime::Ttl(self.between(150, 500)),
            88..98 => Lifetime::Until(self.scale(500, 300_000)),
            _ => Lifetime::Until(0),
        }
    }
}
