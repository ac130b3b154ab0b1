//! Gets and listings: how old what they give is, and in which pages it comes.

use tailrace_core::runtime::{KV_LIST_LIMIT, KV_SETTLES_MS};

use super::{answer, billed, faults, harmed, run_in_two};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::probe::{elapsed_ms, run};
use crate::world::{Harm, KvFaults, marks};

#[test]
fn a_location_sees_a_put_after_the_lag_and_so_do_listings() {
    for lag_ms in [0, 10_000, KV_SETTLES_MS, 500_000] {
        let kv = KvFaults { lag: Delay::new(lag_ms, lag_ms), ..KvFaults::default() };
        run_in_two(kv, async |[here, there]| {
            answer(&here, "a", "kv-put k one").await;
            let lag_ms = lag_ms.min(KV_SETTLES_MS);
            let mut stale = 0;
            for (wait_ms, is_seen) in [(0, lag_ms == 0), (lag_ms.saturating_sub(1), lag_ms == 0), (1, true)] {
                rt::sleep_ms(wait_ms).await;
                for world in [&here, &there] {
                    let (text, keys) = if is_seen { ("one", "k") } else { ("none", "") };
                    assert_eq!(answer(world, "a", "edge kv-get k").await, text, "{lag_ms}");
                    assert_eq!(answer(world, "a", "edge kv-list").await, keys, "{lag_ms}");
                    assert_eq!(answer(world, "a", "kv-get k").await, text, "{lag_ms}");
                    stale += usize::from(!is_seen);
                }
            }
            assert_eq!(harmed(&here, Harm::KvStale), (2 * stale, stale), "whoever was told what is old");
            assert_eq!(here.marks().count(marks::KV_GAVE_STALE), 3 * stale as u64);
            assert_eq!(here.marks().count(marks::KV_ABSENCE_KEPT), 0, "no location keeps anything");
        });
    }
}

#[test]
fn a_location_keeps_what_it_has_found_absence_too_and_others_know_nothing_of_it() {
    for (first, kept_ms) in [(None, 0), (None, 40_000), (Some("one"), 40_000), (None, 500_000), (Some("one"), 500_000)]
    {
        let kv = KvFaults { kept: Delay::new(kept_ms, kept_ms), ..KvFaults::default() };
        run_in_two(kv, async |[here, there]| {
            if let Some(first) = first {
                answer(&here, "a", &format!("kv-put k {first}")).await;
            }
            rt::sleep_ms(1_000).await;
            let found = first.unwrap_or("none");
            assert_eq!(answer(&here, "a", "edge kv-get k").await, found);
            assert_eq!(answer(&here, "a", "kv-put k two").await, "stored");
            assert_eq!(answer(&there, "a", "edge kv-get k").await, "two", "it has not looked before");
            let kept_ms = kept_ms.min(KV_SETTLES_MS);
            let is_kept = kept_ms > 0;
            let of_object = answer(&there, "a", "kv-get k").await;
            assert_eq!(of_object, if is_kept { found } else { "two" }, "an object is where it was first called from");
            for (wait_ms, is_old) in [(0, is_kept), (kept_ms.saturating_sub(1), is_kept), (1, false)] {
                rt::sleep_ms(wait_ms).await;
                let expected = if is_old { found } else { "two" };
                assert_eq!(answer(&here, "a", "edge kv-get k").await, expected, "kept for {kept_ms} ms");
                assert_eq!(answer(&here, "a", "edge kv-list").await, "k", "of listings nothing is kept");
            }
            let stale = usize::from(is_kept);
            assert_eq!(harmed(&here, Harm::KvStale), (2 * stale, stale), "not who was told first");
            let absent = if first.is_none() { 3 * stale as u64 } else { 0 };
            assert_eq!(here.marks().count(marks::KV_ABSENCE_KEPT), absent);
        });
    }
}

#[test]
fn what_is_old_and_does_not_differ_harms_nobody() {
    run(1, faults(KvFaults { kept: Delay::new(60_000, 60_000), ..KvFaults::default() }), async |world, _| {
        answer(&world, "a", "kv-put k same").await;
        answer(&world, "a", "edge kv-get k").await;
        rt::sleep_ms(1_000).await;
        assert_eq!(answer(&world, "a", "kv-put k same").await, "stored");
        assert_eq!(answer(&world, "a", "edge kv-get k").await, "same");
        assert_eq!((world.marks().count(marks::KV_GAVE_STALE), world.harms()), (0, Default::default()));
    });
}

#[test]
fn nothing_that_is_read_anywhere_is_older_than_90_s_whatever_the_knobs_say() {
    for (lag_ms, kept_ms, oldest_ms) in [
        (0, 0, 0..=0),
        (20_000, 0, 15_000..=20_000),
        (0, 20_000, 15_000..=20_000),
        (20_000, 20_000, 30_000..=40_000),
        (500_000, 0, 85_000..=KV_SETTLES_MS),
        (0, 500_000, 85_000..=KV_SETTLES_MS),
        (90_000, 90_000, 85_000..=KV_SETTLES_MS),
        (500_000, 500_000, 85_000..=KV_SETTLES_MS),
    ] {
        let kv = KvFaults { lag: Delay::new(0, lag_ms), kept: Delay::new(0, kept_ms), ..KvFaults::default() };
        run_in_two(kv, async |[here, there]| {
            // When each put was applied; the first has the number 1, and the number 0 is that of absence.
            let (mut put_ms, mut most_ms) = (Vec::new(), 0);
            for number in 1..=600 {
                let told = answer(&here, "a", &format!("kv-put k {number} {number}")).await;
                assert_eq!(told, "stored");
                put_ms.push(elapsed_ms());
                for world in [&here, &there] {
                    let given = answer(world, "a", "edge kv-get k").await;
                    let page = answer(world, "a", "edge kv-list").await;
                    for given in [given.as_str(), page.strip_prefix("k:").unwrap_or("none")] {
                        let given: usize = if given == "none" { 0 } else { given.parse().unwrap() };
                        // It is as old as the put is that came after it.
                        let old_ms = put_ms.get(given).map_or(0, |next_ms| elapsed_ms() - next_ms);
                        most_ms = most_ms.max(old_ms);
                    }
                }
                rt::sleep_ms(1_000).await;
            }
            assert!(oldest_ms.contains(&most_ms), "{most_ms} ms old by {lag_ms} and {kept_ms}");
            assert_eq!(harmed(&here, Harm::KvStale).0 > 0, most_ms > 0);
        });
    }
}

#[test]
fn a_listing_comes_in_pages_as_large_as_the_knob_says_and_no_larger_than_the_platforms() {
    for (page_keys, count, pages) in [
        (0, 5, vec![5]),
        (2, 5, vec![2, 2, 1]),
        (5, 5, vec![5]),
        (0, 1_001, vec![1_000, 1]),
        (5_000, 1_001, vec![1_000, 1]),
    ] {
        run(1, faults(KvFaults { page_keys, ..KvFaults::default() }), async |world, _| {
            let expected: Vec<String> = (0..count).map(|number| format!("{number:05}")).collect();
            for key in expected.iter().rev() {
                answer(&world, "a", &format!("edge kv-put {key} x")).await;
            }
            let (mut sizes, mut found, mut command) = (Vec::new(), Vec::new(), "kv-list".to_owned());
            loop {
                let page = answer(&world, "a", &command).await;
                let (keys, next) =
                    page.split_once(", then ").map_or((page.as_str(), None), |(keys, next)| (keys, Some(next)));
                let before = found.len();
                found.extend(keys.split(' ').map(str::to_owned));
                sizes.push(found.len() - before);
                match next {
                    Some(next) => command = format!("kv-list {next}"),
                    None => break,
                }
            }
            assert_eq!((found, billed(&world)[2]), (expected, pages.len() as u64));
            assert_eq!(sizes, pages);
            assert!(sizes.iter().all(|keys| *keys <= KV_LIST_LIMIT));
            let told = answer(&world, "a", "edge kv-list 00001").await;
            assert_eq!(told, "KV: list failed: 400 Bad Request", "no page has said so");
        });
    }
}
