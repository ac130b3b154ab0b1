//! Any call: how long it takes, how it fails, what it costs.

use super::{LIMIT_MS, answer, billed, fails, faults, harmed, keys, run_in_two, texts};
use crate::bill::{Cause, Meter};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::probe::{PERMILLES, check_share, elapsed_ms, run};
use crate::world::{Faults, Harm, KvFaults, marks};

#[test]
fn what_is_put_is_seen_everywhere_at_once_where_nothing_goes_wrong() {
    run_in_two(KvFaults::default(), async |[here, there]| {
        for (world, command, expected) in [
            (&here, "kv-get k", "none"),
            (&there, "edge kv-get k", "none"),
            (&there, "edge kv-list", ""),
            (&here, "kv-put k one", "stored"),
            (&here, "edge kv-get k", "one"),
            (&there, "edge kv-get k", "one"),
            (&there, "edge kv-put l other and a note", "stored"),
            (&here, "kv-get l", "other"),
            (&here, "kv-list", "k l:and a note"),
            (&here, "edge kv-list", "k l:and a note"),
        ] {
            assert_eq!(answer(world, "a", command).await, expected, "{command}");
        }
        rt::sleep_ms(1_000).await;
        answer(&there, "a", "kv-put k two").await;
        for world in [&here, &there] {
            assert_eq!(answer(world, "a", "edge kv-get k").await, "two");
        }
        assert_eq!((texts(&here, "k"), texts(&here, "l")), (vec!["one".into(), "two".into()], vec!["other".into()]));
        assert_eq!(billed(&here), [7, 3, 3], "absent keys too");
        assert_eq!(here.usage().of(Cause::Write, Meter::KvReads), 7, "for what the requests are billed");
        assert_eq!((elapsed_ms(), here.harms()), (1_000, Default::default()));
    });
}

#[test]
fn keys_have_1_to_512_bytes_and_what_is_refused_is_not_billed() {
    run(1, Faults::default(), async |world, _| {
        for (bytes, is_taken) in [(0, false), (1, true), (512, true), (513, false)] {
            let key = "k".repeat(bytes);
            for command in [format!("kv-put {key} x"), format!("edge kv-get {key}")] {
                let told = answer(&world, "a", &command).await;
                assert_eq!(told == format!("KV: a key of {bytes} bytes"), !is_taken, "{bytes}: {told}");
            }
        }
        assert_eq!(billed(&world), [2, 2, 0]);
        assert_eq!(world.harms(), Default::default(), "no fault of KV");
    });
}

#[test]
fn each_kind_of_call_takes_its_own_time() {
    let kv =
        KvFaults { get: Delay::new(10, 10), put: Delay::new(20, 20), list: Delay::new(30, 30), ..KvFaults::default() };
    run(1, faults(kv), async |world, _| {
        for place in ["", "edge "] {
            for (command, takes_ms) in [("kv-put k x", 20), ("kv-get k", 10), ("kv-list", 30)] {
                let before_ms = elapsed_ms();
                answer(&world, "a", &format!("{place}{command}")).await;
                assert_eq!(elapsed_ms() - before_ms, takes_ms, "{place}{command}");
            }
            rt::sleep_ms(1_000).await;
        }
    });
}

/// Commands of each kind, each with what it tells while nothing else is in KV, and whether an object calls.
const CALLS: [(&str, &str, bool); 6] = [
    ("kv-get absent", "none", true),
    ("kv-put", "stored", true),
    ("kv-list", "", true),
    ("edge kv-get absent", "none", false),
    ("edge kv-put", "stored", false),
    ("edge kv-list", "", false),
];

#[test]
fn calls_fail_before_the_store_never_sometimes_or_always() {
    for permille in PERMILLES {
        for (command, expected, is_of_object) in CALLS {
            run(1, faults(KvFaults { error_before_permille: permille, ..KvFaults::default() }), async |world, _| {
                let mut failed = 0;
                for number in 0..100 {
                    let command = match command.ends_with("put") {
                        true => format!("{command} {number} x"),
                        false => command.to_owned(),
                    };
                    failed += usize::from(fails(&world, &command, expected).await);
                }
                check_share(permille, failed);
                let seen: u64 = billed(&world).into_iter().sum();
                assert_eq!(
                    seen,
                    100 - failed as u64,
                    "{command}: the store sees nothing of a call that fails before it"
                );
                let stored = keys(&world).len();
                assert_eq!(stored, if command.ends_with("put") { 100 - failed } else { 0 });
                let expected = if is_of_object { (0, failed) } else { (failed, 0) };
                assert_eq!(harmed(&world, Harm::KvFailed), expected, "{command}: each has its proof");
            });
        }
    }
}

#[test]
fn an_outage_fails_every_call_until_it_is_over_or_the_calm_ends_it() {
    for (wait_ms, calm, is_down) in
        [(0, false, true), (59_999, false, true), (60_000, false, false), (1_000, true, false)]
    {
        run(1, Faults::default(), async |world, _| {
            answer(&world, "a", "kv-put k x").await;
            world.services().kv.go_down(60_000);
            rt::sleep_ms(wait_ms).await;
            if calm {
                world.calm();
            }
            let list = if is_down { "k" } else { "k l" };
            for (command, expected) in [
                ("kv-put l y", "stored"),
                ("kv-get k", "x"),
                ("kv-list", list),
                ("edge kv-get k", "x"),
                ("edge kv-list", list),
            ] {
                let failed = fails(&world, command, expected).await;
                assert_eq!(failed, is_down, "{command} after {wait_ms} ms");
            }
            assert_eq!(keys(&world).len(), if is_down { 1 } else { 2 });
            assert_eq!(world.marks().count(marks::KV_WAS_DOWN), if is_down { 5 } else { 0 });
            assert_eq!(harmed(&world, Harm::KvFailed), if is_down { (2, 3) } else { (0, 0) });
        });
    }
}

#[test]
fn what_a_calm_leaves_is_what_kv_is_like() {
    let kv = KvFaults {
        get: Delay::new(1, 2),
        lag: Delay::new(3, 4),
        kept: Delay::new(5, 6),
        page_keys: 7,
        ..KvFaults::default()
    };
    let faulty =
        KvFaults { error_before_permille: 1, error_after_permille: 2, late_permille: 3, late: Delay::new(4, 5), ..kv };
    run(1, faults(faulty), async |world, _| {
        world.calm();
        assert_eq!(world.faults().kv, kv);
    });
}

#[test]
fn a_call_that_takes_too_long_fails_at_its_limit_and_goes_on_by_itself() {
    for (takes_ms, is_too_long) in [(LIMIT_MS - 1, false), (LIMIT_MS + 1, true), (LIMIT_MS + 5_000, true)] {
        for (command, expected, is_of_object) in CALLS {
            let delay = Delay::new(takes_ms, takes_ms);
            let kv = KvFaults { get: delay, put: delay, list: delay, ..KvFaults::default() };
            run(1, faults(kv), async |world, _| {
                let is_put = command.ends_with("put");
                let command = if is_put { format!("{command} k x") } else { command.to_owned() };
                let told = answer(&world, "a", &command).await;
                assert_eq!(told, if is_too_long { "KV: no answer in time" } else { expected }, "{command}");
                assert_eq!(elapsed_ms(), takes_ms.min(LIMIT_MS), "{command}");
                let harmed_once = if is_of_object { (0, 1) } else { (1, 0) };
                let expected = if is_too_long { harmed_once } else { (0, 0) };
                assert_eq!(harmed(&world, Harm::KvFailed), expected, "{command}");
                assert_eq!(world.marks().count(marks::KV_CALL_GIVEN_UP), u64::from(is_too_long));
                rt::sleep_ms(takes_ms).await;
                assert_eq!(billed(&world).iter().sum::<u64>(), 1, "{command} has reached the store");
                assert_eq!(keys(&world).len(), usize::from(is_put), "{command}");
                assert_eq!(harmed(&world, Harm::KvFailed), expected, "once");
                if is_of_object {
                    let spells = world.spells("a");
                    let lasted_ms = spells.iter().map(|spell| spell.end_ms - spell.begin_ms).max();
                    assert_eq!(lasted_ms, Some(takes_ms), "the call keeps its object active");
                }
            });
        }
    }
}

#[test]
fn a_text_is_written_down_nowhere_and_keys_and_notes_are_looked_at() {
    let secret = "s".repeat(43);
    for (key, text, note, expected) in [
        ("k", secret.as_str(), "n", &[][..]),
        (secret.as_str(), "text", "n", &["key of KV"]),
        ("k", "text", secret.as_str(), &["note of KV"]),
    ] {
        run(1, Faults::default(), async |world, _| {
            let _guard = world.trace().keep("tailrace_core");
            world.watch().expect_nowhere(&secret);
            answer(&world, "a", &format!("edge kv-put {key} {text} {note}")).await;
            // The command itself is in the trace.
            let of_kv = |text: &&str| text.contains(" kv: ");
            let trace = world.trace().text();
            let lines: Vec<&str> = trace.lines().filter(of_kv).collect();
            let [line] = lines[..] else { panic!("{lines:?}") };
            assert!(!line.contains(text) && line.contains(key) && line.contains(note), "{line}");
            let sightings = world.watch().sightings();
            let mut places: Vec<&str> =
                sightings.iter().filter_map(|sighting| Some(sighting.split_once(':')?.0)).collect();
            places.retain(|place| place.ends_with("of KV"));
            assert_eq!(places, expected);
        });
    }
}
