//! Who shows a token that grants what it asks is let in as long as that lasts, by the clock of whoever looks at it, also
//! while keys are rotated; and who does not is refused, in the same words whatever is there, before anything is done.

use std::collections::BTreeMap;

use tailrace_core::protocol::{Method, Response};

use crate::judge::checker::case::Case;
use crate::judge::checker::invariant::leak::{is_granted_by_url, is_told};
use crate::judge::checker::publicity::Publicity;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Forgery, Moment, Op, Trespass, origin_of};
use crate::world::Harm;

/// The codes that a request may be refused with before its token is looked at: for what is wrong with it, and not with
/// what is there.
const EARLIER: &[&str] = &["invalid_cursor", "invalid_offset", "invalid_live"];

/// Later than everything.
const EVER: Moment = Moment { tick: u64::MAX, ms: u64::MAX };

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    if !case.history.conditions.is_keyed {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        if let Some(complaint) = wrongly_judged(case, op).or_else(|| wrong_origin(case, op)) {
            violations.push(case.violation(Invariant::Access, &[index], complaint));
        }
    }
    for trespass in case.strangers() {
        if is_granted_by_url(case, trespass) {
            continue;
        }
        if let Some(complaint) = let_in(case, trespass).or_else(|| does_something(case, trespass)) {
            violations.push(case.violation(Invariant::Access, &[], format!("{complaint}: {trespass}")));
        }
    }
    violations.extend(tells_apart(case));
    violations
}

/// A rightful request whose token has not expired is let in, and one whose token has is not.
fn wrongly_judged(case: &Case<'_>, op: &Op) -> Option<String> {
    let (answer, shown, ended) = (op.answer.as_ref()?, op.shown?, op.ended?);
    if answer.from_browser.is_some() {
        return None;
    }
    let off_ms = case.history.conditions.edge_clock_off_ms();
    let code = answer.code.as_deref();
    if answer.status == 401 {
        // An answer to HEAD has no body that could hold the code.
        let is_expiry = code == Some("token_expired") || code.is_none();
        let may_have_expired = is_expiry && ended.ms + off_ms >= shown.until_ms;
        return (!may_have_expired).then(|| format!("a rightful request is refused: {code:?}"));
    }
    let is_refused = answer.status >= 400;
    (!is_refused && shown.until_ms + off_ms <= op.invoked.ms).then(|| "a token that has expired is taken".to_owned())
}

/// Whose scripts may read an answer depends on who asks, where origins are listed: those of its own, if it is one of them, and
/// never another's. Caches in front are told so.
fn wrong_origin(case: &Case<'_>, op: &Op) -> Option<String> {
    let answer = op.answer.as_ref().filter(|answer| answer.from_browser.is_none())?;
    if !case.history.conditions.lists_origins {
        return answer.allowed_origin.is_some().then(|| "scripts of other origins may read it".to_owned());
    }
    let tenancy = case.history.conditions.tenancy;
    // Who answers for an instance that was lost knows of no project but the deployment's own.
    let is_lost = answer.status == 500 && case.is_harmed(op, &[Harm::LostInstance, Harm::InstanceTaken]);
    if tenancy.index(op.stream) > 0 && is_lost && answer.allowed_origin.is_none() {
        return None;
    }
    let listed = tenancy.listed_origins(op.stream);
    let asking = origin_of(op.client).filter(|origin| listed.contains(origin));
    if answer.allowed_origin.as_deref() != asking {
        return Some(format!("scripts of {:?} may read it, and {asking:?} has asked", answer.allowed_origin));
    }
    (!answer.varies_by_origin).then(|| "it does not say that it depends on the origin".to_owned())
}

/// Whether a stranger was not refused as it should be.
fn let_in(case: &Case<'_>, trespass: &Trespass) -> Option<String> {
    let answer = trespass.answer.as_ref()?;
    // What it may be told is judged by `leak`.
    if is_told(case, trespass) && case.publicities.of_segment(None, EVER) != Publicity::Private {
        return None;
    }
    let (status, code) = trespass.forgery.refusal();
    let is_refusal = answer.status == status && trespass.code().is_none_or(|told| told == code);
    (!is_refusal && !is_of_something_else(case, trespass, answer)).then(|| "a stranger is not refused".to_owned())
}

/// Whether an answer says nothing about a token: the request was wrong, its instance was lost, or its object, which has to say
/// whether the stream is public, did not answer.
fn is_of_something_else(case: &Case<'_>, trespass: &Trespass, answer: &Response) -> bool {
    let code = trespass.code();
    match answer.status {
        500.. if trespass.may_be_of_the_public() => true,
        400 => code.as_deref().is_some_and(|code| EARLIER.contains(&code)),
        429 => is_limited(case, trespass),
        500 => {
            code.as_deref().is_none_or(|code| code == "instance_lost")
                && case.history.harms.has(trespass.request, &[Harm::LostInstance, Harm::InstanceTaken])
        }
        _ => false,
    }
}

/// Whether a limit has said that strangers come too often.
fn is_limited(case: &Case<'_>, trespass: &Trespass) -> bool {
    let says_so = trespass.code().is_none_or(|code| code == "rate_limited");
    says_so && case.history.harms.has(trespass.request, &[Harm::RateExceeded])
}

/// Whether something was done for a stranger: it calls no object, and looks into no cache, unless it might be one of those who
/// may read what is public.
fn does_something(case: &Case<'_>, trespass: &Trespass) -> Option<String> {
    if trespass.may_be_of_the_public() {
        return None;
    }
    let charge = case.history.charges.get(&trespass.request);
    if charge.is_some_and(|charge| charge.calls > 0) {
        return Some("an object is called for a stranger".to_owned());
    }
    let looks = case.history.visits.iter().any(|visit| visit.request == trespass.request);
    looks.then(|| "a cache is looked into for a stranger".to_owned())
}

/// Of those who show the same, one is told what the others are, whatever is there. Those of all streams are looked at, once.
fn tells_apart(case: &Case<'_>) -> Option<Violation> {
    type Shows = (Forgery, bool, &'static str);
    if case.stream > 0 {
        return None;
    }
    let mut told: BTreeMap<Shows, (&Trespass, &Response)> = BTreeMap::new();
    for trespass in &case.history.strangers {
        let Some(answer) = trespass.answer.as_ref() else { continue };
        if is_of_something_else(case, trespass, answer)
            || is_told(case, trespass)
            || is_from_front(case, answer, trespass)
        {
            continue;
        }
        let shows = (trespass.forgery, trespass.is_in_url, name(trespass.method));
        let (other, first) = *told.entry(shows).or_insert((trespass, answer));
        if first != answer {
            let message = format!("strangers are told different things: {trespass}; {other}");
            return Some(case.violation(Invariant::Access, &[], message));
        }
    }
    None
}

/// Whether a cache in front has answered with what it had: whether it may is judged elsewhere.
fn is_from_front(case: &Case<'_>, answer: &Response, trespass: &Trespass) -> bool {
    answer.status < 400 && case.history.fronts.handed.contains_key(&trespass.request)
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Put => "PUT",
        Method::Post => "POST",
        Method::Delete => "DELETE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, absent, acked, coded, refusal, run};
    use crate::judge::history::ClientAnswer;
    use crate::judge::tenancy::{LISTED_ORIGINS, Tenancy};
    use crate::world::{Charge, Visit, Visited};

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Access, super::check, expected);
    }

    #[test]
    fn a_rightful_request_is_refused_only_when_its_token_has_expired_by_some_clock() {
        // It takes one ms.
        for (code, lasts_ms, off_ms, expected) in [
            ("token_expired", 1, 0, 0),
            ("token_expired", 2, 0, 1),
            ("token_expired", 2, 1, 0),
            ("token_expired", 5_000, 4_998, 1),
            ("token_invalid", 0, 9_000, 1),
            ("token_missing", 0, 9_000, 1),
        ] {
            let mut run = run().keyed(off_ms);
            run.append(1, coded(401, code));
            run.show(lasts_ms);
            check(&run, expected);
        }
    }

    #[test]
    fn a_token_that_has_expired_by_every_clock_is_not_taken() {
        for (answer, lasts_ms, off_ms, waits_ms, expected) in [
            (acked(0, 1), 0, 0, 0, 1),
            (acked(0, 1), 1, 0, 0, 0),
            (acked(0, 1), 0, 10, 0, 0),
            (absent(), 0, 0, 0, 0),
            (coded(401, "token_expired"), 0, 0, 0, 0),
        ] {
            let mut run = run().keyed(off_ms);
            run.wait_ms(waits_ms);
            run.append(1, answer);
            run.show(lasts_ms);
            check(&run, expected);
        }
    }

    #[test]
    fn scripts_of_the_origin_that_asks_may_read_if_it_is_listed_and_none_otherwise() {
        // The client of these requests is at one that is listed.
        let own = origin_of(0).expect("an origin");
        for (lists, allowed, varies, expected) in [
            (true, Some(own), true, 0),
            (true, Some(own), false, 1),
            (true, None, true, 1),
            (true, Some(LISTED_ORIGINS[0]), true, 1),
            (true, Some("*"), true, 1),
            (false, None, false, 0),
            (false, Some(own), true, 1),
        ] {
            let mut run = run().keyed(0);
            run.history.ops.clear();
            run.history.conditions.lists_origins = lists;
            let allowed_origin = allowed.map(str::to_owned);
            run.append(
                1,
                acked(0, 1).map(|answer| ClientAnswer { allowed_origin, varies_by_origin: varies, ..answer }),
            );
            check(&run, expected);
        }
        // Who answers for a lost instance does not know the origins of a project that only KV knows.
        assert!(LISTED_ORIGINS[1..].contains(&own));
        for (stream, harm, allowed, is_wrong) in [
            (0, Harm::LostInstance, None, true),
            (0, Harm::LostInstance, Some(own), false),
            (1, Harm::CallLost, None, false),
            (1, Harm::CallLost, Some(own), true),
            (1, Harm::LostInstance, None, false),
            (1, Harm::LostInstance, Some(own), true),
        ] {
            let mut run = run().keyed(0);
            run.history.ops.clear();
            (run.history.conditions.lists_origins, run.history.conditions.tenancy) = (true, Tenancy::Two);
            let lost = coded(500, "instance_lost");
            let allowed_origin = allowed.map(str::to_owned);
            let varies_by_origin = harm == Harm::CallLost || stream == 0;
            run.append(1, lost.map(|answer| ClientAnswer { allowed_origin, varies_by_origin, ..answer }));
            run.harm(&[harm]);
            run.history.ops[0].stream = stream;
            assert_eq!(wrong_origin(&run.case(), &run.history.ops[0]).is_some(), is_wrong, "{stream} {harm:?}");
        }
        // And that of this one is not.
        assert!(!LISTED_ORIGINS.contains(&origin_of(1).expect("an origin")));
    }

    #[test]
    fn a_stranger_is_refused_as_it_should_be() {
        for forgery in Forgery::ALL {
            for method in [Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete] {
                let mut run = run().keyed(0);
                let told = refusal(*forgery);
                let told = if method == Method::Head { told.without_body() } else { told };
                run.trespass(method, *forgery, Some(told));
                run.trespass(method, *forgery, None);
                check(&run, 0);
                for status in [200, 204, 404, 409] {
                    let mut run = run.clone();
                    run.trespass(method, *forgery, Some(Response::new(status)));
                    // It is another answer than the first stranger's, too; but what is told of a public stream may be.
                    let reads = matches!(method, Method::Get | Method::Head);
                    let may_be_told = reads && *forgery == Forgery::Nothing && status != 409;
                    check(&run, if may_be_told { 1 } else { 2 });
                }
            }
        }
        // The code counts, too.
        let mut run = run().keyed(0);
        run.trespass(Method::Get, Forgery::Expired, Some(refusal(Forgery::Cut)));
        check(&run, 1);
    }

    #[test]
    fn a_lost_instance_has_to_be_proven() {
        for (harm, expected) in [(Some(Harm::LostInstance), 0), (Some(Harm::CallLost), 1), (None, 1)] {
            let mut run = run().keyed(0);
            let told = Response::new(500).with_body(r#"{"error":{"code":"instance_lost","message":""}}"#);
            let request = run.trespass(Method::Get, Forgery::Cut, Some(told));
            harm.into_iter().for_each(|harm| run.history.harms.harm_request(request, harm));
            check(&run, expected);
        }
    }

    #[test]
    fn nothing_is_done_for_a_stranger() {
        for (method, forgery, expected) in [
            (Method::Get, Forgery::Cut, 1),
            (Method::Delete, Forgery::Nothing, 1),
            // The object has to say whether the stream is public.
            (Method::Get, Forgery::Nothing, 0),
            (Method::Head, Forgery::Nothing, 0),
        ] {
            let mut run = run().keyed(0);
            let told = refusal(forgery);
            let told = if method == Method::Head { told.without_body() } else { told };
            let request = run.trespass(method, forgery, Some(told));
            run.history.charges.insert(request, Charge { invocations: 1, ..Charge::default() });
            check(&run, 0);
            let visit =
                Visit { ms: 5, colo: 0, partition: 0, isolate: 0, request, key: "".into(), what: Visited::Missed };
            run.history.visits.push(visit);
            check(&run, expected);
            run.history.visits.clear();
            run.history.charges.insert(request, Charge { calls: 1, ..Charge::default() });
            check(&run, expected);
        }
    }

    #[test]
    fn strangers_cannot_tell_one_stream_from_another_or_from_none() {
        for (fields, expected) in [(&[][..], 0), (&[("x-content-type-options", "nosniff")], 1)] {
            let mut run = run().keyed(0);
            run.trespass(Method::Get, Forgery::Cut, Some(refusal(Forgery::Cut)));
            let told = fields.iter().fold(refusal(Forgery::Cut), |told, (name, value)| told.with(*name, *value));
            run.trespass(Method::Get, Forgery::Cut, Some(told));
            check(&run, expected);
        }
    }

    #[test]
    fn where_everybody_is_let_in_nothing_is_judged() {
        let mut run = run();
        run.append(1, coded(401, "token_invalid"));
        run.trespass(Method::Get, Forgery::Cut, Some(Response::new(200)));
        check(&run, 0);
    }
}
