//! Answers as a cache in front keeps them, and as its visitors are served them.

use std::rc::Rc;

use tailrace_core::protocol::Response;

use super::body::SharedBody;
use crate::front::{Answer, Control, Head, Served, Vary};

/// An answer that is kept: as a whole, or its head and a body that several read while it comes.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) response: Rc<Response>,
    pub(super) body: Option<Rc<SharedBody>>,
}

impl Answer for Kept {
    fn freshened(self, not_modified: Self) -> Self {
        let mut response = (*self.response).clone();
        for (name, value) in not_modified.response.headers.iter() {
            response.headers.remove(&[name]);
            response.headers.push(name.to_owned(), value);
        }
        Self { response: Rc::new(response), body: self.body }
    }
}

/// What a cache decides by.
pub fn cache_head(response: &Response) -> Head {
    let field = |name| response.headers.get(name).unwrap_or_default();
    Head {
        status: response.status,
        control: Control::parse(field("cache-control")),
        age_s: field("age").parse().unwrap_or(0),
        tag: response.headers.get("etag").map(Rc::from),
        vary: Vary::parse(field("vary")),
        bytes: response.body.len() as u64,
    }
}

/// The answer as a visitor is served it that was not the one to fetch it: it says how old it is, and is 304 if the
/// visitor has it.
pub(super) fn told(served: &Served<Kept>, if_none_match: Option<&str>) -> Response {
    let mut response = (*served.answer.response).clone();
    response.headers.remove(&["age"]);
    response.headers.push("age", served.age_s.to_string());
    not_modified(response, if_none_match)
}

/// 304 without a body, if the visitor has the answer.
pub(super) fn not_modified(mut response: Response, if_none_match: Option<&str>) -> Response {
    let has_it = response.headers.get("etag").zip(if_none_match).is_some_and(|(own, tags)| names(tags, own));
    if has_it && response.status == 200 {
        response.headers.remove(&["content-type", "content-length"]);
        return Response { status: 304, body: Default::default(), ..response };
    }
    response
}

/// Whether an `If-None-Match` names the entity tag; weak tags and strong ones are compared alike (RFC 9110, 13.1.2).
fn names(tags: &str, own: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.split(',').any(|tag| tag.trim() == "*" || strong(tag) == strong(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(fields: &[(&'static str, &str)]) -> Kept {
        let response = fields.iter().fold(Response::new(200), |response, (name, value)| response.with(*name, *value));
        Kept { response: Rc::new(response.with_body("body")), body: None }
    }

    #[test]
    fn a_304_changes_the_fields_that_it_has_and_leaves_the_others() {
        let stored = kept(&[("cache-control", "max-age=60"), ("etag", "t"), ("x", "stored")]);
        let fresh = stored.freshened(kept(&[("cache-control", "max-age=3"), ("age", "1")])).response;
        let field = |name| fresh.headers.get(name);
        assert_eq!(
            ["cache-control", "etag", "x", "age"].map(field),
            [Some("max-age=3"), Some("t"), Some("stored"), Some("1")]
        );
        assert_eq!((fresh.status, &fresh.body[..]), (200, &b"body"[..]));
    }

    #[test]
    fn a_visitor_that_has_the_answer_is_told_so() {
        for (tags, status) in [(None, 200), (Some("\"u\""), 200), (Some("\"u\", W/\"t\""), 304), (Some("*"), 304)] {
            let response = not_modified((*kept(&[("etag", "\"t\""), ("x", "y")]).response).clone(), tags);
            assert_eq!((response.status, response.headers.get("x")), (status, Some("y")), "{tags:?}");
            assert_eq!(response.body.is_empty(), status == 304);
        }
    }

    #[test]
    fn what_a_cache_decides_by_is_in_the_head() {
        let kept = kept(&[("cache-control", "public, max-age=60"), ("age", "7"), ("etag", "t"), ("vary", "Origin")]);
        let expected = Head::new(200, "public, max-age=60").with_age_s(7).with_tag("t").with_vary("origin");
        assert_eq!(cache_head(&kept.response), Head { bytes: 4, ..expected });
    }
}
