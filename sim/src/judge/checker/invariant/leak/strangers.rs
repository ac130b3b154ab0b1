//! A stranger learns nothing: no byte of the stream, no offset, no tag, not what caches have, nor whether it is there.

use super::granted_by_url::is_granted_by_url;
use super::public::{complaint, is_told};
use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::Trespass;

/// The fields that a refusal may have.
const TELLS_NOTHING: &[&str] = &[
    "cache-control",
    "content-length",
    "content-type",
    "cross-origin-resource-policy",
    "vary",
    "www-authenticate",
    "x-content-type-options",
];

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let told = case.strangers().filter(|trespass| !is_granted_by_url(case, trespass));
    let learnt = |trespass: &Trespass| match is_told(case, trespass) {
        true => complaint(case, trespass),
        false => learns(trespass),
    };
    let told = told.filter_map(|trespass| Some((trespass, learnt(trespass)?)));
    told.map(|(trespass, what)| case.violation(Invariant::Leak, &[], format!("a stranger is told {what}: {trespass}")))
        .collect()
}

fn learns(trespass: &Trespass) -> Option<String> {
    let answer = trespass.answer.as_ref()?;
    // What its object did not answer tells nothing of the stream, and neither does how often strangers come: whether a limit
    // has said so is judged by `access`.
    let is_failure = answer.status == 503 && trespass.may_be_of_the_public() || answer.status == 429;
    if !matches!(answer.status, 400 | 401 | 403 | 500) && !is_failure {
        return trespass.reads().then(|| format!("by the status {}", answer.status));
    }
    let tells_nothing = |name: &str| TELLS_NOTHING.contains(&name) || is_failure && name == "retry-after";
    let field = answer.headers.iter().find(|(name, _)| !tells_nothing(name));
    if let Some((name, value)) = field {
        return Some(format!("{name}: {value}"));
    }
    let is_refusal = answer.body.is_empty() || trespass.code().is_some();
    (!is_refusal).then(|| "something that is no refusal".to_owned())
}

#[cfg(test)]
mod tests {
    use tailrace_core::protocol::{Method, Response};

    use super::*;
    use crate::judge::checker::fixture::{refusal, run};
    use crate::judge::history::Forgery;

    #[test]
    fn a_stranger_is_told_nothing_but_that_it_has_no_right() {
        let refused = || refusal(Forgery::Nothing);
        for (method, answer, expected) in [
            (Method::Get, refused(), 0),
            (Method::Get, refused().with("www-authenticate", "Bearer"), 0),
            (Method::Head, refused().without_body(), 0),
            (Method::Get, refused().with("etag", "\"x\""), 1),
            (Method::Get, refused().with("x-cache", "HIT"), 1),
            (Method::Get, refused().with("age", "1"), 1),
            (Method::Get, refused().with("stream-next-offset", "0"), 1),
            (Method::Get, refused().with_body("a byte"), 1),
            (Method::Get, Response::new(200), 1),
            (Method::Get, Response::new(304), 1),
            (Method::Get, Response::new(404), 1),
            (Method::Head, Response::new(404), 1),
            (Method::Get, Response::new(503).with("retry-after", "1"), 0),
            (Method::Get, refused().with("retry-after", "1"), 1),
            // What it may not do is judged by `access`.
            (Method::Delete, Response::new(204), 0),
        ] {
            let mut run = run().keyed(0);
            run.trespass(method, Forgery::Nothing, Some(answer.clone()));
            run.check(Invariant::Leak, check, expected);
        }
    }
}
