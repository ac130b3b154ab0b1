//! The origins whose scripts may read answers (the Fetch standard, "CORS protocol").
//!
//! An origin is compared as a whole, byte by byte, with how browsers write it. So an entry that no browser would write is
//! refused: it would match nothing, and whoever configured it would not be told.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::mutant::mutated;
use crate::protocol::limits::{ORIGIN_LIMIT, ORIGINS_LIMIT};
use crate::protocol::{Headers, header};

/// The origins whose scripts may read answers. Clones share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// None: nothing is said to browsers, and they let nobody but the service's own origin read.
    NotConfigured,
    /// All.
    Any,
    /// These.
    Listed {
        /// As browsers write them (the HTML standard, "serialization of an origin").
        listed: Arc<[Arc<str>]>,
        /// Whether the caches in front of the edge keep an answer for each `Origin` apart, as `Vary` says. If not, they
        /// would hand what one origin was answered to all.
        front_varies: bool,
    },
}

/// Whose scripts may read the answers of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Those of the service's own origin.
    Own,
    /// Those of all origins.
    Any,
    /// It depends on who asks: those of this origin, if it is listed.
    Asking(Option<Arc<str>>),
}

impl Origins {
    /// From the deployment's variables: `TAILRACE_ORIGINS`, which is `*` or origins with a comma between any two, and
    /// `TAILRACE_FRONT_VARY` = `1`. A service that is open to everybody is so to scripts, unless it is configured otherwise.
    /// Fails with a sentence for the operator.
    pub(crate) fn from_vars<'a>(is_open: bool, variable: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let front_varies = Self::front_varies(&variable)?;
        match variable("TAILRACE_ORIGINS") {
            None if is_open => Ok(Self::Any),
            None => Ok(Self::NotConfigured),
            Some("*") => Ok(Self::Any),
            Some(text) => {
                let listed = listed(text.split(',')).map_err(|wrong| format!("TAILRACE_ORIGINS{wrong}"))?;
                Ok(Self::Listed { listed, front_varies })
            }
        }
    }

    /// From a list, which may be `*` alone. Fails with a sentence for whoever made it.
    pub fn parse(entries: &[String], front_varies: bool) -> Result<Self, String> {
        match entries {
            [] => Ok(Self::NotConfigured),
            [all] if all == "*" => Ok(Self::Any),
            entries => {
                let listed = listed(entries.iter().map(String::as_str));
                let listed = listed.map_err(|wrong| format!("the list{wrong}"))?;
                Ok(Self::Listed { listed, front_varies })
            }
        }
    }

    /// From a list that nobody has looked at, as [`Self::parse`] does; entries that no browser would write are left out.
    pub(crate) fn lenient(mut entries: Vec<String>, front_varies: bool) -> Self {
        if entries.iter().any(|entry| entry == "*") {
            return Self::Any;
        }
        entries.retain(|entry| listed([entry.as_str()].into_iter()).is_ok());
        entries.truncate(ORIGINS_LIMIT);
        Self::parse(&entries, front_varies).unwrap_or(Self::NotConfigured)
    }

    /// Whether caches in front of the edge keep an answer for each `Origin` apart.
    pub(crate) fn front_varies<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Result<bool, String> {
        match variable("TAILRACE_FRONT_VARY") {
            None | Some("" | "0") => Ok(false),
            Some("1") => Ok(true),
            Some(_) => Err("TAILRACE_FRONT_VARY is neither 0 nor 1".to_owned()),
        }
    }

    /// Whose scripts may read what a request with these fields is answered.
    pub(crate) fn readers(&self, request: &Headers) -> Readers {
        match self {
            Self::NotConfigured => Readers::Own,
            Self::Any => Readers::Any,
            Self::Listed { listed, .. } => {
                let mut fields = request.iter().filter(|(name, _)| *name == header::ORIGIN).map(|(_, value)| value);
                // Browsers send one. Hosts make one field of several, with commas between their values, which no entry has.
                let origin = fields.next().filter(|_| fields.next().is_none());
                let asking = origin.and_then(|origin| listed.iter().find(|listed| ***listed == *origin));
                let first = listed.first().filter(|_| mutated!(FirstOriginByDefault));
                Readers::Asking(asking.or(first).cloned())
            }
        }
    }

    /// Whether answers depend on the origin that asks.
    pub(crate) fn are_listed(&self) -> bool {
        matches!(self, Self::Listed { .. })
    }

    /// Whether caches in front of the edge would hand an answer to origins that may not read it, or keep it from others.
    pub(crate) fn are_mixed_in_front(&self) -> bool {
        matches!(self, Self::Listed { front_varies: false, .. })
    }
}

/// The origins of a list. Fails with the rest of a sentence that begins with what the list is called, for whoever made it.
fn listed<'a>(entries: impl Iterator<Item = &'a str>) -> Result<Arc<[Arc<str>]>, String> {
    let mut listed = Vec::new();
    for (index, entry) in entries.enumerate() {
        let wrong = |what: &str| Err(format!(": origin {} {what}", index + 1));
        if index >= ORIGINS_LIMIT {
            return Err(format!(" has more than {ORIGINS_LIMIT} origins"));
        }
        match entry {
            "*" => return wrong("is *, which stands for all and has to stand alone"),
            // Sandboxed frames and files have it, and so has any page that wants to.
            "null" => return wrong("is null, which any page can have itself called"),
            _ if entry.len() > ORIGIN_LIMIT => return wrong("is longer than 300 bytes"),
            _ if !is_serialized(entry) => {
                return wrong(
                    "is not as browsers write it: scheme://host[:port], in lower case, without a path, a default port or blanks",
                );
            }
            _ => listed.push(entry.into()),
        }
    }
    Ok(listed.into())
}

/// Whether a browser would write an origin so.
fn is_serialized(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    is_scheme(scheme) && is_host(host) && port.is_none_or(|port| is_port(scheme, port))
}

/// Extensions and apps have schemes of their own.
fn is_scheme(text: &str) -> bool {
    let is_of_scheme = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(is_of_scheme)
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let is_shortest = |parsed: Ipv6Addr| parsed.to_string() == address;
        // An IPv4 address within one is written in another way by browsers.
        return !address.contains('.') && address.parse().is_ok_and(is_shortest);
    }
    let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    // Whatever ends with a number is an IPv4 address (the URL standard, "ends in a number checker").
    let ends_in_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    !text.is_empty() && text.bytes().all(is_of_name) && (!ends_in_number || text.parse::<Ipv4Addr>().is_ok())
}

fn is_port(scheme: &str, text: &str) -> bool {
    let is_default = matches!((scheme, text), ("http", "80") | ("https", "443"));
    !is_default && text.parse().is_ok_and(|port: u16| port.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(is_open: bool, origins: Option<&str>, front_vary: Option<&str>) -> Result<Origins, String> {
        Origins::from_vars(is_open, |name| match name {
            "TAILRACE_ORIGINS" => origins,
            "TAILRACE_FRONT_VARY" => front_vary,
            _ => None,
        })
    }

    fn listed_as(origins: &[&str], front_varies: bool) -> Origins {
        Origins::Listed { listed: origins.iter().map(|origin| Arc::from(*origin)).collect(), front_varies }
    }

    #[test]
    fn nobody_is_told_anything_unless_the_service_is_open_or_configured() {
        for (is_open, origins, front_vary, expected) in [
            (false, None, None, Origins::NotConfigured),
            (false, None, Some("1"), Origins::NotConfigured),
            (true, None, None, Origins::Any),
            (false, Some("*"), None, Origins::Any),
            (true, Some("*"), Some("1"), Origins::Any),
            (true, Some("https://a.test"), None, listed_as(&["https://a.test"], false)),
            (false, Some("https://a.test"), Some("0"), listed_as(&["https://a.test"], false)),
            (false, Some("https://a.test"), Some(""), listed_as(&["https://a.test"], false)),
            (
                false,
                Some("https://a.test,http://b.test:81"),
                Some("1"),
                listed_as(&["https://a.test", "http://b.test:81"], true),
            ),
        ] {
            assert_eq!(parsed(is_open, origins, front_vary), Ok(expected), "{is_open} {origins:?} {front_vary:?}");
        }
        for wrong in ["yes", "2", "true", " 1"] {
            let sentence = "TAILRACE_FRONT_VARY is neither 0 nor 1";
            assert_eq!(parsed(true, Some("*"), Some(wrong)), Err(sentence.to_owned()), "{wrong:?}");
        }
    }

    #[test]
    fn a_list_of_texts_is_read_as_the_variable_is_and_an_earlier_one_as_far_as_it_goes() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (a, b) = ("https://a.test", "http://b.test:81");
        for (entries, expected, lenient) in [
            (&[][..], Ok(Origins::NotConfigured), Origins::NotConfigured),
            (&["*"], Ok(Origins::Any), Origins::Any),
            (&[a, b], Ok(listed_as(&[a, b], true)), listed_as(&[a, b], true)),
            (&[a, "*"], Err("the list: origin 2 is *, which stands for all and has to stand alone"), Origins::Any),
            (
                &["null"],
                Err("the list: origin 1 is null, which any page can have itself called"),
                Origins::NotConfigured,
            ),
            (
                &["null", b],
                Err("the list: origin 1 is null, which any page can have itself called"),
                listed_as(&[b], true),
            ),
        ] {
            let entries = texts(entries);
            assert_eq!(Origins::parse(&entries, true), expected.map_err(str::to_owned), "{entries:?}");
            assert_eq!(Origins::lenient(entries, true), lenient);
        }
        let many = vec![a.to_owned(); ORIGINS_LIMIT + 1];
        assert_eq!(Origins::parse(&many, true), Err("the list has more than 64 origins".to_owned()));
        assert_eq!(Origins::lenient(many, true), listed_as(&[a; ORIGINS_LIMIT], true));
    }

    #[test]
    fn an_origin_is_listed_as_browsers_write_it() {
        let longest = format!("https://{}.test", "a".repeat(ORIGIN_LIMIT - "https://.test".len()));
        for origin in [
            "https://a.test",
            "http://a.test:8080",
            "https://a.test:80",
            "http://a.test:443",
            "https://a-b.xn--bcher-kva.test",
            "https://under_score.test",
            "http://localhost:1",
            "http://localhost:65535",
            "http://127.0.0.1:8787",
            "http://[::1]",
            "http://[2001:db8::1]:8080",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "tauri://localhost",
            longest.as_str(),
        ] {
            assert_eq!(parsed(false, Some(origin), None), Ok(listed_as(&[origin], false)), "{origin}");
        }
    }

    #[test]
    fn what_no_browser_writes_is_refused_with_its_place() {
        let form = "is not as browsers write it: scheme://host[:port], in lower case, without a path, a default port or \
                    blanks";
        let too_long = format!("https://{}.test", "a".repeat(ORIGIN_LIMIT + 1 - "https://.test".len()));
        for (origin, what) in [
            ("", form),
            ("a.test", form),
            ("//a.test", form),
            ("://a.test", form),
            ("https:a.test", form),
            ("https:/a.test", form),
            ("https://", form),
            ("https://a.test/", form),
            ("https://a.test/path", form),
            ("https://a.test?query", form),
            ("https://a.test#part", form),
            ("https://user@a.test", form),
            ("https://user:word@a.test", form),
            ("HTTPS://a.test", form),
            ("https://A.test", form),
            ("https://ä.test", form),
            ("https://%61.test", form),
            ("https://a.test:443", form),
            ("http://a.test:80", form),
            ("https://a.test:", form),
            ("https://a.test:08080", form),
            ("https://a.test:65536", form),
            ("https://a.test:+81", form),
            ("https://a.test:-1", form),
            ("https://a.test:x", form),
            ("https://a:b:81", form),
            ("https://*.a.test", form),
            ("https://*", form),
            (" https://a.test", form),
            ("https://a.test ", form),
            ("https://a .test", form),
            ("https://a.test\n", form),
            ("1https://a.test", form),
            ("http://127.1", form),
            ("http://127.0.0.01", form),
            ("http://256.0.0.1", form),
            ("http://[::1", form),
            ("http://::1", form),
            ("http://[]", form),
            ("http://[0:0:0:0:0:0:0:1]", form),
            ("http://[::FFFF]", form),
            ("http://[::ffff:1.2.3.4]", form),
            ("http://[::1]x", form),
            ("null", "is null, which any page can have itself called"),
            ("*", "is *, which stands for all and has to stand alone"),
            (too_long.as_str(), "is longer than 300 bytes"),
        ] {
            let second = parsed(false, Some(&format!("https://first.test,{origin}")), None);
            assert_eq!(second, Err(format!("TAILRACE_ORIGINS: origin 2 {what}")), "{origin:?}");
            let first = parsed(true, Some(&format!("{origin},https://second.test")), None);
            assert_eq!(first, Err(format!("TAILRACE_ORIGINS: origin 1 {what}")), "{origin:?}");
        }
        let many = |count: usize| vec!["https://a.test"; count].join(",");
        assert!(parsed(false, Some(&many(ORIGINS_LIMIT)), None).is_ok());
        let sentence = "TAILRACE_ORIGINS has more than 64 origins".to_owned();
        assert_eq!(parsed(false, Some(&many(ORIGINS_LIMIT + 1)), None), Err(sentence));
    }

    #[test]
    fn an_origin_is_matched_as_a_whole() {
        let origins = listed_as(&["https://first.test", "https://a.test", "http://[::1]:81"], false);
        for (fields, expected) in [
            (&["https://a.test"][..], Some("https://a.test")),
            (&["http://[::1]:81"], Some("http://[::1]:81")),
            (&[], None),
            (&[""], None),
            (&["*"], None),
            (&["null"], None),
            (&["http://a.test"], None),
            (&["https://a.test:443"], None),
            (&["https://a.test:444"], None),
            (&["https://a.test/"], None),
            (&["HTTPS://A.TEST"], None),
            (&["https://A.test"], None),
            (&["https://a.test.evil.test"], None),
            (&["https://a.tes"], None),
            (&["https://evil-a.test"], None),
            (&["https://x.a.test"], None),
            (&["a.test"], None),
            (&[" https://a.test"], None),
            (&["https://a.test "], None),
            (&["https://a.test, https://a.test"], None),
            (&["https://a.test,https://evil.test"], None),
            (&["https://a.test https://evil.test"], None),
            (&["https://a.test", "https://a.test"], None),
            (&["https://a.test", "https://evil.test"], None),
            (&["https://evil.test", "https://a.test"], None),
        ] {
            let mut headers = Headers::default();
            headers.push(header::CACHE_CONTROL, "https://a.test");
            fields.iter().for_each(|field| headers.push(header::ORIGIN, *field));
            assert_eq!(origins.readers(&headers), Readers::Asking(expected.map(Arc::from)), "{fields:?}");
            assert_eq!(Origins::Any.readers(&headers), Readers::Any);
            assert_eq!(Origins::NotConfigured.readers(&headers), Readers::Own);
        }
    }
}
