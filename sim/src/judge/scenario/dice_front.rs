//! What stands in front of a seed's world. It is drawn from randomness of its own, so that all else is what it would be
//! without it.

use tailrace_core::protocol::CachePolicy;

use super::dice::Dice;
use super::draw::FRAME_BYTES;
use super::{Action, Event, Happening, Load, Origin, Scenario, StreamPlan};
use crate::judge::history::{Content, Lifetime};
use crate::kernel::random::Delay;
use crate::world::FrontFaults;

/// Has the randomness of what stands in front differ from that of the rest.
const OWN: u64 = 0x0066_726f_6e74;

/// And that of the events that show it.
const OWN_EVENTS: u64 = 0x0073_686f_776e;

/// Appends after which a log has several pages, at most.
const MOST_APPENDS: usize = 12;

/// Where a cache stands, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// A zone's CDN in front of clients' requests.
    Zone,
    /// Workers Cache in front of clients' requests.
    WorkersCache,
    /// Workers Cache between gateways and the inner entrypoint.
    Between,
}

/// The policies that are meant for a cache in front, each with what may be it.
const MEANT: [(&str, &[Stands]); 5] = [
    ("zone", &[Stands::Zone]),
    ("zone-silence", &[Stands::Zone]),
    ("workers-cache", &[Stands::WorkersCache]),
    ("gateway", &[Stands::Between]),
    ("collapsed-events", &[Stands::Zone, Stands::WorkersCache]),
];

impl Scenario {
    /// With what stands in front of its world by its policy, and with what shows that. Another seed has another front.
    pub(super) fn fronted(mut self, seed: u64) -> Self {
        self.faults.front = front(seed, self.policy, self.faults == self.faults.delays());
        let dice = Dice::new(seed ^ OWN_EVENTS);
        if self.faults.front.is_there() && dice.chance(400) {
            self.read_near_the_end(&dice);
        }
        self
    }

    /// The same behind a zone's CDN, for known bugs of such.
    pub fn behind_a_zone(&self) -> Self {
        self.behind_a_lock("zone")
    }

    /// The same with Workers Cache between a gateway and the inner entrypoint, for known bugs of caches.
    pub fn behind_a_gateway(&self) -> Self {
        self.behind_a_lock("gateway")
    }

    /// The same under that policy, with a cache in which requests wait for each other; and the origin, where one has a name,
    /// cannot be reached each time, and clients leave, unless nothing goes wrong.
    fn behind_a_lock(&self, policy: &str) -> Self {
        let mut scenario = self.behind(policy);
        let front = &mut scenario.faults.front;
        (front.nodes, front.lock_wait_ms, front.lock_age_ms) = (1, 30_000, 60_000);
        if self.faults != self.faults.delays() {
            let is_unresolved = front.is_in_front();
            front.origin_unresolved_permille =
                if is_unresolved { front.origin_unresolved_permille.max(150) } else { 0 };
            let network = &mut scenario.faults.network;
            network.client_leaves_permille = network.client_leaves_permille.max(100);
            network.client_leaves = Delay::new(1, network.client_leaves.max_ms.max(3_000));
        }
        scenario
    }

    /// The same under that policy, with something in front.
    pub(super) fn behind(&self, policy: &str) -> Self {
        let policy = CachePolicy::named(policy).expect("a policy of core");
        let is_there = |scenario: &Self| scenario.faults.front.is_there();
        // Where tokens are needed, a cache in front keeps nothing.
        let mut tried = (0..100)
            .map(|more| Self { policy, access: None, ..self.clone() }.fronted(self.schedule.wrapping_add(more)));
        tried.find(is_there).unwrap_or_else(|| self.clone())
    }

    /// A stream comes to its end while caches have pages of it, which they have asked for again shortly before.
    fn read_near_the_end(&mut self, dice: &Dice) {
        let stream = self.streams.len();
        let from_ms = dice.between(0, self.events.last().map_or(0, |event| event.at_ms));
        let end_ms = from_ms + 110_000;
        let lifetime = Lifetime::Until(end_ms);
        self.streams.push(StreamPlan { content: Content::Bytes, lifetime });
        let mut push = |at_ms, client, action| {
            self.events.push(Event { at_ms, what: Happening::Client { client, action } });
        };
        push(from_ms, 0, Action::Create { stream, lifetime, closes: false, public: false, load: None });
        let appends = (2 * self.limits.page_bytes / self.limits.body_bytes + 2).min(MOST_APPENDS);
        for _ in 0..appends {
            let load = Load { count: 1, pad_bytes: self.limits.body_bytes.saturating_sub(FRAME_BYTES + 3) };
            push(from_ms, 0, Action::Append { stream, load, closes: false, mistake: None });
        }
        // Fresh for a minute, stale, asked for again, and over.
        let read_ms = [2_000, dice.between(64_000, 95_000), dice.between(96_000, 109_000), 113_000, 125_000, 150_000];
        for (client, after_ms) in read_ms.into_iter().enumerate() {
            let read = Action::Read { stream, origin: Origin::Start, pages: 1, manner: None };
            push(from_ms + after_ms, client % 2, read);
        }
        self.events.sort_by_key(|event| event.at_ms);
    }
}

/// What stands in front of a seed's world under a policy. `is_faultless`: nothing goes wrong in the world.
fn front(seed: u64, policy: CachePolicy, is_faultless: bool) -> FrontFaults {
    let meant = MEANT.iter().find(|(name, _)| *name == policy.name);
    let Some((_, stands)) = meant else { return FrontFaults::default() };
    let dice = Dice::new(seed ^ OWN);
    let stands = stands[dice.between(0, stands.len() as u64 - 1) as usize];
    if dice.chance(100) {
        return FrontFaults::default();
    }
    let front = FrontFaults {
        zone: stands == Stands::Zone,
        workers_cache: stands == Stands::WorkersCache,
        between: stands == Stands::Between,
        nodes: dice.among(&[1, 1, 2, 9]),
        affinity_lost_permille: dice.among(&[0, 0, 300, 1_000]) as u32,
        sub_request_permille: dice.among(&[0, 0, 300, 1_000]) as u32,
        tiered: dice.chance(300),
        age_from_start: dice.chance(500),
        keeps_no_cache: dice.chance(700),
        // Who comes back with `Last-Event-ID` asks for the same URL.
        ignores_vary: !dice.chance(300) && policy.name != "collapsed-events",
        // Mostly longer than a poll waits; sometimes there is no lock.
        lock_wait_ms: dice.among(&[30_000, 30_000, 5_000, 500, 0]),
        lock_age_ms: dice.among(&[60_000, 60_000, 10_000, 1_000]),
        // Events that nobody has before they have all come are of no use.
        holds_back: !dice.chance(700) && policy.name != "collapsed-events",
        predicts: dice.among(&[10_000, 10_000, 1, 0]),
        cross_version: dice.chance(300),
        // Between two entrypoints no name is resolved.
        origin_unresolved_permille: match stands {
            Stands::Zone | Stands::WorkersCache if dice.chance(300) => dice.scale(10, 400) as u32,
            _ => 0,
        },
        origin_gives_up: Delay::new(0, dice.scale(1, 30_000)),
    };
    if is_faultless { FrontFaults { origin_unresolved_permille: 0, ..front } } else { front }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_under_the_policies_that_are_meant_for_it_something_stands_in_front() {
        for policy in CachePolicy::ALL {
            let fronts: Vec<FrontFaults> = (0..200).map(|seed| front(seed, *policy, false)).collect();
            let share = |is_it: fn(&FrontFaults) -> bool| fronts.iter().filter(|front| is_it(front)).count();
            let (zones, caches) = (share(|front| front.zone), share(|front| front.workers_cache));
            let between = share(FrontFaults::is_between);
            match policy.name {
                "zone" | "zone-silence" => assert!(zones > 150 && caches == 0, "{zones} {caches}"),
                "workers-cache" => assert!(zones == 0 && caches > 150, "{zones} {caches}"),
                "collapsed-events" => assert!(zones > 60 && caches > 60, "{zones} {caches}"),
                _ => assert_eq!((zones, caches), (0, 0), "{}", policy.name),
            }
            assert_eq!(between > 150, policy.name == "gateway", "{}: {between}", policy.name);
            assert_eq!(between > 0, policy.name == "gateway", "{}: {between}", policy.name);
            assert!(share(|front| front.is_there()) < 200);
        }
    }

    #[test]
    fn in_a_world_in_which_nothing_goes_wrong_the_origins_name_resolves() {
        let policy = CachePolicy::named("zone").expect("a policy");
        let unresolved = |is_faultless| {
            (0..200).filter(|seed| front(*seed, policy, is_faultless).origin_unresolved_permille > 0).count()
        };
        assert_eq!(unresolved(true), 0);
        assert!((20..120).contains(&unresolved(false)));
    }
}
