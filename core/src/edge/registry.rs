//! Requests for the registry: what projects there are, and their keys and origins.

use serde_json::{Map, Value};

use super::access::{Grant, is_root};
use super::config::{Access, EdgeConfig};
use super::failure::refused;
use super::routed::{ProjectForward, Routed};
use super::stream_request::Entrance;
use crate::protocol::limits::PROJECT_READ_MS;
use crate::protocol::path::{DEFAULT_PROJECT, check_project};
use crate::protocol::project::{DELETED, ProjectMessage, ProjectOperation, ROOT_PROJECT};
use crate::protocol::query::Query;
use crate::protocol::{CacheControl, ErrorCode, Headers, Method, Refusal, Response, header, percent};
use crate::runtime::{EdgeEnv, KvView};

/// What is at a path of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RegistryPath {
    /// All projects.
    All,
    /// A project.
    Project(String),
    /// A project's keys.
    Keys(String),
    /// One of them, by its id.
    Key(String, String),
    /// A project's origins.
    Origins(String),
}

impl RegistryPath {
    /// From a path; `None` if it is none of the registry.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let decoded = percent::decode(path.strip_prefix("/v1/projects")?)?;
        let mut segments = decoded.split('/').skip(1).map(str::to_owned);
        let found = match (segments.next(), segments.next(), segments.next()) {
            (None, ..) => decoded.is_empty().then_some(Self::All)?,
            (Some(project), None, None) => Self::Project(project),
            (Some(project), Some(part), None) if part == "keys" => Self::Keys(project),
            (Some(project), Some(part), Some(id)) if part == "keys" => Self::Key(project, id),
            (Some(project), Some(part), None) if part == "origins" => Self::Origins(project),
            _ => return None,
        };
        segments.next().is_none().then_some(found)
    }

    /// The methods that it knows.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::All => "GET, OPTIONS",
            Self::Project(_) => "GET, PUT, DELETE, OPTIONS",
            Self::Keys(_) => "POST, OPTIONS",
            Self::Key(..) => "DELETE, OPTIONS",
            Self::Origins(_) => "PUT, OPTIONS",
        }
    }

    /// What a method asks for, and whether only the operator of the whole deployment may; `None` if it knows no such method.
    fn asks(self, method: Method) -> Option<(String, ProjectOperation, bool)> {
        Some(match (self, method) {
            (Self::Project(project), Method::Get) => (project, ProjectOperation::Show, false),
            (Self::Project(project), Method::Put) => (project, ProjectOperation::Create, true),
            (Self::Project(project), Method::Delete) => (project, ProjectOperation::Delete, true),
            (Self::Keys(project), Method::Post) => (project, ProjectOperation::AddKey, false),
            (Self::Key(project, id), Method::Delete) => (project, ProjectOperation::RemoveKey(id), false),
            (Self::Origins(project), Method::Put) => (project, ProjectOperation::SetOrigins, false),
            _ => return None,
        })
    }
}

/// A request for the registry.
pub(super) struct RegistryRequest<'a> {
    pub(super) config: &'a EdgeConfig,
    pub(super) method: Method,
    pub(super) query: &'a str,
    pub(super) headers: &'a Headers,
    pub(super) entrance: Entrance,
}

impl RegistryRequest<'_> {
    /// Where it goes; `None` if its path knows no such method.
    pub(super) fn routed(&self, path: RegistryPath, now_ms: impl Fn() -> u64) -> Option<Result<Routed, Refusal>> {
        if path == RegistryPath::All {
            return (self.method == Method::Get).then(|| self.routed_to_all(now_ms));
        }
        let (project, operation, is_for_root) = path.asks(self.method)?;
        Some(self.routed_to(project, operation, is_for_root, now_ms))
    }

    fn routed_to_all(&self, now_ms: impl Fn() -> u64) -> Result<Routed, Refusal> {
        self.admit_root(self.arrived_ms(now_ms))?;
        let cursor = Query::parse(self.query).single("cursor")?.map(str::to_owned);
        Ok(Routed::Projects { cursor })
    }

    fn routed_to(
        &self,
        project: String,
        operation: ProjectOperation,
        is_for_root: bool,
        now_ms: impl Fn() -> u64,
    ) -> Result<Routed, Refusal> {
        check_project(&project)?;
        let arrived_ms = self.arrived_ms(now_ms);
        if let Err(refusal) = self.admit_root(arrived_ms) {
            match &self.config.access {
                Access::Keys(keys) => {
                    let grant = Grant::of(keys, self.method, self.query, self.headers, arrived_ms)?;
                    grant.admit_registry(&project)?;
                    if is_for_root {
                        let message = "only the operator of the whole deployment may";
                        return Err(Refusal::new(ErrorCode::ScopeInsufficient, message));
                    }
                }
                _ => return Err(refusal),
            }
        }
        let registry = self.config.registry.as_ref();
        if project == DEFAULT_PROJECT && registry.is_some_and(|registry| registry.default.is_some()) {
            let message = "the keys of this project are the deployment's own: TAILRACE_KEYS";
            return Err(Refusal::new(ErrorCode::InvalidProject, message));
        }
        if project == ROOT_PROJECT {
            return Err(Refusal::new(ErrorCode::InvalidProject, "no project has this name"));
        }
        let takes_body = operation == ProjectOperation::SetOrigins;
        let message = ProjectMessage { project, operation, body_too_large: false };
        Ok(Routed::Project(ProjectForward { message, takes_body }))
    }

    /// When the request has arrived, in ms since the Unix epoch. Those of the inner entrypoint are refused whatever they ask.
    fn arrived_ms(&self, now_ms: impl Fn() -> u64) -> u64 {
        let age_ms = if let Entrance::Outer { age_ms } = self.entrance { age_ms } else { 0 };
        now_ms().saturating_sub(age_ms)
    }

    /// Refuses who is not the operator of the whole deployment.
    fn admit_root(&self, arrived_ms: u64) -> Result<(), Refusal> {
        let root = self.config.registry.as_ref().and_then(|registry| registry.root.as_ref());
        is_root(root, self.method, self.query, self.headers, arrived_ms)
    }
}

/// The answer to a request for all projects, as KV lists them: what was changed a moment ago may not be there yet.
pub(super) async fn list<E: EdgeEnv>(env: &E, cursor: Option<&str>) -> Response {
    let listing = match env.kv().list(cursor, PROJECT_READ_MS).await {
        Ok(listing) => listing,
        Err(error) => {
            tracing::warn!(%error, "the projects were not listed");
            let refusal = Refusal::new(ErrorCode::RegistryUnavailable, "the projects cannot be listed now");
            return refused(Method::Get, &refusal);
        }
    };
    let there = listing.keys.into_iter().filter(|key| key.note != DELETED);
    let mut members = Map::new();
    members.insert("projects".to_owned(), there.map(|key| Value::from(key.name)).collect::<Vec<_>>().into());
    members.extend(listing.next.map(|next| ("cursor".to_owned(), next.into())));
    Response::new(200)
        .with(header::CACHE_CONTROL, CacheControl::NoStore.to_string())
        .with(header::CONTENT_TYPE, "application/json")
        .with_body(Value::from(members).to_string())
        .with_common()
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Says, Scripted, config};
    use super::super::{Claims, Registry, Scope, StreamPattern, mint, serve, serve_inner};
    use super::*;
    use crate::protocol::project::ProjectRecord;
    use crate::protocol::{KeyRing, ProjectMode};
    use crate::runtime::{Past, Request};

    fn ring(byte: u8) -> KeyRing {
        KeyRing::of([("k", [byte; 32].as_slice())].into_iter()).expect("a key")
    }

    /// An edge with a registry. The operator's key is of ones, and that of the project `p` of twos.
    fn multi() -> EdgeConfig {
        let registry = Registry { root: Some(ring(1)), default: Some(ring(3)), front_varies: false };
        EdgeConfig { access: Access::Projects, registry: Some(registry), projects: ProjectMode::Multi, ..config() }
    }

    fn token(byte: u8, project: &str, scope: Scope, stream: Option<&str>) -> String {
        let stream = stream.and_then(StreamPattern::parse);
        let (project, expires_s) = (project.to_owned(), 1_000_000_000);
        let claims = Claims { project, scope, expires_s, begins_s: None, stream, stream_id: None };
        mint(&ring(byte), &claims).expect("a token")
    }

    fn root() -> String {
        token(1, ROOT_PROJECT, Scope::Manage, None)
    }

    fn manager() -> String {
        token(2, "p", Scope::Manage, None)
    }

    fn edge(says: Says) -> Scripted {
        let env = Scripted::new([says]);
        let key = crate::protocol::project::ProjectKey { id: "k".to_owned(), secret: vec![2; 32], created_ms: 0 };
        let record = ProjectRecord { version: 1, keys: vec![key], ..ProjectRecord::default() };
        env.kv_store().texts.borrow_mut().insert("p".to_owned(), (record.encode(), String::new()));
        env
    }

    /// The status and code of an answer, and what was asked of an object.
    fn ask(
        config: &EdgeConfig,
        method: Method,
        target: &str,
        token: Option<&str>,
        body: Option<usize>,
    ) -> (u16, String, Vec<String>) {
        let env = edge(Says::Reply(Response::new(204)));
        let mut headers = Headers::default();
        token.into_iter().for_each(|token| headers.push(header::AUTHORIZATION, format!("Bearer {token}")));
        body.into_iter().for_each(|bytes| headers.push(header::CONTENT_LENGTH, bytes.to_string()));
        let (url, body) = (format!("http://localhost{target}"), body.map(|bytes| env.upload(bytes, false)));
        let request = Request { method, url, headers, body, past: Past::default() };
        Scripted::run(serve(&env, config, request)).expect("no wait");
        let answer = env.answered().expect("an answer");
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = json["error"]["code"].as_str().unwrap_or_default().to_owned();
        let calls = env.notes().into_iter().filter(|note| note.starts_with("call") || note == "drain").collect();
        (answer.status, code, calls)
    }

    #[test]
    fn each_route_asks_the_projects_object_for_what_the_token_may() {
        let (of_root, of_manager) = (root(), manager());
        for (method, target, message, is_for_root) in [
            (Method::Put, "/v1/projects/p", "1C0p ", true),
            (Method::Delete, "/v1/projects/p", "1D0p ", true),
            (Method::Put, "/v1/projects/new", "1C0new ", true),
            (Method::Get, "/v1/projects/p", "1S0p ", false),
            (Method::Post, "/v1/projects/p/keys", "1K0p ", false),
            (Method::Delete, "/v1/projects/p/keys/a-B_9", "1R0p a-B_9", false),
            (Method::Delete, "/v1/projects/%70/keys/%61", "1R0p a", false),
            (Method::Put, "/v1/projects/p/origins", "1O0p ", false),
        ] {
            let project = if target.contains("new") { "new" } else { "p" };
            let called = vec![format!("call project {project}, {message}")];
            let (status, _, calls) = ask(&multi(), method, target, Some(&of_root), None);
            assert_eq!((status, &calls), (204, &called), "{target}");
            let (status, code, calls) = ask(&multi(), method, target, Some(&of_manager), None);
            match (is_for_root, project) {
                (true, "p") => {
                    assert_eq!((status, code.as_str(), calls), (403, "scope_insufficient", vec![]), "{target}")
                }
                (true, _) => assert_eq!((status, code.as_str(), calls), (401, "token_invalid", vec![]), "{target}"),
                (false, _) => assert_eq!((status, calls), (204, called), "{target}"),
            }
            for (token, expected) in [
                (None, (401, "token_missing")),
                (Some(token(2, "p", Scope::Write, None)), (403, "scope_insufficient")),
                (Some(token(2, "p", Scope::Manage, Some("a"))), (403, "stream_not_granted")),
                (Some(token(2, "q", Scope::Manage, None)), (403, "project_not_granted")),
                (Some(token(1, "p", Scope::Manage, None)), (401, "token_invalid")),
                (Some(token(1, ROOT_PROJECT, Scope::Write, None)), (401, "token_invalid")),
                (Some(token(9, ROOT_PROJECT, Scope::Manage, None)), (401, "token_invalid")),
                (Some(token(3, "_default", Scope::Manage, None)), (401, "token_invalid")),
            ] {
                let (status, code, calls) = ask(&multi(), method, target, token.as_deref(), None);
                assert_eq!(calls, Vec::<String>::new(), "{target}");
                match project {
                    "p" => assert_eq!((status, code.as_str()), expected, "{target}"),
                    _ => assert!(matches!(status, 401 | 403), "{target}"),
                }
            }
        }
    }

    #[test]
    fn a_token_for_a_stream_of_an_earlier_system_does_nothing_to_a_project() {
        let claims = |stream_id: Option<&str>| Claims {
            project: "p".to_owned(),
            scope: Scope::Manage,
            expires_s: 1_000_000_000,
            begins_s: None,
            stream: None,
            stream_id: stream_id.map(str::to_owned),
        };
        for (stream_id, expected) in [(None, 204), (Some("a"), 403), (Some(""), 403)] {
            let token = mint(&ring(2), &claims(stream_id)).expect("a token");
            let (status, _, _) = ask(&multi(), Method::Post, "/v1/projects/p/keys", Some(&token), None);
            assert_eq!(status, expected, "{stream_id:?}");
        }
    }

    #[test]
    fn what_is_no_route_or_no_project_is_refused() {
        let root = root();
        for (method, target, expected) in [
            (Method::Post, "/v1/projects/p", 405),
            (Method::Head, "/v1/projects/p", 405),
            (Method::Get, "/v1/projects/p/keys", 405),
            (Method::Get, "/v1/projects/p/keys/k", 405),
            (Method::Get, "/v1/projects/p/origins", 405),
            (Method::Post, "/v1/projects", 405),
            (Method::Get, "/v1/projectss", 404),
            (Method::Get, "/v1/projects/p/", 404),
            (Method::Get, "/v1/projects/p/other", 404),
            (Method::Delete, "/v1/projects/p/keys/k/x", 404),
            (Method::Get, "/v1/projects/", 400),
            (Method::Put, "/v1/projects/a.b", 400),
            (Method::Put, "/v1/projects/_root", 400),
            (Method::Put, "/v1/projects/_default", 400),
            (Method::Post, "/v1/projects/_default/keys", 400),
        ] {
            let (status, _, calls) = ask(&multi(), method, target, Some(&root), None);
            assert_eq!((status, calls), (expected, vec![]), "{method:?} {target}");
        }
        // A deployment with one project has no registry.
        let single = EdgeConfig { access: Access::Keys(ring(3)), ..config() };
        let own = token(3, "_default", Scope::Manage, None);
        assert_eq!(ask(&single, Method::Get, "/v1/projects/_default", Some(&own), None).0, 404);
        assert_eq!(ask(&single, Method::Get, "/v1/projects", Some(&own), None).0, 404);
        // Without a key nobody is the operator of the deployment.
        let mut rootless = multi();
        rootless.registry.as_mut().expect("a registry").root = None;
        assert_eq!(ask(&rootless, Method::Put, "/v1/projects/p", Some(&root), None).0, 401);
        assert_eq!(ask(&rootless, Method::Put, "/v1/projects/p", Some(&manager()), None).0, 403);
        assert_eq!(ask(&rootless, Method::Put, "/v1/projects/new", None, None).0, 401);
        assert_eq!(ask(&rootless, Method::Put, "/v1/projects/new", Some(&root), None).0, 403);
        assert_eq!(ask(&rootless, Method::Get, "/v1/projects/p", Some(&manager()), None).0, 204);
    }

    #[test]
    fn a_reader_key_is_replaced_by_a_manager_of_its_stream_or_by_the_operator() {
        let target = "/v1/projects/p/reader-keys/a/b";
        for (token, expected) in [
            (root(), 204),
            (manager(), 204),
            (token(2, "p", Scope::Manage, Some("a/*")), 204),
            (token(2, "p", Scope::Manage, Some("c")), 403),
            (token(2, "p", Scope::Write, None), 403),
            (token(1, "p", Scope::Manage, None), 401),
        ] {
            let (status, _, calls) = ask(&multi(), Method::Post, target, Some(&token), None);
            assert_eq!((status, calls.contains(&"call p/a/b".to_owned())), (expected, expected == 204));
        }
    }

    #[test]
    fn the_list_of_origins_goes_along_if_it_is_not_too_large_and_no_other_body_does() {
        let root = root();
        for (target, bytes, expected) in [
            ("/v1/projects/p/origins", 4, &["call project p, 1O0p  with a body"][..]),
            ("/v1/projects/p/origins", 5, &["drain", "call project p, 1O1p "]),
            ("/v1/projects/p", 4, &["drain", "call project p, 1C0p "]),
        ] {
            let (_, _, calls) = ask(&multi(), Method::Put, target, Some(&root), Some(bytes));
            assert_eq!(calls, expected, "{target} {bytes}");
        }
    }

    #[test]
    fn projects_are_listed_in_pages_without_those_that_are_no_more() {
        let env = edge(Says::Fails);
        for (name, note) in [("a", ""), ("b", "deleted"), ("c", "")] {
            env.kv_store().texts.borrow_mut().insert(name.to_owned(), (String::new(), note.to_owned()));
        }
        let list = |query: &str, token: &str| {
            let (mut headers, past) = (Headers::default(), Past::default());
            headers.push(header::AUTHORIZATION, format!("Bearer {token}"));
            let url = format!("http://localhost/v1/projects{query}");
            env.forget_answer();
            let request = Request { method: Method::Get, url, headers, body: None, past };
            Scripted::run(serve(&env, &multi(), request)).expect("no wait");
            let answer = env.answered().expect("an answer");
            (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
        };
        assert_eq!(list("", &root()), (200, r#"{"cursor":"c","projects":["a"]}"#.to_owned()));
        assert_eq!(list("?cursor=c", &root()), (200, r#"{"projects":["c","p"]}"#.to_owned()));
        assert_eq!(list("", &manager()).0, 401);
        env.kv_store().is_down.set(true);
        let (status, body) = list("", &root());
        assert_eq!((status, body.contains("registry_unavailable")), (503, true));
    }

    #[test]
    fn the_inner_entrypoint_has_no_registry() {
        for target in ["/v1/projects", "/v1/projects/p"] {
            let env = edge(Says::Reply(Response::new(200)));
            let (mut headers, past) = (Headers::default(), Past::default());
            headers.push(header::AUTHORIZATION, format!("Bearer {}", root()));
            let request =
                Request { method: Method::Get, url: format!("http://localhost{target}"), headers, body: None, past };
            Scripted::run(serve_inner(&env, &multi(), request)).expect("no wait");
            assert_eq!(env.answered().map(|answer| answer.status), Some(404), "{target}");
            assert_eq!(env.notes(), Vec::<String>::new());
        }
    }

    #[test]
    fn a_change_that_was_asked_for_is_not_asked_for_again() {
        let env = edge(Says::Reply(Response::new(201)));
        let mut headers = Headers::default();
        headers.push(header::AUTHORIZATION, format!("Bearer {}", root()));
        let past = Past { losses: 1, has_called: true, age_ms: 0 };
        let url = "http://localhost/v1/projects/p".to_owned();
        Scripted::run(serve(&env, &multi(), Request { method: Method::Put, url, headers, body: None, past }))
            .expect("no wait");
        assert_eq!(env.answered().map(|answer| answer.status), Some(201));
        assert!(env.notes().contains(&"earlier call".to_owned()));
    }
}
