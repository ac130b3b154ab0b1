//! What a cache in front does, as scripts: with one node, where nothing else is said. The same machine is in Workers Cache.

use super::bug::FrontBug;
use super::knobs::{AgeFrom, FreshnessKnobs, LockKnobs, ZoneKnobs};
use super::stage::zone::{breaks, check, stage};

#[test]
fn the_first_fetches_the_others_wait_and_all_have_one_answer() {
    check(
        |_| {},
        &[
            ("0 ask k 1", "fetch 1"),
            ("10 ask k 2", "wait 5010"),
            ("20 ask k 3", "wait 5020"),
            ("20 ask other 4", "fetch 2"),
            ("1000 end 1 200 max-age=60", "1: fetched 101 age 0; 2: joined 101 age 0; 3: joined 101 age 0"),
            ("31000 ask k 5", "hit 101 age 30"),
            ("60999 ask k 6", "hit 101 age 59"),
            ("61000 ask k 7", "fetch 3"),
            ("61000 end 1 200 max-age=60", ""),
        ],
    );
}

#[test]
fn what_is_uncacheable_goes_to_nobody_else_and_its_key_is_remembered_until_it_is_cacheable() {
    let script = [("0 ask k 1", "fetch 1"), ("0 ask k 2", "wait 5000"), ("0 ask k 3", "wait 5000")];
    let freed = "1: passed 101 age 0; 2: fetch 2 alone past; 3: fetch 3 alone past";
    check(
        |_| {},
        &[
            &script[..],
            &[
                ("9 end 1 204 no-store", freed),
                ("9 end 2 204 no-store", "2: passed 102 age 0"),
                // Neither cache nor lock.
                ("10 ask k 4", "fetch 4 alone past"),
                ("10 ask k 5", "fetch 5 alone past"),
                ("11 end 4 200 max-age=60", "4: fetched 104 age 0"),
                ("12 ask k 6", "hit 104 age 0"),
                ("13 end 5 204 no-store", "5: passed 105 age 0"),
                ("14 ask k 7", "fetch 6 alone past"),
                // What is no whole answer of 200 only counts for the next.
                ("15 end 6 404 max-age=9", "7: fetched 106 age 0"),
                ("16 ask k 8", "fetch 7"),
            ],
        ]
        .concat(),
    );
    let shared = ("9 end 1 204 no-store", "1: passed 101 age 0; 2: joined 101 age 0; 3: joined 101 age 0");
    breaks(FrontBug::UncacheableShared, |_| {}, &script, shared);
}

#[test]
fn a_key_that_is_cacheable_again_is_cached_again() {
    let script = [
        ("0 ask k 1", "fetch 1"),
        ("1 end 1 204 no-store", "1: passed 101 age 0"),
        ("2 ask k 2", "fetch 2 alone past"),
        ("3 end 2 200 max-age=60", "2: fetched 102 age 0"),
    ];
    check(|_| {}, &[&script[..], &[("4 ask k 3", "hit 102 age 0")]].concat());
    breaks(FrontBug::PredictorNeverForgets, |_| {}, &script, ("4 ask k 3", "fetch 3 alone past"));
    check(|knobs| knobs.lock.predicts = 0, &[script[0], script[1], ("2 ask k 2", "fetch 2")]);
}

#[test]
fn a_lost_fetch_keeps_nothing_and_one_who_waits_fetches_now() {
    let script = [("0 ask k 1", "fetch 1"), ("10 ask k 2", "wait 5010"), ("20 ask k 3", "wait 5020")];
    check(
        |_| {},
        &[
            &script[..],
            &[
                ("1000 lost 1", "1: failed; 2: fetch 2"),
                ("2000 ask k 4", "wait 7000"),
                ("3000 end 2 200 max-age=9", "2: fetched 102 age 0; 3: joined 102 age 0; 4: joined 102 age 0"),
            ],
        ]
        .concat(),
    );
    check(|_| {}, &[("0 ask k 1", "fetch 1"), ("1 lost 1", "1: failed"), ("2 ask k 2", "fetch 2")]);
    breaks(FrontBug::LockKeptAfterLoss, |_| {}, &script, ("1000 lost 1", "1: failed"));
    breaks(
        FrontBug::LockKeptAfterLoss,
        |_| {},
        &[("0 ask k 1", "fetch 1"), ("1 lost 1", "1: failed")],
        ("2 ask k 2", "wait 5002"),
    );
}

#[test]
fn who_has_waited_too_long_asks_by_itself_and_a_lock_that_is_too_old_goes_to_another() {
    check(
        |_| {},
        &[
            ("0 ask k 1", "fetch 1"),
            ("1000 ask k 2", "wait 6000"),
            ("5000 ask k 3", "wait 8000"),
            ("5500 ask k 4", "wait 8000"),
            ("6000 over 2", "2: fetch 2 alone"),
            ("6000 over 2", ""),
            ("8000 over 3", "3: fetch 3"),
            ("8000 over 4", "4: wait 10500"),
            // The first one's answer is kept all the same, and serves it alone.
            ("8500 end 1 200 max-age=60", "1: fetched 101 age 0"),
            ("9000 ask k 5", "hit 101 age 0"),
            ("10500 over 4", "4: hit 101 age 2"),
            ("11000 end 3 200 max-age=60", "3: fetched 103 age 0"),
            ("11000 ask k 6", "hit 103 age 0"),
        ],
    );
}

#[test]
fn what_an_earlier_fetch_has_brought_serves_all_who_wait_for_one_that_is_lost() {
    check(
        |_| {},
        &[
            ("0 ask k 1", "fetch 1"),
            ("5000 ask k 2", "wait 8000"),
            ("5500 ask k 3", "wait 8000"),
            ("5600 ask k 4", "wait 8000"),
            ("8000 over 2", "2: fetch 2"),
            ("8000 over 3", "3: wait 10500"),
            ("8000 over 4", "4: wait 10600"),
            ("8500 end 1 200 max-age=60", "1: fetched 101 age 0"),
            ("8600 lost 2", "2: failed; 3: hit 101 age 0; 4: hit 101 age 0"),
            ("8700 ask k 5", "hit 101 age 0"),
        ],
    );
}

#[test]
fn a_leaver_takes_its_fetch_along_and_another_fetches_for_those_who_wait() {
    let script = [("0 ask k 1", "fetch 1"), ("10 ask k 2", "wait 5010"), ("20 ask k 3", "wait 5020")];
    check(
        |_| {},
        &[
            &script[..],
            &[
                ("30 leave 2", ""),
                ("40 leave 1", "ends 1; 3: fetch 2"),
                ("50 end 1 200 max-age=60", ""),
                ("60 ask k 4", "wait 5060"),
                ("70 end 2 200 max-age=60", "3: fetched 102 age 0; 4: joined 102 age 0"),
                ("80 leave 4", ""),
            ],
        ]
        .concat(),
    );
    // Nobody waits: nothing is kept.
    check(|_| {}, &[("0 ask k 1", "fetch 1"), ("1 leave 1", "ends 1"), ("2 ask k 2", "fetch 2")]);
    breaks(FrontBug::LeaverCancelsAll, |_| {}, &script, ("40 leave 1", "ends 1; 2: failed; 3: failed"));
}

#[test]
fn what_is_stale_is_served_while_one_fetch_freshens_it() {
    check(
        |_| {},
        &[
            ("0 ask k 1", "fetch 1"),
            ("0 end 1 200 max-age=10, stale-while-revalidate=20 tag=t", "1: fetched 101 age 0"),
            ("9999 ask k 2", "hit 101 age 9"),
            ("10000 ask k 3", "stale 101 age 10; fetch 2 if t"),
            ("10001 ask k 4", "stale 101 age 10"),
            ("11000 end 2 304 max-age=10, stale-while-revalidate=20", ""),
            ("12000 ask k 5", "hit 101 age 1"),
            ("21000 ask k 6", "stale 101 age 10; fetch 3 if t"),
            ("21500 lost 3", ""),
            ("22000 ask k 7", "stale 101 age 11; fetch 4 if t"),
            ("23000 end 4 200 max-age=10", ""),
            ("24000 ask k 8", "hit 104 age 1"),
            // It has no tag, and is not stale for any time.
            ("33000 ask k 9", "fetch 5"),
        ],
    );
    // Where it is gone, it is gone at once; where the origin cannot answer, it stays.
    for (answer, then) in [
        ("12000 end 2 404 no-store", "fetch 3"),
        ("12000 end 2 503 no-store", "stale 101 age 12; fetch 3"),
        ("12000 lost 2", "stale 101 age 12; fetch 3"),
    ] {
        check(
            |knobs| knobs.lock.predicts = 0,
            &[
                ("0 ask k 1", "fetch 1"),
                ("0 end 1 200 max-age=10, stale-while-revalidate=20", "1: fetched 101 age 0"),
                ("11000 ask k 2", "stale 101 age 11; fetch 2"),
                (answer, ""),
                ("12000 ask k 3", then),
            ],
        );
    }
    // After that time, those who come wait for the fetch that is under way.
    check(
        |_| {},
        &[
            ("0 ask k 1", "fetch 1"),
            ("0 end 1 200 max-age=10, stale-while-revalidate=20", "1: fetched 101 age 0"),
            ("29999 ask k 2", "stale 101 age 29; fetch 2"),
            ("30000 ask k 3", "wait 35000"),
            ("31000 end 2 200 max-age=10", "3: joined 102 age 0"),
        ],
    );
}

#[test]
fn what_is_asked_for_by_its_tag_is_fresh_for_as_long_as_the_304_says() {
    let script = [
        ("0 ask k 1", "fetch 1"),
        ("0 end 1 200 max-age=60 tag=t", "1: fetched 101 age 0"),
        ("60000 ask k 2", "fetch 2 if t"),
        ("60000 ask k 3", "wait 65000"),
        // Its stream lives for three seconds more.
        ("61000 end 2 304 max-age=3", "2: revalidated 101 age 0; 3: joined 101 age 0"),
        ("63999 ask k 4", "hit 101 age 2"),
    ];
    check(|_| {}, &[&script[..], &[("64000 ask k 5", "fetch 3 if t")]].concat());
    breaks(FrontBug::RevalidationTakesOldLifetime, |_| {}, &script, ("64000 ask k 5", "hit 101 age 3"));
    // A 304 that says nothing of caches leaves what was said; one that forbids it ends it.
    check(
        |_| {},
        &[&script[..3], &[("61000 end 2 304 ", "2: revalidated 101 age 0"), ("120999 ask k 4", "hit 101 age 59")]]
            .concat(),
    );
    check(
        |_| {},
        &[
            &script[..3],
            &[("61000 end 2 304 no-store", "2: revalidated 101 age 0"), ("61000 ask k 4", "fetch 3 alone past")],
        ]
        .concat(),
    );
}

#[test]
fn what_has_to_be_asked_for_each_time_is_never_shared_but_kept_for_its_tag() {
    check(
        |_| {},
        &[
            ("0 ask k 1", "fetch 1"),
            ("1 ask k 2", "wait 5001"),
            ("9 end 1 200 no-cache tag=t", "1: fetched 101 age 0; 2: fetch 2 if t alone"),
            ("10 end 2 304 no-cache", "2: revalidated 101 age 0"),
            ("11 ask k 3", "fetch 3 if t"),
            ("12 end 3 200 no-cache tag=u", "3: fetched 103 age 0"),
            ("13 ask k 4", "fetch 4 if u"),
        ],
    );
    check(
        |knobs| knobs.freshness.keeps_no_cache = false,
        &[
            ("0 ask k 1", "fetch 1"),
            ("9 end 1 200 no-cache tag=t", "1: passed 101 age 0"),
            ("10 ask k 2", "fetch 2 alone past"),
        ],
    );
}

#[test]
fn a_304_that_answers_the_visitors_own_tag_goes_to_it_alone() {
    check(
        |_| {},
        &[
            ("0 ask k 1", "fetch 1"),
            ("1 end 1 200 no-store", "1: passed 101 age 0"),
            ("2 ask k 2", "fetch 2 alone past"),
            ("3 end 2 304 max-age=60", "2: passed 102 age 0"),
            ("4 ask k 3", "fetch 3 alone past"),
        ],
    );
}

#[test]
fn an_answer_for_one_client_is_kept_for_none() {
    let script = [("0 ask k 1", "fetch 1"), ("0 ask k 2", "wait 5000")];
    check(
        |_| {},
        &[&script[..], &[("1 end 1 200 private, max-age=60", "1: passed 101 age 0; 2: fetch 2 alone past")]].concat(),
    );
    breaks(
        FrontBug::PrivateStored,
        |_| {},
        &script,
        ("1 end 1 200 private, max-age=60", "1: fetched 101 age 0; 2: joined 101 age 0"),
    );
}

#[test]
fn what_answers_an_authorized_request_is_kept_if_it_says_so() {
    check(
        |_| {},
        &[
            ("0 ask k 1 auth", "fetch 1"),
            ("1 end 1 200 max-age=60", "1: passed 101 age 0"),
            ("2 ask l 2 auth", "fetch 2"),
            ("3 end 2 200 public, max-age=60", "2: fetched 102 age 0"),
            ("4 ask l 3", "hit 102 age 0"),
        ],
    );
}

#[test]
fn fields_select_where_the_zone_honours_them_and_else_count_for_nothing() {
    let script =
        [("0 ask k 1 lang de", "fetch 1"), ("0 ask k 2 lang fr", "wait 5000"), ("0 ask k 3 lang de", "wait 5000")];
    check(
        |knobs| knobs.freshness.honours_vary = true,
        &[
            &script[..],
            &[
                (
                    "1 end 1 200 max-age=60 vary=Accept-Language",
                    "1: fetched 101 age 0; 2: fetch 2 alone; 3: joined 101 age 0",
                ),
                ("2 end 2 200 max-age=60 vary=Accept-Language", "2: fetched 102 age 0"),
                ("3 ask k 4 lang de", "hit 101 age 0"),
                ("3 ask k 5 lang fr", "hit 102 age 0"),
                ("3 ask k 6", "fetch 3"),
            ],
        ]
        .concat(),
    );
    check(
        |_| {},
        &[
            &script[..],
            &[
                (
                    "1 end 1 200 max-age=60 vary=Accept-Language",
                    "1: fetched 101 age 0; 2: joined 101 age 0; 3: joined 101 age 0",
                ),
                ("3 ask k 6", "hit 101 age 0"),
            ],
        ]
        .concat(),
    );
    check(
        |knobs| knobs.freshness.honours_vary = true,
        &[("0 ask k 1", "fetch 1"), ("1 end 1 200 max-age=60 vary=*", "1: passed 101 age 0")],
    );
}

#[test]
fn age_is_counted_from_the_fetchs_start_or_its_end_and_what_it_says_is_added() {
    let script = [("10000 ask k 1", "fetch 1"), ("14000 end 1 200 max-age=10 age=2", "1: fetched 101 age 2")];
    for (age_from, bug, at_5_s, ends) in [
        (AgeFrom::Start, None, "hit 101 age 7", ("18000 ask k 3", "fetch 2")),
        (AgeFrom::End, None, "hit 101 age 3", ("21999 ask k 3", "hit 101 age 9")),
        (AgeFrom::Start, Some(FrontBug::AgeFromWrongEnd), "hit 101 age 3", ("18000 ask k 3", "hit 101 age 6")),
    ] {
        let turn = |knobs: &mut ZoneKnobs| knobs.freshness = FreshnessKnobs { age_from, ..knobs.freshness };
        stage(turn, bug).check(&[script[0], script[1], ("15000 ask k 2", at_5_s), ends]);
    }
    // What is too old when it comes is shared with nobody.
    check(
        |knobs| knobs.freshness.age_from = AgeFrom::Start,
        &[
            ("10000 ask k 1", "fetch 1"),
            ("10001 ask k 2", "wait 15001"),
            ("14000 end 1 200 max-age=4", "1: fetched 101 age 0; 2: fetch 2 alone"),
        ],
    );
}

#[test]
fn who_waits_has_an_answer_while_it_comes_or_when_it_is_whole() {
    let script = [("0 ask k 1", "fetch 1"), ("0 ask k 2", "wait 5000")];
    let knobs = |streams| move |knobs: &mut ZoneKnobs| knobs.lock = LockKnobs { streams, ..knobs.lock };
    check(
        knobs(true),
        &[
            &script[..],
            &[
                ("10 head 1 200 max-age=60", "1: fetched 101 age 0; 2: joined 101 age 0"),
                ("20 ask k 3", "hit 101 age 0"),
                ("30 leave 1", ""),
                ("40 whole 1", ""),
                ("50 ask k 4", "hit 101 age 0"),
            ],
        ]
        .concat(),
    );
    check(
        knobs(true),
        &[
            &script[..],
            &[
                ("10 head 1 200 max-age=60", "1: fetched 101 age 0; 2: joined 101 age 0"),
                ("20 broken 1", ""),
                ("30 ask k 3", "fetch 2"),
            ],
        ]
        .concat(),
    );
    check(
        knobs(false),
        &[
            &script[..],
            &[
                ("10 head 1 200 max-age=60", "1: fetched 101 age 0"),
                ("20 ask k 3", "wait 5020"),
                ("1040 whole 1", "2: joined 101 age 1; 3: joined 101 age 1"),
                ("1050 ask k 4", "hit 101 age 1"),
            ],
        ]
        .concat(),
    );
    check(
        knobs(false),
        &[&script[..], &[("10 head 1 200 max-age=60", "1: fetched 101 age 0"), ("20 broken 1", "2: fetch 2")]].concat(),
    );
    // What may not be kept need not be waited for.
    check(
        knobs(false),
        &[&script[..], &[("10 head 1 200 no-store", "1: passed 101 age 0; 2: fetch 2 alone past")]].concat(),
    );
}

#[test]
fn without_a_lock_each_asks_and_a_visitors_no_cache_counts_where_it_is_honoured() {
    check(
        |knobs| knobs.lock.locks = false,
        &[
            ("0 ask k 1", "fetch 1 alone"),
            ("0 ask k 2", "fetch 2 alone"),
            ("1 end 2 200 max-age=10, stale-while-revalidate=9", "2: fetched 102 age 0"),
            ("2 ask k 3", "hit 102 age 0"),
            ("10002 ask k 4", "stale 102 age 10; fetch 3 alone"),
            ("10003 ask k 5", "stale 102 age 10"),
        ],
    );
    let script = [("0 ask k 1", "fetch 1"), ("1 end 1 200 max-age=60", "1: fetched 101 age 0")];
    check(|_| {}, &[script[0], script[1], ("2 ask k 2 no-cache", "hit 101 age 0")]);
    check(
        |knobs| knobs.freshness.honours_no_cache = true,
        &[
            script[0],
            script[1],
            ("2 ask k 2 no-cache", "fetch 2 alone"),
            ("3 end 2 200 max-age=60", "2: fetched 102 age 0"),
            ("4 ask k 3", "hit 102 age 0"),
        ],
    );
}
