//! Which project a request is for, and what is known of it.
//!
//! What the registry has changed is known here once KV tells it. The project's object is never asked: which project a request
//! names, and which key, is its client's choice, and a client must not wake objects by that.

use std::borrow::Cow;
use std::rc::Rc;

use super::config::{Access, EdgeConfig};
use super::route::{PROJECT_ROUTE, path_of};
use super::stream_request::STREAM_ROUTE;
use crate::protocol::limits::{PROJECT_ABSENT_MS, PROJECT_FRESH_MS, PROJECT_OLD_MS, PROJECT_READ_MS, PROJECT_RETRY_MS};
use crate::protocol::path::{self, DEFAULT_PROJECT};
use crate::protocol::project::ProjectRecord;
use crate::protocol::{ErrorCode, KeyRing, Origins, Refusal, Response, percent};
use crate::runtime::{EdgeEnv, JoinedFlight, KnownProject, KvView, Landing, Sharing, StartedFlight, Tenant, marks};

/// What is known of a project that is asked for.
enum Found {
    /// It is there.
    There(Rc<Tenant>),
    /// There is none of that name.
    Absent,
    /// Nobody knows: KV does not answer, and what it has told last is too old.
    Unknown,
}

/// The configuration that holds for a request of this URL: that of its project, where there is a registry and the URL names
/// one. Fails if nobody knows what the project is.
pub(super) async fn config_for<'a, E: EdgeEnv>(
    env: &E,
    config: &'a EdgeConfig,
    url: &str,
) -> Result<Cow<'a, EdgeConfig>, Refusal> {
    let Some((registry, project)) = config.registry.as_ref().zip(project_of(url)) else {
        return Ok(Cow::Borrowed(config));
    };
    let with = |access, origins| Ok(Cow::Owned(EdgeConfig { access, origins, ..config.clone() }));
    if let Some(keys) = registry.default.as_ref().filter(|_| project == DEFAULT_PROJECT) {
        return with(Access::Keys(keys.clone()), config.origins.clone());
    }
    match find(env, &project, registry.front_varies).await {
        Found::There(tenant) => with(Access::Keys(tenant.keys.clone()), tenant.origins.clone()),
        // As one is answered that lists no origins.
        Found::Absent => with(Access::Absent(nobodys(env)), Origins::NotConfigured),
        Found::Unknown => {
            let message = "what is known of the project cannot be read now; nothing was applied";
            Err(Refusal::new(ErrorCode::RegistryUnavailable, message))
        }
    }
}

/// The configuration by which a request of this URL is answered without anything being known of its project: no scripts of
/// other origins may read that, since the deployment's own origins are those of another project.
pub(super) fn config_if_unknown<'a>(config: &'a EdgeConfig, url: &str) -> Cow<'a, EdgeConfig> {
    let Some((registry, project)) = config.registry.as_ref().zip(project_of(url)) else { return Cow::Borrowed(config) };
    match registry.default.is_some() && project == DEFAULT_PROJECT {
        true => Cow::Borrowed(config),
        false => Cow::Owned(EdgeConfig { origins: Origins::NotConfigured, ..config.clone() }),
    }
}

/// The project that a URL names, if its path has one.
fn project_of(url: &str) -> Option<String> {
    let path = path_of(url);
    let rest = path.strip_prefix(STREAM_ROUTE).or_else(|| path.strip_prefix(PROJECT_ROUTE))?;
    let decoded = percent::decode(rest)?;
    let project = decoded.split('/').next()?;
    path::check_project(project).is_ok().then(|| project.to_owned())
}

/// A key that nobody has: what costs as much as a project's, and verifies nothing.
fn nobodys(env: &impl EdgeEnv) -> Option<KeyRing> {
    let mut secret = [0; 32];
    env.fill_random(&mut secret);
    KeyRing::of([("", secret.as_slice())].into_iter())
}

/// What is known of a project. KV is asked if that is too old.
async fn find<E: EdgeEnv>(env: &E, project: &str, front_varies: bool) -> Found {
    let known = env.known_projects().get(project);
    if let Some(known) = &known
        && is_fresh(known, env.now_ms())
    {
        return as_far_as_known(Some(known), env.now_ms());
    }
    match env.share(&format!("kv\n{project}")) {
        Sharing::Started(flight) => {
            let found = read(env, project, front_varies).await;
            // Whoever has waited looks at what is known now.
            flight.land(&env.keep_own(Response::new(204)), 0);
            found
        }
        Sharing::Joined { flight, age_ms } => match flight.landing(PROJECT_READ_MS.saturating_sub(age_ms)).await {
            Landing::Landed { .. } => as_far_as_known(env.known_projects().get(project).as_ref(), env.now_ms()),
            Landing::Noted(_) | Landing::TimedOut => {
                flight.give_up();
                read(env, project, front_varies).await
            }
        },
    }
}

/// Whether nobody needs to ask again yet.
fn is_fresh(known: &KnownProject, now_ms: u64) -> bool {
    let fresh_ms = if known.tenant.is_some() { PROJECT_FRESH_MS } else { PROJECT_ABSENT_MS };
    let failed = known.failed_ms.is_some_and(|failed_ms| now_ms < failed_ms + PROJECT_RETRY_MS);
    now_ms < known.read_ms + fresh_ms || failed && now_ms < known.read_ms + PROJECT_OLD_MS
}

fn as_far_as_known(known: Option<&KnownProject>, now_ms: u64) -> Found {
    match known {
        Some(known) if now_ms < known.read_ms + PROJECT_OLD_MS => match &known.tenant {
            Some(tenant) => Found::There(tenant.clone()),
            None => Found::Absent,
        },
        _ => Found::Unknown,
    }
}

/// Asks KV.
async fn read<E: EdgeEnv>(env: &E, project: &str, front_varies: bool) -> Found {
    let asked_ms = env.now_ms();
    let told = match env.kv().get(project, PROJECT_READ_MS).await {
        Ok(None) => Some(None),
        Ok(Some(text)) => match ProjectRecord::decode(&text) {
            Some(record) => Some(Some(record)),
            None => {
                tracing::error!(project, "what KV has of a project is no record");
                None
            }
        },
        Err(error) => {
            tracing::warn!(%error, "what is known of a project was not read");
            None
        }
    };
    let (projects, known) = (env.known_projects(), env.known_projects().get(project));
    let is_usable = |known: &&KnownProject| env.now_ms() < known.read_ms + PROJECT_OLD_MS;
    let held = known.as_ref().filter(is_usable).and_then(|known| known.tenant.as_ref()).map_or(0, |held| held.version);
    let version = |record: &Option<ProjectRecord>| record.as_ref().map_or(0, |record| record.version);
    // KV may tell what was before. Who has seen a change goes not back.
    if let Some(record) = told.filter(|record| version(record) >= held) {
        let tenant = record.filter(ProjectRecord::is_there).and_then(|record| {
            let (keys, origins) = (record.key_ring()?, record.origins(front_varies));
            Some(Rc::new(Tenant { version: record.version, keys, origins }))
        });
        let known = KnownProject { tenant, read_ms: asked_ms, failed_ms: None };
        projects.insert(project, known.clone());
        return as_far_as_known(Some(&known), env.now_ms());
    }
    if let Some(known) = known {
        env.sometimes(marks::PROJECT_READ_IN_VAIN);
        projects.insert(project, KnownProject { failed_ms: Some(env.now_ms()), ..known });
    }
    as_far_as_known(projects.get(project).as_ref(), env.now_ms())
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Says, Scripted, UnderWay, config};
    use super::super::{Claims, Registry, Scope, answer_when_lost, mint, picked_headers, serve, serve_inner};
    use super::*;
    use crate::protocol::project::ProjectKey;
    use crate::protocol::{CachePolicy, Headers, Method, ProjectMode, header};
    use crate::runtime::{Isolate as _, Past, Request};

    /// A key of 32 times this byte.
    fn key(id: &str, byte: u8) -> ProjectKey {
        ProjectKey { id: id.to_owned(), secret: vec![byte; 32], created_ms: 0 }
    }

    fn ring(key: &ProjectKey) -> KeyRing {
        KeyRing::of([(key.id.as_str(), key.secret.as_slice())].into_iter()).expect("a key")
    }

    /// An edge with a registry, whose operator has a key of ones.
    fn multi() -> EdgeConfig {
        let registry = Registry { root: Some(ring(&key("root", 1))), default: None, front_varies: false };
        let (access, origins) = (Access::Projects, Origins::NotConfigured);
        EdgeConfig { access, origins, registry: Some(registry), projects: ProjectMode::Multi, ..config() }
    }

    fn token(key: &ProjectKey, project: &str) -> String {
        let claims = Claims {
            project: project.to_owned(),
            scope: Scope::Manage,
            expires_s: 1_000_000_000,
            begins_s: None,
            stream: None,
            stream_id: None,
        };
        mint(&ring(key), &claims).expect("a token")
    }

    fn publish(env: &Scripted, project: &str, version: u64, keys: &[&ProjectKey], origins: &[&str]) {
        let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let record = ProjectRecord {
            version,
            keys: keys.iter().map(|key| (*key).clone()).collect(),
            origins,
            is_deleted: keys.is_empty(),
        };
        env.kv_store().texts.borrow_mut().insert(project.to_owned(), (record.encode(), String::new()));
    }

    /// The answer to a GET with this token, and what was noted meanwhile.
    fn get(env: &Scripted, config: &EdgeConfig, target: &str, token: Option<&str>) -> (Response, Vec<String>) {
        ask(env, config, Method::Get, target, token, &[])
    }

    fn ask(
        env: &Scripted,
        config: &EdgeConfig,
        method: Method,
        target: &str,
        token: Option<&str>,
        fields: &[(&'static str, &str)],
    ) -> (Response, Vec<String>) {
        let (mut headers, past) = (Headers::default(), Past::default());
        token.into_iter().for_each(|token| headers.push(header::AUTHORIZATION, format!("Bearer {token}")));
        fields.iter().for_each(|(name, value)| headers.push(*name, *value));
        let url = format!("http://localhost{target}");
        let before = env.notes().len();
        env.forget_answer();
        Scripted::run(serve(env, config, Request { method, url, headers, body: None, past })).expect("no wait");
        (env.answered().expect("an answer"), env.notes().split_off(before))
    }

    fn pages(count: usize) -> Vec<Says> {
        (0..count).map(|_| Says::Reply(Response::new(200))).collect()
    }

    #[test]
    fn each_project_has_its_own_keys_and_streams() {
        let (a, b) = (key("a", 2), key("b", 3));
        let env = Scripted::new(pages(9));
        publish(&env, "p", 1, &[&a], &[]);
        publish(&env, "q", 1, &[&b], &[]);
        for (target, signer, project, expected) in [
            ("/v1/stream/p/s", &a, "p", 200),
            ("/v1/stream/q/s", &b, "q", 200),
            ("/v1/stream/q/s", &a, "p", 401),
            ("/v1/stream/p/s", &b, "q", 401),
            // Whoever signs says of whose project he likes, but has no key of it.
            ("/v1/stream/q/s", &a, "q", 401),
            ("/v1/stream/p/s", &a, "q", 403),
            ("/v1/stream/%70/s", &a, "p", 200),
            ("/v1/stream/p%2Fs", &a, "p", 200),
            // The operator of the deployment reads no streams.
            ("/v1/stream/p/s", &key("root", 1), "p", 401),
            ("/v1/stream/p/s", &key("root", 1), "_root", 401),
            ("/v1/stream/none/s", &a, "none", 401),
        ] {
            let (answer, notes) = get(&env, &multi(), target, Some(&token(signer, project)));
            assert_eq!(answer.status, expected, "{target} {project}");
            let name = format!("call {}/s", if target.contains('q') { "q" } else { "p" });
            assert_eq!(notes.contains(&name), expected == 200, "{target} {project}: {notes:?}");
        }
    }

    #[test]
    fn a_project_that_there_is_not_lets_nobody_in_and_wakes_nothing() {
        let env = Scripted::new(pages(9));
        publish(&env, "gone", 3, &[], &[]);
        for project in ["none", "gone"] {
            let target = format!("/v1/stream/{project}/s");
            let (answer, notes) = get(&env, &multi(), &target, None);
            assert_eq!((answer.status, notes.iter().any(|note| note.starts_with("call"))), (401, false));
            assert_eq!(env.looks(), 0, "no cache is looked up");
            for byte in 0..4 {
                let (answer, notes) = get(&env, &multi(), &target, Some(&token(&key("", byte), project)));
                // The last one is signed by the key that stands for one that nobody has; here randomness is zeros.
                assert_eq!((answer.status, notes.iter().any(|note| note.starts_with("call"))), (401, false), "{byte}");
            }
        }
        // Of one that is there, a stranger may ask for what is public.
        publish(&env, "p", 1, &[&key("a", 2)], &[]);
        let (answer, notes) = get(&env, &multi(), "/v1/stream/p/s", None);
        assert_eq!((answer.status, notes.iter().any(|note| note == "call p/s")), (200, true));
    }

    #[test]
    fn kv_is_asked_every_thirty_seconds_and_for_what_there_is_not_every_five() {
        let a = key("a", 2);
        let env = Scripted::new(pages(99));
        publish(&env, "p", 1, &[&a], &[]);
        let asks = |project: &str, passed_ms: u64| {
            env.pass_ms(passed_ms);
            let (_, notes) = get(&env, &multi(), &format!("/v1/stream/{project}/s"), Some(&token(&a, project)));
            notes.contains(&format!("kv get {project}"))
        };
        for (passed_ms, expected) in [(0, true), (0, false), (29_999, false), (1, true), (1, false)] {
            assert_eq!(asks("p", passed_ms), expected, "{passed_ms}");
        }
        for (passed_ms, expected) in [(0, true), (0, false), (4_999, false), (1, true)] {
            assert_eq!(asks("none", passed_ms), expected, "{passed_ms}");
        }
    }

    #[test]
    fn a_change_holds_once_kv_tells_it_and_is_not_taken_back() {
        let (old, new) = (key("old", 2), key("new", 3));
        let env = Scripted::new(pages(99));
        let is_let_in =
            |key: &ProjectKey| get(&env, &multi(), "/v1/stream/p/s", Some(&token(key, "p"))).0.status == 200;
        publish(&env, "p", 1, &[&old], &[]);
        assert_eq!((is_let_in(&old), is_let_in(&new)), (true, false));
        publish(&env, "p", 2, &[&new], &[]);
        assert_eq!((is_let_in(&old), is_let_in(&new)), (true, false), "it is known for a while");
        env.pass_ms(PROJECT_FRESH_MS);
        assert_eq!((is_let_in(&old), is_let_in(&new)), (false, true));
        // KV tells what was before, or that there was nothing.
        publish(&env, "p", 1, &[&old], &[]);
        env.pass_ms(PROJECT_FRESH_MS);
        assert_eq!((is_let_in(&old), is_let_in(&new)), (false, true));
        env.kv_store().texts.borrow_mut().clear();
        env.pass_ms(PROJECT_FRESH_MS);
        assert_eq!((is_let_in(&old), is_let_in(&new)), (false, true));
        // What it goes on to tell for ten minutes is so.
        env.pass_ms(PROJECT_OLD_MS);
        assert_eq!((is_let_in(&old), is_let_in(&new)), (false, false));
    }

    #[test]
    fn while_kv_is_down_what_was_known_holds_for_ten_minutes() {
        let a = key("a", 2);
        let env = Scripted::new(pages(99));
        let status = |project: &str| {
            let token = token(&a, project);
            let (answer, notes) = get(&env, &multi(), &format!("/v1/stream/{project}/s"), Some(&token));
            (answer.status, notes.contains(&format!("kv get {project}")))
        };
        publish(&env, "p", 1, &[&a], &[]);
        assert_eq!(status("p"), (200, true));
        env.kv_store().is_down.set(true);
        let began_ms = env.now_ms();
        env.pass_ms(PROJECT_FRESH_MS);
        assert_eq!(status("p"), (200, true));
        // It is not asked by each request, which would wait for it.
        assert_eq!(status("p"), (200, false));
        env.pass_ms(PROJECT_RETRY_MS);
        assert_eq!(status("p"), (200, true));
        env.pass_ms(PROJECT_OLD_MS - (env.now_ms() - began_ms) - PROJECT_READ_MS - 1);
        assert_eq!(status("p").0, 200);
        env.pass_ms(PROJECT_RETRY_MS);
        assert_eq!(status("p"), (503, true));
        assert_eq!(status("other"), (503, true));
        env.kv_store().is_down.set(false);
        assert_eq!(status("p"), (200, true));
        env.kv_store().texts.borrow_mut().insert("odd".to_owned(), ("{}".to_owned(), String::new()));
        assert_eq!(status("odd").0, 503);
    }

    #[test]
    fn origins_are_those_of_the_project() {
        // Whatever the deployment has, a host has to look for who asks.
        assert!(picked_headers(&multi()).any(|name| name == header::ORIGIN));
        let env = Scripted::new(pages(99));
        publish(&env, "p", 1, &[&key("a", 2)], &["https://a.test"]);
        publish(&env, "q", 1, &[&key("a", 2)], &["*"]);
        publish(&env, "r", 1, &[&key("a", 2)], &[]);
        let allowed = |target: &str, method: Method, origin: &str| {
            let (answer, _) = ask(&env, &multi(), method, target, None, &[(header::ORIGIN, origin)]);
            answer.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).map(str::to_owned)
        };
        for method in [Method::Get, Method::Options] {
            for (target, origin, expected) in [
                ("/v1/stream/p/s", "https://a.test", Some("https://a.test")),
                ("/v1/stream/p/s", "https://b.test", None),
                ("/v1/stream/q/s", "https://b.test", Some("*")),
                ("/v1/stream/r/s", "https://a.test", None),
                ("/v1/stream/none/s", "https://a.test", None),
                ("/v1/projects/p", "https://a.test", Some("https://a.test")),
            ] {
                assert_eq!(allowed(target, method, origin).as_deref(), expected, "{method:?} {target} {origin}");
            }
        }
    }

    #[test]
    fn the_origins_of_the_deployment_are_those_of_its_default_project_alone() {
        let mut config = multi();
        config.registry.as_mut().expect("a registry").default = Some(ring(&key("own", 4)));
        config.origins = Origins::Any;
        let env = Scripted::new(pages(99));
        publish(&env, "p", 1, &[&key("a", 2)], &[]);
        env.kv_store().texts.borrow_mut().insert("odd".to_owned(), ("{}".to_owned(), String::new()));
        let allowed = |response: &Response| response.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_some();
        for (target, status, is_default) in [
            ("/v1/stream/_default/s", 200, true),
            ("/v1/stream/%5fdefault/s", 200, true),
            ("/v1/projects/_default/reader-keys/s", 405, true),
            ("/v1/projects", 401, true),
            ("/nowhere", 404, true),
            ("/v1/stream/p/s", 200, false),
            // Who asks does not learn whether there is a project.
            ("/v1/stream/none/s", 401, false),
            ("/v1/stream/odd/s", 503, false),
            ("/v1/projects/odd", 503, false),
        ] {
            let (answer, _) = get(&env, &config, target, None);
            assert_eq!((answer.status, allowed(&answer)), (status, is_default), "{target}");
            let lost = answer_when_lost(&config, &format!("https://t.test{target}"), &Headers::default());
            // Nobody knows then what a project's own are.
            assert_eq!((lost.status, allowed(&lost)), (500, is_default), "{target}");
        }
        // Without keys of the deployment it is a project like others.
        config.registry.as_mut().expect("a registry").default = None;
        let (answer, _) = get(&env, &config, "/v1/stream/_default/s", None);
        assert_eq!((answer.status, allowed(&answer)), (401, false));
    }

    #[test]
    fn the_keys_of_the_deployment_are_those_of_its_default_project() {
        let own = key("own", 4);
        let mut config = multi();
        config.registry.as_mut().expect("a registry").default = Some(ring(&own));
        config.origins = Origins::Any;
        let env = Scripted::new(pages(9));
        publish(&env, "_default", 1, &[&key("other", 5)], &[]);
        let (answer, notes) = get(&env, &config, "/v1/stream/_default/a/b", Some(&token(&own, "_default")));
        assert_eq!((answer.status, notes.first().map(String::as_str)), (200, Some("call _default/a/b")));
        assert_eq!(answer.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
        let (answer, _) = get(&env, &config, "/v1/stream/_default/a/b", Some(&token(&key("other", 5), "_default")));
        assert_eq!(answer.status, 401);
        // Without them it is a project like others.
        let (answer, _) = get(&env, &multi(), "/v1/stream/_default/a", Some(&token(&key("other", 5), "_default")));
        assert_eq!(answer.status, 200);
    }

    #[test]
    fn what_names_no_project_asks_nobody() {
        let env = Scripted::new([]);
        for (target, expected) in [
            ("/health", 200),
            ("/", 404),
            ("/v1/stream/", 400),
            ("/v1/stream/__ds/x", 400),
            ("/v1/stream/a.b/x", 400),
            ("/v1/stream/%ff/x", 400),
            ("/v1/projects/a.b", 400),
        ] {
            let root = token(&key("root", 1), "_root");
            let (answer, notes) = get(&env, &multi(), target, Some(&root));
            assert_eq!((answer.status, notes), (expected, vec![]), "{target}");
        }
    }

    #[test]
    fn a_browser_that_comes_back_while_nobody_knows_its_project_is_told_to_come_again() {
        let env = Scripted::new([]);
        env.kv_store().is_down.set(true);
        let last = (header::LAST_EVENT_ID, "0000000000000000_0000000000000005");
        let target = "/v1/stream/p/s?offset=now&live=sse";
        let (answer, _) = ask(&env, &multi(), Method::Get, target, None, &[last]);
        assert_eq!((answer.status, answer.body.starts_with(b"retry:")), (200, true));
        let (answer, _) = get(&env, &multi(), target, None);
        assert_eq!((answer.status, answer.headers.get(header::RETRY_AFTER)), (503, Some("1")));
    }

    #[test]
    fn the_inner_entrypoint_checks_nothing_anew() {
        let env = Scripted::new(pages(1));
        let policy = CachePolicy::named("gateway").expect("a policy");
        let config = EdgeConfig { policy, ..multi() };
        let (url, past) = ("http://localhost/v1/stream/p/s?offset=-1".to_owned(), Past::default());
        let request = Request { method: Method::Get, url, headers: Headers::default(), body: None, past };
        Scripted::run(serve_inner(&env, &config, request)).expect("no wait");
        assert_eq!(env.answered().map(|answer| answer.status), Some(200));
        assert_eq!(env.notes(), ["call p/s"]);
    }

    #[test]
    fn requests_that_come_at_once_ask_kv_once() {
        let a = key("a", 2);
        for lands in [true, false] {
            let brings = lands.then(|| Response::new(204));
            let env = Scripted::new(pages(1)).with_flights([UnderWay { brings, age_ms: 500, ..UnderWay::default() }]);
            let began_ms = env.now_ms();
            publish(&env, "p", 1, &[&a], &[]);
            let tenant = Some(Rc::new(Tenant { version: 1, keys: ring(&a), origins: Origins::Any }));
            let read_ms = env.now_ms() - PROJECT_FRESH_MS;
            env.known_projects().insert("p", KnownProject { tenant, read_ms, failed_ms: None });
            let (answer, notes) = get(&env, &multi(), "/v1/stream/p/s", Some(&token(&a, "p")));
            assert_eq!(answer.status, 200);
            assert_eq!(
                env.now_ms() - began_ms,
                if lands { 0 } else { PROJECT_READ_MS - 500 },
                "it waits as long as KV may take"
            );
            let asked: &[&str] = if lands { &["call p/s"] } else { &["give up", "kv get p", "call p/s"] };
            assert_eq!(notes.iter().map(String::as_str).take(asked.len()).collect::<Vec<_>>(), asked);
        }
    }
}
