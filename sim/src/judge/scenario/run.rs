//! Plays a scenario in a world and keeps its history.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tailrace_core::mutant;
use tailrace_core::protocol::limits::{DATABASE_BYTES, LOOK_UP_MS};

use super::memory_bounds::{memory_bounds, piece_bytes};
use super::operator::Operator;
use super::{Action, Disturbance, Scenario};
use crate::judge::client::{ClientContext, Issuer, Session, send_stranger};
use crate::judge::history::{
    Awake, CommitTimes, Conditions, Content, Fronts, Harms, History, Holding, Leftover, Lifetime, Moment, Stage,
    StreamInfo,
};
use crate::judge::known_bug::KnownBug;
use crate::judge::scenario::{Load, Origin};
use crate::kernel::marks::Marks;
use crate::kernel::random::Seeds;
use crate::kernel::reply::{Reply, reply};
use crate::kernel::rt::{self, Node};
use crate::tailrace::{ColdSettings, EdgeConfig, Rates, Settings, World, WorldConfig};
use crate::world::{AlarmCharge, CacheFaults, Faults, Link, PAGE_BYTES};

/// How long a request that its client gave up may still be under way, in ms: far above any sum of the delays that
/// scenarios draw.
const STRAGGLER_MS: u64 = 60_000;

/// How long after the last end of a stream its remains are looked for, in ms: past the platform's six retries of an
/// alarm, whose back-off doubles from 2 s, and past stragglers.
const QUIET_MS: u64 = 420_000;

/// How long after the calm everything that was under way has come to its end, in ms, if it is no connection of events:
/// a message takes a minute at most, and then a reader waits for another 40 s before it gives a silent connection up.
const UNDER_WAY_MS: u64 = 106_000;

/// How long after that nothing is left of what went wrong before, in ms: readers come back within seconds.
const SETTLING_MS: u64 = 14_000;

/// How long live readers stay for what was written last, in ms.
const LINGER_MS: u64 = 12_000;

/// How long a step of the encoding of a segment takes at most, in ms: the world's clock shows no less than 1 ms.
const STEP_MS: u64 = 2;

/// The longest that an event of an object takes, in ms, without the delays of a world: there is nothing that it waits
/// for.
const EVENT_MS: u64 = 100;
/// How often an object's sweep may look once more for what came late.
const SWEEPS: u64 = 5;

/// How long after the calm what is sealed may still wait for R2, in ms: until an alarm that was cut off is tried again,
/// or its object has run again.
const CATCH_UP_MS: u64 = 300_000;

/// How long an object that nobody asks stays in memory at most, in ms.
const EVICTED_MS: u64 = 150_000;

/// What core logs under.
const LOGGED: &str = "tailrace_core";

/// Offsets from which an audit reads.
const TOLD: usize = 5;

/// Pages after which a walk is given up.
const AUDIT_PAGES: usize = 10_000;

/// A scenario that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// What its clients saw.
    pub history: History,
    /// What was reached.
    pub marks: Marks,
    /// The hash of the trace.
    pub hash: u64,
    /// The trace, if it was asked for.
    pub trace: String,
    /// How long it took, in virtual ms.
    pub virtual_ms: u64,
}

/// Plays a scenario. Must run on a thread of its own: the executor and core's known bugs are the thread's.
pub fn play(scenario: &Scenario, bug: Option<KnownBug>, keep_trace: bool) -> Played {
    let core = if let Some(KnownBug::Core(mutant)) = bug { Some(mutant) } else { None };
    let host_mutant = if let Some(KnownBug::Host(mutant)) = bug { Some(mutant) } else { None };
    let front_bug = bug.and_then(KnownBug::of_front);
    mutant::activate(core);
    let seeds = Seeds::of(scenario.schedule);
    let played = rt::block_on(seeds.schedule, async {
        let settings = Settings {
            limits: scenario.limits.clone(),
            cold: scenario.cold.clone(),
            memory: scenario.memory.clone(),
            waits: scenario.waits,
            policy: scenario.policy,
        };
        let mut config = WorldConfig {
            faults: with_database_limit(scenario),
            colos: scenario.colos.clone(),
            isolates: scenario.isolates,
            host_mutant,
            front_bug,
            seeds,
            ..WorldConfig::of(settings)
        };
        config.edge.live.buffer_bytes = scenario.client_buffer_bytes;
        config.edge.live.piece_bytes = piece_bytes(&scenario.limits);
        if scenario.faults.edge.limits_rates() {
            config.edge.rates = Rates { has_openings: true, has_failures: true };
        }
        let edge = config.edge.clone();
        let world = World::new(config);
        let trace = world.trace();
        let guard = match (keep_trace, scenario.access) {
            (true, _) => Some(trace.keep(LOGGED)),
            // No token may be in what core writes into its log.
            (false, Some(_)) => Some(trace.listen(LOGGED)),
            (false, None) => None,
        };
        let start_ms = world.now_ms();
        let history = play_in(scenario, &world, edge).await;
        drop(guard);
        let virtual_ms = world.now_ms() - start_ms;
        Played { history, marks: world.marks(), hash: trace.hash(), trace: trace.text(), virtual_ms }
    });
    mutant::activate(None);
    played
}

/// The faults, with databases of the size that core is told, unless the scenario says otherwise.
fn with_database_limit(scenario: &Scenario) -> Faults {
    scenario.faults.with(|faults| {
        if faults.storage.database_pages == 0 && scenario.limits.database_bytes < DATABASE_BYTES {
            faults.storage.database_pages = scenario.limits.database_bytes / PAGE_BYTES;
        }
    })
}

async fn play_in(scenario: &Scenario, world: &World, edge: EdgeConfig) -> History {
    let streams = scenario.streams.iter().enumerate();
    let streams = streams.map(|(index, plan)| StreamInfo {
        name: Scenario::name(index),
        path: scenario.tenancy().url_path(index),
        content: plan.content,
    });
    let faults = &scenario.faults;
    let conditions = Conditions {
        full_until_ms: u64::MAX,
        straggler_ms: STRAGGLER_MS,
        settled_from_ms: if is_reliable(scenario) { world.now_ms() } else { u64::MAX },
        colos: scenario.colo_count(),
        distance_ms: longest_way_ms(scenario),
        answer_way_ms: faults.network.object_link.latency.max_ms + faults.network.client_link.latency.max_ms,
        is_keyed: scenario.access.is_some(),
        lists_origins: scenario.access.is_some_and(|plan| plan.lists_origins),
        tenancy: scenario.tenancy(),
        edges_apart_ms: 2 * (faults.map.clock_off_ms + faults.edge.clock_off_ms),
        // Two instances of an object are in the same datacenter.
        clocks_apart_ms: faults.object_clock_off_ms().max(2 * faults.objects.clock_off_ms),
        alarms_come_early: faults.alarm.early_permille > 0 || faults.object_clock_off_ms() > 0,
        alarm_late_ms: faults.alarm.late.max_ms + faults.alarm.early.max_ms,
        event_ms: EVENT_MS
            + faults.objects.cold_start.max_ms
            + faults.storage.flush.max_ms
            + retries_ms(&scenario.cold)
            + encoding_ms(scenario),
        cold_read_ms: 2 * faults.bucket.get.max_ms,
        read_limit_ms: scenario.cold.read_limit_ms,
        orphan_age_ms: scenario.cold.orphan_age_ms,
        sweep_page: scenario.cold.sweep_page,
        waits: scenario.waits,
        policy: scenario.policy,
        lock_age_ms: faults.front.lock_age_ms,
        cache_ms: (faults.cache.put.max_ms, look_up_ms(&faults.cache)),
        has_cache: !faults.cache.no_zone,
        hot_bytes: scenario.limits.hot_bytes,
        row_bytes: scenario.limits.row_bytes as u64,
        database_bytes: scenario.limits.database_bytes,
        database_is_smaller: (1..scenario.limits.database_bytes / PAGE_BYTES).contains(&faults.storage.database_pages),
        producers: scenario.limits.producers,
        producer_idle_ms: scenario.limits.producer_idle_ms,
        segment_bytes: scenario.limits.segment_bytes,
        footprint: memory_bounds(scenario),
        body_bytes: scenario.limits.body_bytes,
        bodies_bytes: scenario.memory.bodies_bytes,
        whole_event_bytes: scenario.limits.page_bytes * 3 / 2,
        isolates: scenario.isolates,
    };
    let history = History::new(streams.collect(), conditions);
    let off_ms = conditions.edge_clock_off_ms();
    let issuer = scenario.access.map(|plan| Issuer::new(plan, scenario.schedule, off_ms, world.watch()));
    let operator = Operator::new(world.clone(), issuer.map(Rc::new), edge);
    operator.open();
    let context = ClientContext::new(world.clone(), history, scenario.limits.body_bytes, scenario.waits.long_poll_ms);
    let context = Rc::new(context.with_issuer(operator.issuer.clone(), send_stranger));
    let node = Node::new();
    let mut done: Vec<Reply<()>> = Vec::new();
    let disturbances = scenario.events.iter().filter_map(|event| Some((event.at_ms, event.disturbance()?)));
    let is_operators = |(_, disturbance): &(u64, Disturbance)| matches!(disturbance, Disturbance::Rotate { .. });
    let (rotations, disturbances): (Vec<_>, Vec<_>) = disturbances.partition(is_operators);
    if !disturbances.is_empty() {
        let (sender, finished) = reply();
        done.push(finished);
        let (context, scenario) = (context.clone(), scenario.clone());
        node.spawn(async move {
            disturb(&context, &scenario, disturbances).await;
            sender.send(());
        });
    }
    if !rotations.is_empty() {
        let (sender, finished) = reply();
        done.push(finished);
        let (context, calm_ms) = (context.clone(), scenario.calm_ms);
        node.spawn(async move {
            for (at_ms, rotation) in rotations {
                wait_until(&context, at_ms).await;
                if let Disturbance::Rotate { for_ms } = rotation {
                    operator.rotate(context.start_ms + calm_ms, for_ms).await;
                }
            }
            sender.send(());
        });
    }
    let mut clients: BTreeMap<usize, Vec<(u64, Action)>> = BTreeMap::new();
    for event in &scenario.events {
        if let Some((client, action)) = event.action() {
            clients.entry(client).or_default().push((event.at_ms, action));
        }
    }
    for (client, actions) in clients {
        let (sender, finished) = reply();
        done.push(finished);
        let context = context.clone();
        node.spawn(async move {
            attend(context, client, actions).await;
            sender.send(());
        });
    }
    wait_until(&context, scenario.calm_ms).await;
    world.calm();
    context.calm_down();
    {
        let mut history = context.history.borrow_mut();
        let calm_ms = world.now_ms() + 1;
        let settling_ms = history.conditions.connection_ms().max(UNDER_WAY_MS) + SETTLING_MS;
        history.conditions.full_until_ms = calm_ms + catch_up_ms(scenario, history.batches.len());
        history.conditions.settled_from_ms = history.conditions.settled_from_ms.min(calm_ms + settling_ms);
    }
    hold(&context, scenario, Stage::Calm).await;
    for finished in done {
        finished.await;
    }
    let follows = scenario.events.iter().any(|event| matches!(event.action(), Some((_, Action::Join { .. }))));
    if follows {
        // Whoever still waits has come to a time-out since the calm, and waits for the next write.
        let settled_ms = context.history.borrow().conditions.settled_from_ms;
        rt::sleep_ms(settled_ms.saturating_sub(world.now_ms())).await;
    }
    audit(&context, scenario).await;
    if follows {
        rt::sleep_ms(LINGER_MS).await;
        context.dismiss();
    }
    // An alarm that the platform has given up is set again when its object runs again.
    rt::sleep_ms(EVICTED_MS).await;
    for stream in 0..scenario.streams.len() {
        Session::new(context.clone(), 0).cold_summary(stream).await;
    }
    let batches = context.history.borrow().batches.len();
    rt::sleep_ms(catch_up_ms(scenario, batches)).await;
    hold(&context, scenario, Stage::CaughtUp).await;
    rt::sleep_ms(quiet_ms(scenario, batches) + longest_life_ms(scenario)).await;
    for stream in 0..scenario.streams.len() {
        let mut history = context.history.borrow_mut();
        let at = history.moment(world.now_ms());
        history.leftovers.push(left(world, scenario, stream, at));
        history.awake.push(Awake { stream, spells: world.spells(&scenario.object(stream)) });
    }
    hold(&context, scenario, Stage::Settled).await;
    audit(&context, scenario).await;
    // What was sent to caches gets there.
    rt::sleep_ms(scenario.faults.cache.put.max_ms + 1).await;
    let names: Vec<String> = (0..scenario.streams.len()).map(|stream| scenario.object(stream)).collect();
    let harms = Harms::of(world.harms(), |name| names.iter().position(|object| object == name));
    let charges = world.charges();
    let mut history = context.history.borrow_mut();
    history.harms = harms;
    history.footprint = world.footprint();
    history.charges = charges.of_requests;
    history.times = world.times();
    history.sightings = world.watch().sightings();
    // A marker is no answer.
    history.visits = world.services().cache.visits();
    history.visits.retain(|visit| !visit.key.ends_with("&marker"));
    let front = &world.services().front;
    history.fronts = Fronts::of(front.visits(), front.fetches());
    let of_name = |name: &str| names.iter().position(|own| own == name);
    let unproven = world.services().bucket.unproven();
    history.unproven = unproven.into_iter().filter_map(|(name, ms)| Some((of_name(&name)?, ms))).collect();
    let of_stream = |(name, charge): (Rc<str>, AlarmCharge)| Some((of_name(&name)?, charge));
    history.alarms = charges.of_alarms.into_iter().filter_map(of_stream).collect();
    let of_stream = |(name, excess): (Rc<str>, String)| Some((of_name(&name)?, excess));
    history.excesses = charges.excesses.into_iter().filter_map(of_stream).collect();
    drop(history);
    context.history.take()
}

/// How much longer than within a datacenter a message is on its way between two of them at most, in ms.
fn longest_way_ms(scenario: &Scenario) -> u64 {
    let colos = scenario.colos.iter().enumerate();
    let others = |place: usize| scenario.colos.iter().skip(place + 1);
    let ways = colos.flat_map(|(place, one)| others(place).map(|other| one.one_way_ms(*other)));
    ways.max().unwrap_or(0) * u64::from(scenario.faults.map.distance_permille) / 1_000
}

/// How long a read of R2 pauses between its attempts in all, in ms.
fn retries_ms(cold: &ColdSettings) -> u64 {
    (1..cold.read_attempts).map(|attempt| cold.read_retry_ms << (attempt - 1)).sum()
}

/// How long the encoding of the largest segment takes at most, in ms: so many rows a step, after each of which other
/// events may come, and no more rows than all that happens may write.
fn encoding_ms(scenario: &Scenario) -> u64 {
    let rows_of_body = (scenario.limits.body_bytes / scenario.limits.row_bytes) as u64 + 1;
    let rows = (scenario.limits.segment_rows + rows_of_body).min(scenario.events.len() as u64 * rows_of_body);
    let row_bytes = scenario.limits.row_bytes as u64;
    let rows_a_step = scenario.cold.encoding.rows.min(scenario.cold.encoding.bytes as u64 / row_bytes).max(1);
    rows.div_ceil(rows_a_step) * STEP_MS
}

/// Whether all that ever happens is delay: nothing is lost, cut or reset.
fn is_reliable(scenario: &Scenario) -> bool {
    let disturbed = scenario.events.iter().any(|event| {
        let disturbance = event.disturbance().filter(|disturbance| !matches!(disturbance, Disturbance::Evict { .. }));
        disturbance.is_some() && event.at_ms < scenario.calm_ms
    });
    let faults = &scenario.faults;
    let delays = faults.delays().with(|delays| {
        delays.objects.hibernate_after_ms = faults.objects.hibernate_after_ms;
        delays.objects.hibernation_missed_permille = faults.objects.hibernation_missed_permille;
        delays.objects.evict_after = faults.objects.evict_after;
        delays.objects.superseded = faults.objects.superseded;
        delays.objects.superseded_reads_fail = faults.objects.superseded_reads_fail;
        delays.objects.stale_route_permille = faults.objects.stale_route_permille;
        delays.alarm.late = faults.alarm.late;
        delays.alarm.early_permille = faults.alarm.early_permille;
        delays.alarm.early = faults.alarm.early;
        delays.alarm.duplicate_permille = faults.alarm.duplicate_permille;
        // A cache that loses what it has makes more requests of objects, and no answer other. One that does not answer
        // makes answers late.
        delays.cache = CacheFaults { look_up_stuck_permille: 0, ..faults.cache };
    });
    !disturbed && *faults == delays
}

/// How long a look into a cache takes at most, in ms.
fn look_up_ms(cache: &CacheFaults) -> u64 {
    if cache.look_up_stuck_permille > 0 { cache.look_up.max_ms.max(LOOK_UP_MS) } else { cache.look_up.max_ms }
}

/// How long it takes at most until every sealed segment is in R2, in ms. They go one after another, and a batch begins
/// at most one of them.
fn catch_up_ms(scenario: &Scenario, batches: usize) -> u64 {
    CATCH_UP_MS
        + 2 * scenario.cold.retry_max_ms
        + batches as u64 * scenario.faults.bucket.put.max_ms
        + stuck_ms(scenario)
}

/// How long a call of R2 that never comes to an end holds its duty up, in ms. It may have begun just before the calm.
fn stuck_ms(scenario: &Scenario) -> u64 {
    if scenario.faults.bucket.stuck_permille > 0 { scenario.cold.change_limit_ms } else { 0 }
}

/// How long it takes at most until nothing is left to do for objects, in ms: a sweep may look at one key at a time.
fn quiet_ms(scenario: &Scenario, batches: usize) -> u64 {
    let of_a_key_ms = scenario.faults.bucket.list.max_ms + scenario.faults.bucket.delete.max_ms;
    let sweep_ms = scenario.cold.orphan_age_ms + scenario.cold.retry_max_ms + batches as u64 * of_a_key_ms;
    QUIET_MS + SWEEPS * sweep_ms + stuck_ms(scenario)
}

async fn wait_until(context: &ClientContext, at_ms: u64) {
    rt::sleep_ms((context.start_ms + at_ms).saturating_sub(context.world.now_ms())).await;
}

async fn attend(context: Rc<ClientContext>, client: usize, actions: Vec<(u64, Action)>) {
    let mut session = Session::new(context.clone(), client);
    for (at_ms, action) in actions {
        wait_until(&context, at_ms).await;
        session.act(action).await;
    }
}

/// What happens to the world.
async fn disturb(context: &ClientContext, scenario: &Scenario, disturbances: Vec<(u64, Disturbance)>) {
    let (world, faults) = (&context.world, scenario.faults);
    for (at_ms, disturbance) in disturbances {
        wait_until(context, at_ms).await;
        if at_ms >= scenario.calm_ms {
            return;
        }
        match disturbance {
            Disturbance::Crash { stream } => world.crash(&scenario.object(stream)),
            Disturbance::Evict { stream } => world.evict(&scenario.object(stream)),
            Disturbance::Supersede { stream } => world.supersede(&scenario.object(stream)),
            Disturbance::RestartIsolate { isolate } => world.restart_isolate(isolate),
            Disturbance::HostFails { colo } => world.fail_host(colo),
            Disturbance::CutOff { colo, for_ms } => world.cut_off(colo, for_ms.min(scenario.calm_ms - at_ms - 1)),
            Disturbance::Lose { for_ms, permille } => {
                let lossy =
                    |link: Link| Link { request_loss_permille: permille, response_loss_permille: permille, ..link };
                world.set_network(lossy(faults.network.client_link), lossy(faults.network.object_link));
                let end_ms = (at_ms + for_ms).min(scenario.calm_ms.saturating_sub(1));
                wait_until(context, end_ms).await;
                if context.world.now_ms() < context.start_ms + scenario.calm_ms {
                    world.set_network(faults.network.client_link, faults.network.object_link);
                }
            }
            Disturbance::Deploy { for_ms } => world.deploy(for_ms.min(scenario.calm_ms - at_ms - 1)),
            // The operator does it.
            Disturbance::Rotate { .. } => {}
            Disturbance::Outage { for_ms } => world.services().bucket.go_down(for_ms),
        }
    }
}

/// When nothing goes wrong any more, every stream can be created, appended to and read to its end, and every offset
/// that anyone was told goes on reading.
async fn audit(context: &Rc<ClientContext>, scenario: &Scenario) {
    let clients = scenario
        .events
        .iter()
        .filter_map(|event| event.action())
        .map(|(client, _)| client)
        .max()
        .map_or(0, |last| last + 1);
    let mut auditor = Session::new(context.clone(), clients);
    for (stream, plan) in scenario.streams.iter().enumerate() {
        let pad_bytes = match plan.content {
            Content::Json => 3,
            Content::Bytes | Content::Text => 5,
        };
        let load = Load { count: 1, pad_bytes };
        for count in 0..TOLD {
            // From offsets spread over all that were told, and from positions before them.
            let spread = count * context.told(stream) / TOLD;
            for origin in [Origin::Told(spread), Origin::Within(spread)] {
                auditor.act(Action::Read { stream, origin, pages: 1, manner: None }).await;
            }
        }
        auditor.act(Action::Produce { stream, load, depth: 1, copies: 1, closes: false }).await;
        auditor.act(Action::Head { stream }).await;
        auditor.act(Action::Read { stream, origin: Origin::Start, pages: AUDIT_PAGES, manner: None }).await;
    }
}

/// Writes down what R2 holds of each stream.
async fn hold(context: &Rc<ClientContext>, scenario: &Scenario, stage: Stage) {
    for stream in 0..scenario.streams.len() {
        // Before the calm is over, nobody asks what is still to be done: asking would be a help.
        let told = match stage {
            Stage::Calm => BTreeMap::new(),
            Stage::CaughtUp | Stage::Settled => Session::new(context.clone(), 0).cold_summary(stream).await,
        };
        let count = |name| told.get(name).copied().unwrap_or_default();
        let (world, object) = (&context.world, scenario.object(stream));
        let named = world.named_keys(&object);
        let of_object = format!("segments/{}/", world.object_id(&object));
        let stored: BTreeSet<String> = world
            .services()
            .bucket
            .objects()
            .into_iter()
            .map(|stored| stored.key)
            .filter(|key| key.starts_with(&of_object))
            .collect();
        let times = world.commit_times(&object, &named);
        let mut history = context.history.borrow_mut();
        let at = history.moment(world.now_ms());
        let times = times.into_iter().map(|(at, ms)| (at.read_seq, at.position, ms)).collect();
        history.commits.push(CommitTimes { stream, at, times });
        history.holdings.push(Holding {
            stream,
            at,
            stage,
            missing: named.difference(&stored).cloned().collect(),
            unnamed: stored.difference(&named).cloned().collect(),
            waiting: count("waiting"),
            sweeps: count("sweeps"),
        });
    }
}

/// The longest that any stream of the scenario lives after its last touch, with the slack.
fn longest_life_ms(scenario: &Scenario) -> u64 {
    let created = scenario.events.iter().filter_map(|event| match event.action()? {
        (_, Action::Create { lifetime, .. }) => Some(lifetime),
        _ => None,
    });
    let lives = created.map(|lifetime| match lifetime {
        Lifetime::Endless => 0,
        Lifetime::Ttl(seconds) => seconds * 1_125,
        Lifetime::Until(ms) => ms.saturating_sub(scenario.calm_ms),
    });
    lives.max().unwrap_or(0)
}

/// What the platform still bills: all but the one row that a tombstone is.
fn left(world: &World, scenario: &Scenario, stream: usize, at: Moment) -> Leftover {
    let tables = world.stored(&scenario.object(stream)).tables;
    let rows: u64 = tables.iter().map(|(_, rows)| rows).sum();
    let others = tables.into_iter().map(|(name, _)| name).filter(|name| name != "stream");
    Leftover { stream, at, rows: rows.saturating_sub(1), tables: others.collect() }
}
