//! What a deployment configures.

use crate::protocol::ProjectMode;
use crate::protocol::limits::BODY_LIMIT;

/// Who may use the streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody: neither authentication nor the explicit no-auth mode is configured.
    NotConfigured,
    /// Everybody, for development and tests.
    NoAuth,
    /// Nobody: the configuration is wrong. The sentence is for the operator.
    Misconfigured(String),
}

/// What the edge needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeConfig {
    /// Who may use the streams.
    pub access: Access,
    /// Whether the first segment of a path is a project.
    pub projects: ProjectMode,
    /// Largest body, in bytes.
    pub body_limit: usize,
}

impl EdgeConfig {
    /// From the deployment's variables: `TAILRACE_NO_AUTH` = `1`, `TAILRACE_PROJECTS` = `single` or `multi`.
    pub fn from_vars<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Self {
        let (projects, mut problem) = match variable("TAILRACE_PROJECTS") {
            None | Some("single") => (ProjectMode::Single, None),
            Some("multi") => (ProjectMode::Multi, None),
            Some(_) => (ProjectMode::Single, Some("TAILRACE_PROJECTS is neither single nor multi")),
        };
        let access = match variable("TAILRACE_NO_AUTH") {
            None | Some("" | "0") => Access::NotConfigured,
            Some("1") => Access::NoAuth,
            Some(_) => {
                problem = problem.or(Some("TAILRACE_NO_AUTH is neither 0 nor 1"));
                Access::NotConfigured
            }
        };
        let access = problem.map_or(access, |problem| Access::Misconfigured(problem.to_owned()));
        Self { access, projects, body_limit: BODY_LIMIT }
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
}
