//! A URL with the reader key of a stream is a grant: whoever knows it may be answered by a cache in front, as long as that may
//! keep what was brought to it while the key held. Nothing else is one.

use crate::judge::checker::case::Case;
use crate::judge::checker::keepers::longest_fresh_s;
use crate::judge::checker::reader_keys::Held;
use crate::judge::history::Trespass;

/// How long it takes at most in all until an answer has come from its object to a cache in front, in ms, beside the time
/// for which it is fresh.
const ON_ITS_WAY_MS: u64 = 5_000;

/// Whether a stranger was answered by a cache in front, under a URL whose reader key was the stream's not so long ago that no
/// cache may have the answer any more: the edge keeps it as long as the policy says, and a cache in front as long again.
pub(in crate::judge::checker) fn is_granted_by_url(case: &Case<'_>, trespass: &Trespass) -> bool {
    let Some(handed) = case.history.fronts.handed.get(&trespass.request) else { return false };
    let conditions = &case.history.conditions;
    // Between a gateway and the inner entrypoint a cache hands out nothing that the gateway has not let pass.
    if conditions.policy.has_gateway {
        return false;
    }
    let kept_ms = 2 * longest_fresh_s(&conditions.policy) * 1_000;
    // A cache in front may have waited for it, as long as a long-poll does.
    let way_ms = ON_ITS_WAY_MS + conditions.flight_ms() + conditions.edges_apart_ms + conditions.round_trip_ms();
    let since_ms = handed.ms.saturating_sub(kept_ms + way_ms);
    case.reader_keys.held(trespass.reader_key(), (since_ms, handed.ms)) != Held::Never
}

#[cfg(test)]
mod tests {
    use tailrace_core::protocol::{CachePolicy, Method, Response};

    use super::*;
    use crate::judge::checker::fixture::{keyed_answer, run, tail};
    use crate::judge::history::{Forgery, Handed, How};

    #[test]
    fn a_cache_in_front_answers_for_a_key_until_twice_the_time_that_copies_last_has_passed() {
        for (policy, url_key, is_from_front, waits_ms, expected) in [
            ("zone", Some("a"), true, 1_000, true),
            ("zone", Some("b"), true, 1_000, true),
            ("zone", Some("c"), true, 1_000, false),
            ("zone", None, true, 1_000, false),
            ("zone", Some("a"), false, 1_000, false),
            ("gateway", Some("a"), true, 1_000, false),
            ("zone", Some("a"), true, 119_000, true),
            ("zone", Some("a"), true, 151_000, false),
            ("zone", Some("b"), true, 151_000, true),
        ] {
            let mut run = run().keyed(0);
            run.history.conditions.policy = CachePolicy::named(policy).expect("a policy");
            run.history.conditions.waits.long_poll_ms = 20_000;
            run.head(keyed_answer("a", tail(0, 0)));
            run.wait_ms(50);
            run.new_reader_key(keyed_answer("b", tail(0, 0)));
            run.wait_ms(waits_ms);
            let request = run.trespass(Method::Get, Forgery::Nothing, Some(Response::new(200)));
            let url = &mut run.history.strangers.last_mut().expect("a stranger").url;
            url_key.iter().for_each(|key| url.push_str(&format!("?rk={key}")));
            if is_from_front {
                let handed = Handed { ms: run.now_ms(), by: 2, confirmed_ms: None, how: How::Hit };
                run.history.fronts.handed.insert(request, handed);
            }
            let case = run.case();
            let found = is_granted_by_url(&case, &run.history.strangers[0]);
            assert_eq!(found, expected, "{policy} {url_key:?} {is_from_front} {waits_ms}");
        }
    }
}
