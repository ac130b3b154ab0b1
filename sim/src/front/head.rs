//! What a cache decides by: the parts of an answer's head that concern it.

use std::rc::Rc;

/// The parts of an answer's head that concern caches. It is parsed once, when the answer comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// `Cache-Control`.
    pub control: Control,
    /// `Age`, in seconds; 0 where the answer says nothing.
    pub age_s: u64,
    /// `ETag`, as it was sent.
    pub tag: Option<Rc<str>>,
    /// `Vary`.
    pub vary: Vary,
    /// Bytes of the body, as far as they are known.
    pub bytes: u64,
}

/// `Cache-Control` of an answer (RFC 9111, 5.2.2; RFC 5861, 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache` for the whole answer.
    pub no_cache: bool,
    /// `private` for the whole answer.
    pub private: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`, or `proxy-revalidate`.
    pub must_revalidate: bool,
    /// `s-maxage`, in seconds.
    pub s_maxage_s: Option<u64>,
    /// `max-age`, in seconds.
    pub max_age_s: Option<u64>,
    /// `stale-while-revalidate`, in seconds; 0 where there is none.
    pub stale_s: u64,
}

/// `Vary` of an answer: on which fields of the request it depends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Vary {
    /// On none.
    #[default]
    None,
    /// On these, in lower case.
    Fields(Rc<[Rc<str>]>),
    /// `*`: on more than the request.
    Any,
}

impl Head {
    /// A head of that status and `Cache-Control`, without anything else.
    pub fn new(status: u16, control: &str) -> Self {
        Self { status, control: Control::parse(control), ..Self::default() }
    }

    /// The same with an entity tag.
    pub fn with_tag(self, tag: &str) -> Self {
        Self { tag: Some(tag.into()), ..self }
    }

    /// The same with an age, in seconds.
    pub fn with_age_s(self, age_s: u64) -> Self {
        Self { age_s, ..self }
    }

    /// The same with a `Vary`.
    pub fn with_vary(self, vary: &str) -> Self {
        Self { vary: Vary::parse(vary), ..self }
    }
}

impl Control {
    /// From the field's value. What it does not know, it leaves out (RFC 9111, 5.2.3). A directive that names fields
    /// (`private="set-cookie"`) concerns them alone.
    pub fn parse(text: &str) -> Self {
        let mut control = Self::default();
        for directive in text.split(',').map(str::trim) {
            let (name, value) =
                directive.split_once('=').map_or((directive, None), |(name, value)| (name, Some(value)));
            let seconds = || value.and_then(|value| value.trim_matches('"').parse::<u64>().ok());
            let is_named = |known: &str| name.eq_ignore_ascii_case(known);
            match value.is_none() {
                true if is_named("no-store") => control.no_store = true,
                true if is_named("no-cache") => control.no_cache = true,
                true if is_named("private") => control.private = true,
                true if is_named("public") => control.public = true,
                true if is_named("must-revalidate") || is_named("proxy-revalidate") => control.must_revalidate = true,
                false if is_named("s-maxage") => control.s_maxage_s = seconds(),
                false if is_named("max-age") => control.max_age_s = seconds(),
                false if is_named("stale-while-revalidate") => control.stale_s = seconds().unwrap_or(0),
                _ => {}
            }
        }
        control
    }
}

impl Vary {
    /// From the field's value.
    pub fn parse(text: &str) -> Self {
        let names = || text.split(',').map(str::trim).filter(|name| !name.is_empty());
        if names().any(|name| name == "*") {
            return Self::Any;
        }
        let fields: Rc<[Rc<str>]> = names().map(|name| Rc::from(name.to_ascii_lowercase())).collect();
        if fields.is_empty() { Self::None } else { Self::Fields(fields) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_whatever_their_case_and_unknown_ones_are_left_out() {
        let none = Control::default();
        for (text, expected) in [
            ("", none),
            ("no-store", Control { no_store: true, ..none }),
            ("No-Cache, no-transform", Control { no_cache: true, ..none }),
            ("private, max-age=9", Control { private: true, max_age_s: Some(9), ..none }),
            ("private=\"set-cookie\", max-age=9", Control { max_age_s: Some(9), ..none }),
            (
                "public, max-age=60, stale-while-revalidate=300",
                Control { public: true, max_age_s: Some(60), stale_s: 300, ..none },
            ),
            ("S-MaxAge=\"5\",must-revalidate", Control { s_maxage_s: Some(5), must_revalidate: true, ..none }),
            ("max-age=soon, proxy-revalidate", Control { must_revalidate: true, ..none }),
        ] {
            assert_eq!(Control::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_star_among_the_fields_is_more_than_the_request() {
        for (text, expected) in [
            ("", Vary::None),
            ("Origin, Accept", Vary::Fields(["origin".into(), "accept".into()].into())),
            ("origin, *", Vary::Any),
        ] {
            assert_eq!(Vary::parse(text), expected, "{text}");
        }
    }
}
