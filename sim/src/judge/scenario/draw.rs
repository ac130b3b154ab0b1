//! From a seed to a scenario. Every seed draws which kinds of events it has at all, how often, and what goes wrong
//! (swarm testing): what a workload with everything in it hides, one with little in it shows.

mod phase;

use super::dice::Dice;
use super::verb::{Verb, verbs};
use super::{Action, Ahead, Disturbance, Event, Happening, Scenario, StreamPlan};
use crate::crowd::CrowdBug;
use crate::judge::history::{Lifetime, Mode};
use crate::kernel::random::Delay;
use crate::tailrace::{MemoryLimits, StreamLimits};
use crate::world::{BucketFaults, Region};

/// Bytes that a message takes beside its padding, at most.
pub(super) const FRAME_BYTES: usize = 90;

/// Live readers of a run, at most: what many of them cost is shown by a test of its own.
const MOST_READERS: u64 = 16;

impl Scenario {
    /// The scenario of a seed.
    pub fn draw(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let limits = dice.limits();
        let faults = dice.faults();
        let cold = dice.cold(&faults);
        let waits = dice.waits();
        let policy = dice.policy();
        let streams: Vec<StreamPlan> = (0..dice.between(1, 3)).map(|_| dice.stream()).collect();
        let mut draft = Draft {
            verbs: verbs(&dice),
            clients: dice.between(2, 6) as usize,
            colos: dice.colos(),
            isolates: dice.isolates(),
            client_buffer_bytes: dice.client_buffer_bytes(),
            memory: dice.memory(&limits),
            readers_left: MOST_READERS,
            disturbances: if faults == faults.delays() { 0 } else { dice.among(&[0, 1, 2, 4]) },
            supersedes: faults.objects.superseded != Delay::NONE,
            clock_off_ms: faults.objects.clock_off_ms,
            bucket: faults.bucket,
            removal_ms: faults.storage.flush.max_ms + faults.bucket.list.max_ms + faults.bucket.delete.max_ms,
            dice,
            limits,
            streams,
            now_ms: 0,
            events: Vec::new(),
        };
        draft.open();
        if draft.has_small_databases() && draft.disturbances > 0 && draft.dice.chance(800) {
            draft.flood();
        }
        for _ in 0..draft.dice.between(1, 6) {
            draft.burst();
            if draft.bucket.get.max_ms > 2 * draft.bucket.put.max_ms && draft.dice.chance(700) {
                draft.replace_while_reading();
            }
            if draft.supersedes && draft.dice.chance(900) {
                draft.take_over();
            }
            if draft.clock_off_ms > 0 && draft.dice.chance(900) {
                draft.ask_around_the_end();
            }
            if draft.dice.chance(450) {
                draft.keep_alive();
            }
            if draft.dice.chance(250) {
                draft.repeat_late();
            }
            if draft.dice.chance(150) {
                draft.fence_twice();
            }
            if draft.limits.segment_rows <= 3 && draft.disturbances > 0 && draft.dice.chance(150) {
                draft.sequence_over_rotation();
            }
            if draft.is_live() && draft.readers_left > 0 && draft.dice.chance(300) {
                draft.poll_before_the_end();
            }
            if draft.is_live() && draft.readers_left > 0 && draft.dice.chance(60) {
                draft.stall_through_writes();
            }
            if draft.colos.len() > 1 && draft.disturbances > 0 && draft.is_live() && draft.dice.chance(300) {
                draft.write_through_a_cut();
            }
            draft.tell_of_copies();
            if draft.has_little_room() && draft.is_live() && draft.dice.chance(800) {
                draft.stall_together();
            }
            draft.silence();
        }
        let calm_ms = draft.now_ms;
        draft.now_ms += 10;
        draft.disturbances = 0;
        for _ in 0..draft.dice.between(0, 2) {
            draft.burst();
            draft.silence();
        }
        if draft.is_live() && draft.dice.chance(700) {
            draft.quiet_phase();
        }
        let schedule = draft.dice.next_u64();
        // Nothing else that is drawn depends on what follows.
        let stuck_permille = draft.dice.look_up_stuck_permille();
        if draft.is_live() && draft.dice.chance(120) {
            draft.wait_together(None);
        }
        // Several things extend a lifetime, each of which is what a bug may forget.
        for _ in 0..draft.dice.between(0, 3) {
            draft.keep_alive();
        }
        if draft.is_live() && draft.dice.chance(300) {
            draft.readers_left = draft.readers_left.max(4);
            draft.load_again();
        }
        if draft.is_live() && draft.dice.chance(150) {
            let ahead_ms = draft.dice.among(&[300_000, 40_000_000]);
            draft.wait_together(Some(Ahead(ahead_ms)));
        }
        let faults = faults.with(|faults| faults.cache.look_up_stuck_permille = stuck_permille);
        draft.events.sort_by_key(|event| event.at_ms);
        let scenario = Self {
            schedule,
            colos: draft.colos,
            isolates: draft.isolates,
            client_buffer_bytes: draft.client_buffer_bytes,
            faults,
            limits: draft.limits,
            cold,
            memory: draft.memory,
            waits,
            policy,
            streams: draft.streams,
            crowd: crowd(seed),
            access: None,
            calm_ms,
            events: draft.events,
        };
        scenario.fronted(seed).keyed(seed).with_limited_rates(seed)
    }
}

/// Has the randomness of crowds differ from that of the rest.
const OF_CROWDS: u64 = 0x0063_726f_7764;

/// And that of limits of how often clients may do something.
const OF_RATES: u64 = 0x0072_6174_6573;

impl Scenario {
    /// With such limits, for some of the seeds that have faults.
    fn with_limited_rates(self, seed: u64) -> Self {
        let dice = Dice::new(seed ^ OF_RATES);
        if self.faults == self.faults.delays() || !dice.chance(150) {
            return self;
        }
        let faults = self.faults.with(|faults| {
            faults.edge.rate_exceeded_permille = dice.among(&[30, 200]) as u32;
            faults.edge.rate_unknown_permille = dice.among(&[0, 30, 300]) as u32;
        });
        Self { faults, ..self }
    }
}

/// How many readers the crowd of a seed has: 0 in most. It is drawn from randomness of its own, so that all else is what
/// it would be without it.
fn crowd(seed: u64) -> usize {
    let dice = Dice::new(seed ^ OF_CROWDS);
    if dice.chance(60) { crowd_size(&dice) } else { 0 }
}

fn crowd_size(dice: &Dice) -> usize {
    dice.between(20, 200) as usize
}

impl Scenario {
    /// A crowd in the same world and nothing else, for known bugs of a crowd's host: what its clients do is the same with
    /// them and without.
    pub fn crowd_alone(&self, bug: CrowdBug) -> Self {
        let crowd = if self.crowd > 0 { self.crowd } else { crowd_size(&Dice::new(self.schedule ^ OF_CROWDS)) };
        let fronted = if bug.needs_shared_events() { self.behind("collapsed-events") } else { self.clone() };
        Self { crowd, streams: Vec::new(), events: Vec::new(), ..fronted }
    }
}

/// A scenario in the making.
pub(super) struct Draft {
    pub(super) dice: Dice,
    pub(super) verbs: Vec<(Verb, u32)>,
    pub(super) clients: usize,
    pub(super) colos: Vec<Region>,
    pub(super) isolates: usize,
    pub(super) client_buffer_bytes: usize,
    pub(super) memory: MemoryLimits,
    /// How many live readers may still join.
    pub(super) readers_left: u64,
    /// How many things happen to the world in a burst, at most.
    pub(super) disturbances: u64,
    pub(super) supersedes: bool,
    /// By how much the clocks of objects are off at most, in ms.
    pub(super) clock_off_ms: u64,
    /// How long R2 takes.
    pub(super) bucket: BucketFaults,
    /// How long it takes to remove the objects of a stream, in ms.
    pub(super) removal_ms: u64,
    pub(super) limits: StreamLimits,
    pub(super) streams: Vec<StreamPlan>,
    pub(super) now_ms: u64,
    pub(super) events: Vec<Event>,
}

impl Draft {
    /// Whether less may wait for clients than in a service, and all of them can soon read what they have not read.
    fn has_little_room(&self) -> bool {
        let reads_soon = self.bucket.get.max_ms <= 20 && self.limits.body_bytes <= 16 * self.limits.page_bytes;
        self.memory.clients_bytes < MemoryLimits::default().clients_bytes && reads_soon
    }

    pub(super) fn push(&mut self, after_ms: u64, client: usize, action: Action) {
        let what = Happening::Client { client, action };
        self.events.push(Event { at_ms: self.now_ms + after_ms, what });
    }

    pub(super) fn push_disturbance(&mut self, after_ms: u64, disturbance: Disturbance) {
        self.events.push(Event { at_ms: self.now_ms + after_ms, what: Happening::World(disturbance) });
    }

    /// Most streams are there from the start.
    fn open(&mut self) {
        for stream in 0..self.streams.len() {
            if self.dice.chance(950) {
                let client = self.client();
                let load = if self.dice.chance(250) { Some(self.load()) } else { None };
                let lifetime = self.streams[stream].lifetime;
                self.push(0, client, Action::Create { stream, lifetime, closes: false, public: false, load });
            }
        }
        if self.is_live() {
            self.now_ms += 1;
            self.gather(4);
        }
        self.now_ms += self.dice.among(&[1, 20, 500]);
    }

    pub(super) fn is_live(&self) -> bool {
        self.verbs.iter().any(|(verb, _)| matches!(verb, Verb::LongPoll | Verb::Listen))
    }

    /// Some live readers are there before anything else is.
    fn gather(&mut self, most: u64) {
        for _ in 0..self.dice.between(0, most) {
            let (client, stream) = (self.client(), self.stream());
            let mode = if self.dice.chance(500) { Mode::LongPoll } else { Mode::Sse };
            let after_ms = self.dice.among(&[0, 3, 40, 700]);
            let action = self.join(stream, mode);
            self.push(after_ms, client, action);
        }
    }

    /// Another stream in the place of one that is deleted then, and something in it, while readers may still hang on.
    pub(super) fn recreate(&mut self, stream: usize, deleted_ms: u64) {
        let after_ms = deleted_ms + self.dice.among(&[0, 5, 60, 400, 3_000]);
        let (client, lifetime, load) = (self.client(), self.streams[stream].lifetime, self.load());
        // One that is closed from the start goes to R2 soon.
        let closes = self.dice.chance(250);
        self.push(after_ms, client, Action::Create { stream, lifetime, closes, public: false, load: Some(load) });
    }

    /// A few ms in which much happens.
    fn burst(&mut self) {
        let width_ms = self.dice.among(&[0, 2, 8, 40, 200]);
        for _ in 0..self.dice.between(1, 10) {
            let after_ms = self.dice.between(0, width_ms);
            let (client, action) = self.action();
            self.push(after_ms, client, action);
            if let Action::Delete { stream } = action
                && self.disturbances > 0
                && self.dice.chance(500)
            {
                let crash_ms = after_ms + self.dice.between(0, 2 * self.removal_ms + 2);
                self.push_disturbance(crash_ms, Disturbance::Crash { stream });
            }
        }
        for _ in 0..self.dice.between(0, self.disturbances) {
            let after_ms = self.dice.between(0, width_ms + 60);
            let disturbance = self.disturbance();
            self.push_disturbance(after_ms, disturbance);
            if let Disturbance::Supersede { stream } = disturbance
                && self.dice.chance(900)
            {
                self.ask_both(stream, after_ms);
            }
        }
        self.now_ms += width_ms;
    }

    /// Short or long; over the times after which objects hibernate (10 s) and are evicted (70 to 140 s), and around
    /// the moment at which a stream ends.
    fn silence(&mut self) {
        self.now_ms += match self.dice.between(0, 99) {
            0..30 => self.dice.between(1, 60),
            30..55 => self.dice.between(60, 3_000),
            55..70 => self.dice.between(3_000, 14_000),
            70..82 => self.dice.between(14_000, 160_000),
            _ => self.lifetime_gap_ms(),
        };
    }

    fn lifetime_gap_ms(&mut self) -> u64 {
        let stream = self.stream();
        let exact_ms = match self.streams[stream].lifetime {
            Lifetime::Endless => return self.dice.between(1, 30_000),
            Lifetime::Until(at_ms) => at_ms.saturating_sub(self.now_ms),
            Lifetime::Ttl(seconds) => match self.dice.between(0, 3) {
                0 => seconds * 1_125,
                1 => seconds * 500 + self.dice.between(0, seconds * 500),
                _ => seconds * 1_000,
            },
        };
        let off_ms = self.dice.among(&[2, 30, 600]);
        (exact_ms + self.dice.between(0, 2 * off_ms)).saturating_sub(off_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::scenario::policy;

    #[test]
    fn the_same_seed_draws_the_same_scenario_and_another_does_not() {
        assert_eq!(Scenario::draw(7), Scenario::draw(7));
        assert_ne!(Scenario::draw(7), Scenario::draw(8));
    }

    #[test]
    fn limits_and_loads_fit_each_other() {
        for seed in 0..400 {
            let scenario = Scenario::draw(seed);
            assert_eq!(scenario.limits.problem(), None, "seed {seed}");
            assert_eq!(scenario.cold.problem(), None, "seed {seed}");
            for event in &scenario.events {
                if let Some((_, Action::Append { load, .. } | Action::Produce { load, .. })) = event.action() {
                    let most = load.count * (load.pad_bytes + FRAME_BYTES + 3) + 2;
                    assert!(most <= scenario.limits.body_bytes + 2 || load.count == 1, "seed {seed}: {event}");
                }
            }
        }
    }

    #[test]
    fn every_kind_of_event_and_fault_is_drawn_and_none_always() {
        let drawn: Vec<String> = (0..400).map(|seed| Scenario::draw(seed).to_string()).collect();
        let words = [
            " create ",
            " close",
            " delete ",
            " append ",
            " produce ",
            " sequenced ",
            " passed",
            " resend ",
            " skip ",
            " restart\n",
            " start ",
            " resume ",
            " now ",
            " earlier:",
            " told:",
            " within:",
            " revalidate ",
            " head ",
            " crash ",
            " evict ",
            " supersede ",
            " restart-isolate ",
            " host-fails ",
            " cut-off ",
            " lose ",
            " outage ",
            " deploy ",
            " rotate ",
            "keyed ",
            "fault client_link.slow_permille",
            "fault object_link.slow_permille",
            "fault call_stuck_permille",
            "fault client_leaves_permille",
            "fault overloaded_permille",
            "fault bucket.damaged_permille",
            "fault statement_fails_permille",
            "fault object_clock_off_ms",
            "fault edge_clock_off_ms",
            "colo weur",
            "colo oc",
            "fault distance_permille",
            "fault object_elsewhere_permille",
            "fault colo_clock_off_ms",
            "fault shares_busy_isolate_permille",
            "fault isolate_idle.max_ms",
            "isolates 20\n",
            "fault shares_isolate_permille",
            "bad-element",
            "empty-array",
            "wrong-type",
            "too-large",
            "not-ascii",
            "compressed",
            "malformed",
            "stream json",
            "stream bytes",
            "stream text",
            " join ",
            " long-poll ",
            " sse ",
            " stall ",
            " leave ",
            "client-buffer",
            "memory pushed_bytes",
            "memory clients_bytes",
            "memory bodies_bytes",
            "ahead:",
            "endless",
            "ttl:",
            "until:",
            "fault isolate_restart_permille",
            "fault instance_lost_permille",
            "fault request_vanished_permille",
            "fault client_gone_noticed_permille",
            "fault reply_broken_permille",
            "fault flight_lost_permille",
            "fault crash_permille",
            "fault crash_held_permille",
            "fault stale_route_permille",
            "fault alarm_duplicate_permille",
            "fault crash_awaiting_permille",
            "fault flush.max_ms",
            "fault superseded_reads_fail",
            "fault alarm_early_permille",
            "fault alarm_reject_permille",
            "fault hibernation_missed_permille",
            "fault socket_half_dead_permille",
            "fault answer_in_pieces_permille",
            "fault answer_pause",
            "fault answer_cut_permille",
            "fault answer_lost_permille",
            "fault bucket.put.max_ms",
            "fault bucket.error_before_permille",
            "fault bucket.error_after_permille",
            "fault bucket.late_permille",
            "fault bucket.short_page_permille",
            "fault bucket.stuck_permille",
            "fault statement_full_permille",
            "limit hot_bytes",
            "limit database_bytes",
            "limit producers",
            "limit producer_idle_ms",
            "cold orphan_age_ms",
            "cold sweep_page",
            "wait long_poll_ms",
            "wait sse_ms",
            "fault hibernate_after_ms",
            "fault cache.partitions",
            "fault cache.look_up.max_ms",
            "fault cache.put.max_ms",
            "fault cache.visible.max_ms",
            "fault cache.put_lost_permille",
            "fault cache.evicted_permille",
            "fault cache.look_up_fails_permille",
            "fault cache.look_up_stuck_permille",
            "fault cache.no_zone",
            " no-cache\n",
            " reordered\n",
            " debugged\n",
            " any-tag\n",
            " browser\n",
        ];
        for word in words {
            let with = drawn.iter().filter(|text| text.contains(word)).count();
            assert!(with >= 15, "{word:?} is in {with} of {} scenarios", drawn.len());
        }
        // The default has no line of its own.
        for policy in &policy::correct()[1..] {
            let line = format!("policy {}\n", policy.name);
            let with = drawn.iter().filter(|text| text.contains(&line)).count();
            assert!(with >= 5, "{line:?} is in {with} of {} scenarios", drawn.len());
        }
        let calm = drawn.iter().filter(|text| !text.contains("fault ")).count();
        assert!((20..107).contains(&calm), "{calm} of {} worlds are on their best day", drawn.len());
    }
}
