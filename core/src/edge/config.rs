//! What a deployment configures.

use crate::protocol::limits::{BODY_LIMIT, CLIENT_BUFFER, KEEP_ALIVE_MS, PAGE_BYTES};
use crate::protocol::{CachePolicy, KeyRing, MemoryLimits, Origins, ProjectMode, Waits, sse};
use crate::runtime::RateLimit;

/// Who may use the streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody: neither authentication nor the explicit no-auth mode is configured.
    NotConfigured,
    /// Everybody, for development and tests.
    NoAuth,
    /// Who has a token that one of these keys has signed, as far as it goes.
    Keys(KeyRing),
    /// It depends on the project that the URL names: see [`EdgeConfig::registry`].
    Projects,
    /// Nobody: there is no project of that name. Tokens are checked with a key that nobody has, which costs what it costs in
    /// a project.
    Absent(Option<KeyRing>),
    /// Nobody: the configuration is wrong, as this sentence tells the operator.
    Misconfigured(String),
}

impl Access {
    /// From the deployment's variables: `TAILRACE_NO_AUTH` = `1`, or the secret `TAILRACE_KEYS`. Whoever sets both may have
    /// meant either. Fails with a sentence for the operator.
    fn from_vars<'a>(projects: ProjectMode, variable: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let is_open = match variable("TAILRACE_NO_AUTH") {
            None | Some("" | "0") => false,
            Some("1") => true,
            Some(_) => return Err("TAILRACE_NO_AUTH is neither 0 nor 1".to_owned()),
        };
        let secret = ["TAILRACE_KEYS", "TAILRACE_ROOT_KEY"].into_iter().find(|name| variable(name).is_some());
        if let Some(secret) = secret.filter(|_| is_open) {
            return Err(format!("TAILRACE_NO_AUTH opens what {secret} is to close"));
        }
        match variable("TAILRACE_KEYS") {
            None if is_open => Ok(Self::NoAuth),
            _ if projects == ProjectMode::Multi => Ok(Self::Projects),
            None => Ok(Self::NotConfigured),
            Some(keys) => KeyRing::parse(keys).map(Self::Keys),
        }
    }
}

/// The registry of a deployment with several projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// The keys of the operator of the whole deployment (`TAILRACE_ROOT_KEY`); `None` if there are none.
    pub root: Option<KeyRing>,
    /// The keys of the project `_default` (`TAILRACE_KEYS`); `None` if it is a project like others.
    pub default: Option<KeyRing>,
    /// Whether the caches in front of the edge keep an answer for each `Origin` apart.
    pub front_varies: bool,
}

impl Registry {
    /// From the deployment's variables. Fails with a sentence for the operator.
    fn from_vars<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let keys = |name: &str| variable(name).map(|keys| KeyRing::parse_secret(name, keys)).transpose();
        let (root, default) = (keys("TAILRACE_ROOT_KEY")?, keys("TAILRACE_KEYS")?);
        Ok(Self { root, default, front_varies: Origins::front_varies(&variable)? })
    }
}

impl Access {
    /// Whether it is found out of each client what it may do.
    pub(super) fn is_checked(&self) -> bool {
        matches!(self, Self::Keys(_) | Self::Projects | Self::Absent(_))
    }
}

/// The edge's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeConfig {
    /// Who may use the streams.
    pub access: Access,
    /// The registry, where there are several projects and their keys are not the deployment's own.
    pub registry: Option<Registry>,
    /// Whether the first segment of a path is a project.
    pub projects: ProjectMode,
    /// Largest body, in bytes.
    pub body_limit: usize,
    /// How long live reads wait, and how much may wait for their clients.
    pub live: LiveConfig,
    /// What may be in memory at a time.
    pub memory: MemoryLimits,
    /// What caches do for readers.
    pub policy: CachePolicy,
    /// The origins whose scripts may read answers.
    pub origins: Origins,
    /// The limits that there are of how often a client may do something. No variable says so, but what is bound.
    pub rates: Rates,
}

/// How long live reads wait, and how much may wait for their clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveConfig {
    /// How long long-polls wait, and how long connections with events last.
    pub waits: Waits,
    /// The longest silence on a connection with events, in ms.
    pub keep_alive_ms: u64,
    /// Bytes that may wait for one client to take them.
    pub buffer_bytes: usize,
    /// Bytes of one answer of an object to a reader of events, at most.
    pub piece_bytes: usize,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            waits: Waits::default(),
            keep_alive_ms: KEEP_ALIVE_MS,
            buffer_bytes: CLIENT_BUFFER,
            piece_bytes: sse::piece_bytes(PAGE_BYTES),
        }
    }
}

/// The limits that a deployment has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Whether it has one of [`RateLimit::Openings`].
    pub has_openings: bool,
    /// Whether it has one of [`RateLimit::Failures`].
    pub has_failures: bool,
}

impl Rates {
    /// Those whose names these are, as a deployment binds them. Other names mean nothing.
    pub fn bound<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut rates = Self::default();
        for name in names {
            rates.has_openings |= name == RateLimit::Openings.name();
            rates.has_failures |= name == RateLimit::Failures.name();
        }
        rates
    }

    /// Whether there is any.
    pub(super) fn are_there(self) -> bool {
        self.has_openings || self.has_failures
    }
}

impl EdgeConfig {
    /// From the deployment's variables: `TAILRACE_PROJECTS` = `single` or `multi`, those that say who is let in, and those
    /// of [`Origins`], [`CachePolicy`] and [`Waits`].
    pub fn from_vars<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Self {
        let (projects, mut problem) = match variable("TAILRACE_PROJECTS") {
            None | Some("single") => (ProjectMode::Single, None),
            Some("multi") => (ProjectMode::Multi, None),
            Some(_) => (ProjectMode::Single, Some("TAILRACE_PROJECTS is neither single nor multi".to_owned())),
        };
        let access = Access::from_vars(projects, &variable).unwrap_or_else(|wrong| {
            problem = Some(wrong);
            Access::NotConfigured
        });
        let origins = Origins::from_vars(access == Access::NoAuth, &variable).unwrap_or_else(|wrong| {
            problem = Some(wrong);
            Origins::NotConfigured
        });
        let policy = CachePolicy::from_vars(&variable).unwrap_or_else(|wrong| {
            problem = Some(wrong);
            CachePolicy::default()
        });
        let waits = Waits::from_vars(policy.waits, &variable).unwrap_or_else(|wrong| {
            problem = Some(wrong);
            Waits::default()
        });
        let registry = (access == Access::Projects).then(|| Registry::from_vars(&variable)).transpose();
        let registry = registry.unwrap_or_else(|wrong| {
            problem = Some(wrong);
            None
        });
        let access = problem.map_or(access, Access::Misconfigured);
        let live = LiveConfig { waits, ..LiveConfig::default() };
        let (memory, rates) = (MemoryLimits::default(), Rates::default());
        Self { access, registry, projects, body_limit: BODY_LIMIT, live, memory, policy, origins, rates }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_let_in_without_the_explicit_variable() {
        let from = |no_auth: Option<&'static str>, projects: Option<&'static str>| {
            EdgeConfig::from_vars(|name| match name {
                "TAILRACE_NO_AUTH" => no_auth,
                "TAILRACE_PROJECTS" => projects,
                _ => None,
            })
        };
        assert_eq!(from(None, None).access, Access::NotConfigured);
        assert_eq!(from(Some("0"), None).access, Access::NotConfigured);
        assert_eq!(from(Some("1"), None).access, Access::NoAuth);
        assert_eq!(from(Some("1"), Some("multi")).projects, ProjectMode::Multi);
        assert!(matches!(from(Some("yes"), None).access, Access::Misconfigured(_)));
        assert!(matches!(from(Some("1"), Some("both")).access, Access::Misconfigured(_)));
    }

    #[test]
    fn keys_let_in_who_has_a_token_and_contradict_the_no_auth_mode() {
        let key = format!("a:{}", "A".repeat(43));
        let keys = || Access::Keys(KeyRing::parse(&key).expect("a key"));
        let wrong = |sentence: &str| Access::Misconfigured(sentence.to_owned());
        let both = "TAILRACE_NO_AUTH opens what TAILRACE_KEYS is to close";
        for (variables, expected) in [
            (&[("TAILRACE_KEYS", key.as_str())][..], keys()),
            (&[("TAILRACE_KEYS", &key), ("TAILRACE_NO_AUTH", "0")], keys()),
            (&[("TAILRACE_KEYS", &key), ("TAILRACE_NO_AUTH", "")], keys()),
            (&[("TAILRACE_KEYS", &key), ("TAILRACE_ROOT_KEY", "r")], keys()),
            (&[("TAILRACE_KEYS", &key), ("TAILRACE_PROJECTS", "single")], keys()),
            (&[("TAILRACE_KEYS", &key), ("TAILRACE_NO_AUTH", "1")], wrong(both)),
            (&[("TAILRACE_KEYS", ""), ("TAILRACE_NO_AUTH", "1")], wrong(both)),
            (
                &[("TAILRACE_ROOT_KEY", "r"), ("TAILRACE_NO_AUTH", "1")],
                wrong("TAILRACE_NO_AUTH opens what TAILRACE_ROOT_KEY is to close"),
            ),
            (&[("TAILRACE_ROOT_KEY", "r")], Access::NotConfigured),
            (&[("TAILRACE_KEYS", "")], wrong("TAILRACE_KEYS: key 1 is no id:base64url")),
            (&[("TAILRACE_KEYS", "a:AAAA")], wrong("TAILRACE_KEYS: key 1 is shorter than 32 bytes")),
            (&[("TAILRACE_PROJECTS", "multi")], Access::Projects),
            (&[("TAILRACE_KEYS", &key), ("TAILRACE_PROJECTS", "multi")], Access::Projects),
            (&[("TAILRACE_ROOT_KEY", &key), ("TAILRACE_PROJECTS", "multi")], Access::Projects),
            (
                &[("TAILRACE_ROOT_KEY", "r"), ("TAILRACE_PROJECTS", "multi")],
                wrong("TAILRACE_ROOT_KEY: key 1 is no id:base64url"),
            ),
            (
                &[("TAILRACE_KEYS", "a:AAAA"), ("TAILRACE_PROJECTS", "multi")],
                wrong("TAILRACE_KEYS: key 1 is shorter than 32 bytes"),
            ),
            (&[("TAILRACE_KEYS", &key), ("TAILRACE_PROJECTS", "multi"), ("TAILRACE_NO_AUTH", "1")], wrong(both)),
        ] {
            let value = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            let config = EdgeConfig::from_vars(value);
            assert_eq!(config.access, expected, "{variables:?}");
            assert_eq!(config.origins, Origins::NotConfigured, "{variables:?}");
        }
    }

    #[test]
    fn origins_are_those_of_the_variable_in_both_modes_and_a_wrong_one_lets_nobody_in() {
        let key = format!("a:{}", "A".repeat(43));
        let listed = Origins::from_vars(false, |name| (name == "TAILRACE_ORIGINS").then_some("https://a.test"));
        let listed = || listed.clone().expect("a list");
        let wrong = "TAILRACE_ORIGINS: origin 2 is null, which any page can have itself called";
        let misconfigured = |sentence: &str| Access::Misconfigured(sentence.to_owned());
        let keys = || Access::Keys(KeyRing::parse(&key).expect("a key"));
        for (variables, access, origins) in [
            (&[("TAILRACE_NO_AUTH", "1")][..], Access::NoAuth, Origins::Any),
            (&[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_ORIGINS", "https://a.test")], Access::NoAuth, listed()),
            (
                &[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_ORIGINS", "https://a.test"), ("TAILRACE_PROJECTS", "multi")],
                Access::NoAuth,
                listed(),
            ),
            (&[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_PROJECTS", "multi")], Access::NoAuth, Origins::Any),
            (&[("TAILRACE_KEYS", &key)], keys(), Origins::NotConfigured),
            (&[("TAILRACE_KEYS", &key), ("TAILRACE_ORIGINS", "*")], keys(), Origins::Any),
            (&[("TAILRACE_KEYS", &key), ("TAILRACE_ORIGINS", "https://a.test")], keys(), listed()),
            (&[("TAILRACE_ORIGINS", "https://a.test")], Access::NotConfigured, listed()),
            (
                &[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_ORIGINS", "https://a.test,null")],
                misconfigured(wrong),
                Origins::NotConfigured,
            ),
            (
                &[("TAILRACE_KEYS", &key), ("TAILRACE_ORIGINS", "*"), ("TAILRACE_FRONT_VARY", "yes")],
                misconfigured("TAILRACE_FRONT_VARY is neither 0 nor 1"),
                Origins::NotConfigured,
            ),
            // Whatever else is wrong, its scripts can read that something is.
            (
                &[("TAILRACE_KEYS", ""), ("TAILRACE_ORIGINS", "https://a.test")],
                misconfigured("TAILRACE_KEYS: key 1 is no id:base64url"),
                listed(),
            ),
        ] {
            let value = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            let config = EdgeConfig::from_vars(value);
            assert_eq!((config.access, config.origins), (access, origins), "{variables:?}");
        }
    }

    #[test]
    fn a_long_poll_waits_as_configured_and_twenty_seconds_otherwise() {
        let from = |long_poll: Option<&'static str>| {
            EdgeConfig::from_vars(|name| match name {
                "TAILRACE_NO_AUTH" => Some("1"),
                "TAILRACE_LONG_POLL_MS" => long_poll,
                _ => None,
            })
        };
        assert_eq!(from(None).live.waits.long_poll_ms, 20_000);
        assert_eq!(from(Some("3000")).live.waits.long_poll_ms, 3_000);
        assert!(matches!(from(Some("soon")).access, Access::Misconfigured(_)));
    }
}
