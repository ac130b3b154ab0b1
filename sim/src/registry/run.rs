//! A plan in a world, and what everybody was told.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::future::{join, join_all};
use tailrace_core::mutant::{Mutant, activate};
use tailrace_core::protocol::{Method, ProjectMode, Response};

use super::history::{Change, Probe, RegistryHistory, Shown, What};
use super::holder::HeldKey;
use super::operator::{self, ROOT, listed, made, now_ms, request};
use super::plan::{Event, PROJECTS, Plan};
use crate::kernel::rt;
use crate::tailrace::{Access, EdgeConfig, KeyRing, Registry, Scope, Settings, World, WorldConfig};
use crate::world::{EPOCH_MS, Harm};

/// The secret of the operator of the whole deployment.
const ROOT_SECRET: &str = "cm9vdC1yb290LXJvb3Qtcm9vdC1yb290LXJvb3Qtcm8";

/// The secret of the earlier system's project, and the same as our operators would have it.
const LEFT: &str = "the earlier system's secret, of 40 bytes";
const LEFT_SECRET: &str = "dGhlIGVhcmxpZXIgc3lzdGVtJ3Mgc2VjcmV0LCBvZiA0MCBieXRlcw";

/// How long the holder of a key waits, in ms.
const PATIENCE_MS: u64 = 20_000;

/// How long it takes until everything is settled once nothing goes wrong any more, in ms: requests that wait, the last put of a
/// record, and everybody's knowledge of it.
const SETTLES_MS: u64 = 60_000 + 2 * 100_000 + 130_000;

/// A run under way.
struct Run {
    world: World,
    root: HeldKey,
    history: RefCell<RegistryHistory>,
    /// The keys of which somebody was told, in that order.
    keys: RefCell<Vec<HeldKey>>,
    /// The numbers of requests, and when they were sent, in virtual ms.
    sent: RefCell<Vec<(u64, u64)>>,
}

/// Plays a plan, with a known bug or without, and keeps everything that happens if it is to.
pub(super) fn run(plan: &Plan, bug: Option<Mutant>, keep_trace: bool) -> RegistryHistory {
    activate(bug);
    let history = rt::block_on(plan.seeds.schedule, async {
        let root = HeldKey::of("", "root", ROOT_SECRET).expect("a key");
        let run = Rc::new(Run {
            world: World::new(config(plan)),
            root,
            history: RefCell::default(),
            keys: RefCell::default(),
            sent: RefCell::default(),
        });
        let trace = run.world.trace();
        let _guard = keep_trace.then(|| trace.keep("tailrace_core"));
        if plan.is_left {
            run.leave();
        }
        let node = rt::Node::new();
        for (at_ms, event) in &plan.events {
            rt::sleep_ms(at_ms.saturating_sub(now_ms())).await;
            let (run, event) = (run.clone(), *event);
            node.spawn(async move { run.happens(event).await });
        }
        run.settle().await
    });
    activate(None);
    history
}

fn config(plan: &Plan) -> WorldConfig {
    let base = WorldConfig::of(Settings::default());
    let root = KeyRing::parse(&format!("root:{ROOT_SECRET}")).ok();
    let registry = Some(Registry { root, default: None, front_varies: false });
    let edge = EdgeConfig { access: Access::Projects, registry, projects: ProjectMode::Multi, ..base.edge.clone() };
    let (faults, colos, isolates, seeds) = (plan.faults, plan.colos.clone(), plan.isolates, plan.seeds);
    WorldConfig { edge, faults, colos, isolates, seeds, ..base }
}

impl Run {
    /// The earlier system has left a project in KV.
    fn leave(&self) {
        let text = format!(r#"{{"signingSecrets":["{LEFT}"]}}"#);
        self.world.services().kv.prepare(PROJECTS[0], &text);
        let key = HeldKey::of(PROJECTS[0], "imported-1", LEFT_SECRET).expect("a key");
        self.history.borrow_mut().left.push(key.clone());
        self.keys.borrow_mut().push(key);
    }

    async fn happens(&self, event: Event) {
        match event {
            Event::Create { project, near } => self.change(PROJECTS[project], near, What::Create).await,
            Event::Add { project, near } => self.change(PROJECTS[project], near, What::Add).await,
            Event::Delete { project, near } => self.change(PROJECTS[project], near, What::Delete).await,
            Event::Remove { project, pick, near } => self.remove(PROJECTS[project], pick, near).await,
            Event::Churn { project, pick, after_ms, near } => {
                let removes = async {
                    rt::sleep_ms(after_ms).await;
                    self.remove(PROJECTS[project], pick, near).await;
                };
                join(self.change(PROJECTS[project], near, What::Add), removes).await;
            }
            Event::RemoveAll { project, near } => self.remove_all(PROJECTS[project], near).await,
            Event::Ask { of, pick, project, near } => {
                let key = {
                    let keys = self.keys.borrow();
                    let keys: Vec<&HeldKey> = keys.iter().filter(|key| key.project == PROJECTS[of]).collect();
                    (!keys.is_empty()).then(|| keys[pick % keys.len()].clone())
                };
                if let Some(key) = key {
                    self.ask_for_stream(&key, PROJECTS[project], near).await;
                }
            }
            Event::Crash { project } => self.world.crash(&format!("project {}", PROJECTS[project])),
            Event::Supersede { project } => self.world.supersede(&format!("project {}", PROJECTS[project])),
            Event::KvDown { for_ms } => self.world.services().kv.go_down(for_ms),
            Event::Restart { isolate } => self.world.restart_isolate(isolate),
        }
    }

    /// The ids of the keys of a project of which somebody was told.
    fn ids(&self, project: &str) -> Vec<String> {
        self.keys.borrow().iter().filter(|key| key.project == project).map(|key| key.id.clone()).collect()
    }

    /// An operator removes a key, but goes on with the newest.
    async fn remove(&self, project: &str, pick: usize, near: usize) {
        let mut ids = self.ids(project);
        ids.pop();
        if !ids.is_empty() {
            let id = ids[pick % ids.len()].clone();
            self.change(project, near, What::Remove(id)).await;
        }
    }

    /// Operators who each see all keys, and remove one each.
    async fn remove_all(&self, project: &str, near: usize) {
        let Some(shown) = self.show(project, near).await else { return };
        let removals = shown.into_iter().map(|id| self.change(project, near, What::Remove(id)));
        join_all(removals).await;
    }

    /// The ids of a project's keys; `None` if there is no project, or no answer.
    async fn show(&self, project: &str, near: usize) -> Option<Vec<String>> {
        let answer = self.operate(near, Method::Get, &format!("/v1/projects/{project}")).await?;
        (answer.status == 200).then(|| listed(&answer))
    }

    /// Asks as the operator of the whole deployment. `None` if there is no answer.
    async fn operate(&self, near: usize, method: Method, path: &str) -> Option<Response> {
        let world = self.world.near(near);
        let (number, asked_ms) = (world.number(), now_ms());
        self.sent.borrow_mut().push((number, asked_ms));
        let fields = self.root.fields(ROOT, Scope::Manage, EPOCH_MS + asked_ms);
        request(&world, number, method, path, fields, operator::PATIENCE_MS).await
    }

    async fn change(&self, project: &str, near: usize, what: What) {
        let (method, path) = match &what {
            What::Create => (Method::Put, format!("/v1/projects/{project}")),
            What::Add => (Method::Post, format!("/v1/projects/{project}/keys")),
            What::Remove(id) => (Method::Delete, format!("/v1/projects/{project}/keys/{id}")),
            What::Delete => (Method::Delete, format!("/v1/projects/{project}")),
        };
        let asked_ms = now_ms();
        // Whoever reads the history while this is under way sees that it may be done.
        let place = {
            let mut history = self.history.borrow_mut();
            let (project, ended_ms) = (project.to_owned(), u64::MAX);
            history.changes.push(Change {
                project,
                what,
                asked_ms,
                ended_ms,
                status: None,
                key: None,
                usable_ms: None,
            });
            history.changes.len() - 1
        };
        let answer = self.operate(near, method, &path).await;
        let mut history = self.history.borrow_mut();
        let change = &mut history.changes[place];
        change.ended_ms = now_ms();
        change.status = answer.as_ref().map(|answer| answer.status);
        if let Some((key, usable_ms)) =
            answer.filter(|answer| answer.status == 201).and_then(|answer| made(project, &answer))
        {
            self.keys.borrow_mut().push(key.clone());
            (change.key, change.usable_ms) = (Some(key), Some(usable_ms));
        }
    }

    async fn ask_for_stream(&self, key: &HeldKey, project: &str, near: usize) {
        let world = self.world.near(near);
        let asked_ms = now_ms();
        let fields = key.fields(project, Scope::Read, EPOCH_MS + asked_ms);
        let (number, path) = (world.number(), format!("/v1/stream/{project}/s"));
        self.sent.borrow_mut().push((number, asked_ms));
        let answer = request(&world, number, Method::Get, &path, fields, PATIENCE_MS).await;
        let (project, of, key) = (project.to_owned(), key.project.clone(), key.id.clone());
        let status = answer.map(|answer| answer.status);
        let probe = Probe { project, of, key, asked_ms, ended_ms: now_ms(), status };
        self.history.borrow_mut().probes.push(probe);
    }

    /// Ends what goes wrong, waits until everything is settled, and looks at what there is.
    async fn settle(&self) -> RegistryHistory {
        self.world.calm();
        rt::sleep_ms(SETTLES_MS).await;
        self.history.borrow_mut().settled_ms = now_ms();
        for project in PROJECTS {
            let keys = self.show(project, 0).await;
            self.history.borrow_mut().shown.push(Shown { project: project.to_owned(), keys });
        }
        let keys = self.keys.borrow().clone();
        for key in &keys {
            for near in 0..3 {
                self.ask_for_stream(key, &key.project, near).await;
            }
        }
        let harms = self.world.harms();
        let mut history = self.history.take();
        let puts = harms.to_objects.iter().filter(|(_, _, harm)| *harm == Harm::KvFailed);
        let project = |object: &str| object.trim_start_matches("project ").to_owned();
        history.unsure_ms = puts.map(|(ms, object, _)| (ms - EPOCH_MS, project(object))).collect();
        history.marks = self.world.marks();
        history.trace = self.world.trace().text();
        let has_failed =
            |number: &u64| harms.to_requests.get(number).is_some_and(|harms| harms.contains(&Harm::KvFailed));
        history.failed_ms =
            self.sent.borrow().iter().filter(|(number, _)| has_failed(number)).map(|(_, ms)| *ms).collect();
        history
    }
}
