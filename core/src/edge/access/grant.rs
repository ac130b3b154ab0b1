//! What the token of a request grants.

use super::claims::Claims;
use super::credential;
use super::scope::Scope;
use super::token::verify;
use crate::mutant::mutated;
use crate::protocol::project::ROOT_PROJECT;
use crate::protocol::query::Query;
use crate::protocol::{ErrorCode, Headers, KeyRing, Method, ObjectName, Refusal};

/// What the token of a request grants.
pub(in crate::edge) struct Grant(Claims);

/// The token of a request of this method, query and header, which this does not check.
pub(in crate::edge) fn token_of(method: Method, query: &str, headers: &Headers) -> Option<String> {
    credential::token(method, &Query::parse(query), headers).ok().map(str::to_owned)
}

/// Refuses who has no token of the operator of the whole deployment, who has these keys.
pub(in crate::edge) fn is_root(
    root: Option<&KeyRing>,
    method: Method,
    query: &str,
    headers: &Headers,
    now_ms: u64,
) -> Result<(), Refusal> {
    let Some(root) = root else {
        let query = Query::parse(query);
        credential::token(method, &query, headers)?;
        return Err(Refusal::new(
            ErrorCode::ScopeInsufficient,
            "only the operator of the deployment may, who has no key here",
        ));
    };
    Grant::of(root, method, query, headers, now_ms)?.admit_registry(ROOT_PROJECT)
}

impl Grant {
    /// Of a request of this method, query and header, at this time in ms since the Unix epoch.
    pub(in crate::edge) fn of(
        keys: &KeyRing,
        method: Method,
        query: &str,
        headers: &Headers,
        now_ms: u64,
    ) -> Result<Self, Refusal> {
        let query = Query::parse(query);
        let token = credential::token(method, &query, headers)?;
        verify(keys, token, now_ms).map(Self)
    }

    /// Refuses a method of a stream that it does not grant. The project is looked at first: what a token of another one
    /// may do there is nothing to this one.
    pub(in crate::edge) fn admit(&self, method: Method, stream: &ObjectName) -> Result<(), Refusal> {
        let (project, path) = stream.parts();
        self.admit_project(project)?;
        self.admit_scope(Scope::needed_by(method), path)
    }

    /// Refuses what is done to a stream otherwise than by a method of its own.
    pub(in crate::edge) fn admit_manager(&self, stream: &ObjectName) -> Result<(), Refusal> {
        self.admit_project(stream.parts().0)?;
        self.admit_scope(Scope::Manage, stream.parts().1)
    }

    /// Refuses what is done to a project itself. A token for some of its streams does nothing there.
    pub(in crate::edge) fn admit_registry(&self, project: &str) -> Result<(), Refusal> {
        self.admit_project(project)?;
        if self.0.stream.is_some() || self.0.stream_id.is_some() {
            return Err(Refusal::new(ErrorCode::StreamNotGranted, "the token is for streams, and not for the project"));
        }
        self.admit_scope(Scope::Manage, "")
    }

    fn admit_project(&self, project: &str) -> Result<(), Refusal> {
        if self.0.project == project {
            return Ok(());
        }
        Err(Refusal::new(ErrorCode::ProjectNotGranted, "the token is for another project"))
    }

    fn admit_scope(&self, needed: Scope, path: &str) -> Result<(), Refusal> {
        if self.0.scope < needed {
            let message = format!("the token's scope is {}, and this needs {}", self.0.scope.name(), needed.name());
            return Err(Refusal::new(ErrorCode::ScopeInsufficient, message));
        }
        let is_ignored = match needed {
            Scope::Read => mutated!(StreamClaimIgnoredOnReads),
            _ => mutated!(StreamClaimIgnoredOnWrites),
        };
        if !self.0.admits_path(path) && !is_ignored {
            return Err(Refusal::new(ErrorCode::StreamNotGranted, "the token is for other streams"));
        }
        Ok(())
    }

    /// Whether it is an operator's.
    pub(in crate::edge) fn manages(&self) -> bool {
        self.0.scope == Scope::Manage || mutated!(DebugForEveryToken)
    }

    /// When it ends, in ms since the Unix epoch.
    pub(in crate::edge) fn until_ms(&self) -> u64 {
        self.0.expires_s.saturating_mul(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::super::StreamPattern;
    use super::*;
    use crate::protocol::ProjectMode;
    use crate::protocol::path::StreamTarget;

    fn stream(encoded: &str) -> ObjectName {
        match StreamTarget::parse(ProjectMode::Multi, encoded) {
            Ok(StreamTarget::Stream(name)) => name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_method_of_a_stream_is_granted_by_project_scope_and_stream() {
        let (project, scope, stream_code) =
            (Err(ErrorCode::ProjectNotGranted), Err(ErrorCode::ScopeInsufficient), Err(ErrorCode::StreamNotGranted));
        for (sub, granted, pattern, method, path, expected) in [
            ("p", Scope::Read, None, Method::Get, "p/a", Ok(())),
            ("p", Scope::Read, None, Method::Head, "p/a", Ok(())),
            ("p", Scope::Read, None, Method::Put, "p/a", scope),
            ("p", Scope::Read, None, Method::Post, "p/a", scope),
            ("p", Scope::Read, None, Method::Delete, "p/a", scope),
            ("p", Scope::Write, None, Method::Get, "p/a", Ok(())),
            ("p", Scope::Write, None, Method::Put, "p/a", Ok(())),
            ("p", Scope::Write, None, Method::Post, "p/a", Ok(())),
            ("p", Scope::Write, None, Method::Delete, "p/a", Ok(())),
            ("p", Scope::Manage, None, Method::Delete, "p/a", Ok(())),
            ("q", Scope::Manage, None, Method::Get, "p/a", project),
            ("P", Scope::Manage, None, Method::Get, "p/a", project),
            ("", Scope::Manage, None, Method::Get, "p/a", project),
            ("p/a", Scope::Manage, None, Method::Get, "p/a", project),
            ("*", Scope::Manage, None, Method::Get, "p/a", project),
            ("q", Scope::Read, Some("x"), Method::Put, "p/a", project),
            ("p", Scope::Read, Some("x"), Method::Put, "p/a", scope),
            ("p", Scope::Write, Some("a"), Method::Put, "p/a", Ok(())),
            ("p", Scope::Manage, Some("a"), Method::Put, "p/b", stream_code),
            ("p", Scope::Read, Some("a/*"), Method::Get, "p/a/b", Ok(())),
            ("p", Scope::Read, Some("a/*"), Method::Get, "p/%61%2fb", Ok(())),
            ("p", Scope::Read, Some("a/*"), Method::Get, "p/a", stream_code),
            ("p", Scope::Read, Some("a/*"), Method::Get, "p/a%2525/b", stream_code),
            ("p", Scope::Read, Some("a/*"), Method::Get, "p/ab/c", stream_code),
            ("p", Scope::Read, Some("ä b"), Method::Get, "p/%C3%A4%20b", Ok(())),
            // The claim is what the path is once decoded.
            ("p", Scope::Read, Some("%61"), Method::Get, "p/%61", stream_code),
            ("p", Scope::Read, Some("%61"), Method::Get, "p/%2561", Ok(())),
            // The project is no part of it.
            ("p", Scope::Read, Some("p/a"), Method::Get, "p/a", stream_code),
        ] {
            let grant = Grant(Claims {
                project: sub.to_owned(),
                scope: granted,
                expires_s: 9,
                begins_s: None,
                stream: pattern.and_then(StreamPattern::parse),
                stream_id: None,
            });
            let found = grant.admit(method, &stream(path)).map_err(|refusal| refusal.code);
            assert_eq!(found, expected, "{sub} {granted:?} {pattern:?} {method:?} {path}");
            assert_eq!(grant.until_ms(), 9_000);
        }
    }
}
