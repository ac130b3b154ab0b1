//! A small program that shows what the world does. Its object keeps a row for each append, counts requests in memory,
//! and sends, calls and sets its alarm as it is told.
//!
//! | file | what it tests |
//! | --- | --- |
//! | `object` | the program's object |
//! | `classes` | objects of two classes |
//! | `map` | datacenters, the ways between them, and where objects are |
//! | `isolates` | which isolate serves a request, and how long it lives |
//! | `network` | latency, loss, isolates that restart |
//! | `requests` | the contexts of requests at the edge, and requests that the platform ends |
//! | `durability` | turns, the output gate, and crashes |
//! | `lifecycle` | cold start, hibernation, eviction |
//! | `sockets` | upgrades, hibernating sockets and what cuts them, the time that is billed |
//! | `superseded` | an instance that runs on beside its successor |
//! | `alarms` | the alarm service |
//! | `bucket` | R2 |
//! | `kv` | KV |
//! | `gateway` | the Worker asks its own inner entrypoint |
//! | `caches` | the cache of a datacenter |
//! | `fronts` | what stands in front of the isolates |
//! | `harms` | what faults leave behind as proof |
//! | `determinism` | the same seed does the same |

mod alarms;
mod bucket;
mod caches;
mod classes;
mod determinism;
mod durability;
mod fronts;
mod gateway;
mod harms;
mod isolates;
mod kv;
mod lifecycle;
mod map;
mod network;
mod object;
mod requests;
mod sockets;
mod superseded;

use object::ProbeObject;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;
use tailrace_core::protocol::{Address, Class, Headers, Method, Response};
use tailrace_core::runtime::{
    self, Actor, ActorState, After, AlarmFailure, Along, CallError, Called, Changes, EdgeEnv, EdgeSocket,
    HibernatingSocket, Isolate, JoinedFlight, Landing, Mark, ObjectAnswer, ObjectRequest, ObjectStore, PutCondition,
    PutOutcome, Sharing, SocketEvent, SocketState, StartedFlight, StoreError, Upgrade,
};
use tailrace_core::storage::{SqlError, SqlParam, SqlStorage};

use crate::bill::Cause;
use crate::kernel::random::Seeds;
use crate::kernel::rt;
use crate::world::{
    EdgeEnd, EdgeState, Faults, HostMutant, Lost, ObjectClass, ObjectSql, ObjectState, Program, Request, RequestBody,
    Upload, WorldConfigOf, WorldOf,
};

/// How many bytes may wait on a socket until the edge takes them.
const SOCKET_BYTES: usize = 1_000;

/// How long a client waits, in ms: longer than any answer takes that arrives at all.
const PATIENCE_MS: u64 = 30_000;
/// How long the probe's calls of R2 and of KV may take, in ms.
const LIMIT_MS: u64 = 20_000;
/// How long the probe waits for a cache, in ms.
const LOOK_LIMIT_MS: u64 = 1_000;
/// The tag of the sockets that the probe accepts.
const TAG: &str = "live";

type World = WorldOf<Probe>;

/// What tests and objects share.
#[derive(Clone, Default)]
struct Notes {
    /// When alarms went off, in virtual ms since the seed began.
    alarms_ms: Rc<RefCell<Vec<u64>>>,
    /// How many of the next alarms are to fail.
    failing_alarms: Rc<Cell<u64>>,
    /// For when the next alarm that succeeds sets another one, in ms since the Unix epoch.
    next_alarm_ms: Rc<Cell<Option<u64>>>,
    /// How long the alarm's handler takes, in ms.
    alarm_lasts_ms: Rc<Cell<u64>>,
    /// The edge's ends of accepted sockets.
    sockets: Rc<RefCell<Vec<Rc<EdgeEnd>>>>,
    /// How many waits at the edge have ended.
    finished: Rc<Cell<usize>>,
    /// How many requests have come to the edge with an entity tag.
    asked_by_tag: Rc<Cell<usize>>,
}

struct Probe;

impl Program for Probe {
    type Settings = Notes;
    type EdgeConfig = Notes;
    type Object = ProbeObject;

    fn cause(_method: Method, _url: &str) -> Cause {
        Cause::Write
    }

    fn shown(url: &str) -> Cow<'_, str> {
        Cow::Borrowed(url)
    }

    fn answer_when_lost(_notes: &Notes, _url: &str, _headers: &Headers) -> Response {
        Self::inner_when_lost()
    }

    fn inner_when_lost() -> Response {
        Response::new(500).with_body("lost")
    }

    /// The path is an object, as [`address`] reads it, and a command. Answers 503 if the object does not answer. After `connect` the test
    /// keeps the socket; after `listen` the request keeps it, and answers what comes on it. After `inner` the rest is the
    /// command for the inner entrypoint, which obeys the same ones.
    async fn serve(env: &EdgeState, notes: &Notes, request: runtime::Request<Upload>) {
        let (object, command) = request.url.split_once('/').unwrap_or((&request.url, ""));
        if let Some(rest) = command.strip_prefix("inner ") {
            let asked = match request.past.has_called {
                true => env.earlier_call().await,
                false => env.ask_inner(&format!("{object}/{rest}")).await,
            };
            return match asked {
                Ok(Called::Reply(reply)) => env.pass_on(reply, Changes::NONE),
                Ok(Called::Socket(_)) | Err(_) => env.answer(Response::new(503)),
            };
        }
        let has_tag = request.headers.get("if-none-match").is_some();
        notes.asked_by_tag.set(notes.asked_by_tag.get() + usize::from(has_tag));
        if fronts::serve(env, notes, command, has_tag).await || Self::waits(env, notes, command).await {
            return;
        }
        let connects = command.starts_with("connect") || command.starts_with("listen");
        let along = if connects { Along::Waiting { most_bytes: SOCKET_BYTES } } else { Along::Nothing };
        let called = match request.past.has_called {
            true => env.earlier_call().await,
            false => env.call(address(object), command.to_owned(), along).await,
        };
        let response = match called {
            Ok(Called::Reply(reply)) => return env.pass_on(reply, Changes::NONE),
            Ok(Called::Socket(socket)) if command.starts_with("listen") => {
                let mut heard = Vec::new();
                while let SocketEvent::Message(message) = socket.next(PATIENCE_MS).await {
                    heard.push(String::from_utf8_lossy(&message).into_owned());
                }
                Response::new(200).with_body(heard.join(","))
            }
            Ok(Called::Socket(socket)) => {
                notes.sockets.borrow_mut().push(Rc::new(socket));
                Response::new(200)
            }
            Err(CallError::Exception(message)) => Response::new(500).with_body(message),
            Err(_) => Response::new(503),
        };
        env.answer(response);
    }

    async fn serve_inner(env: &EdgeState, notes: &Notes, request: runtime::Request<Upload>) {
        Self::serve(env, notes, request).await;
    }
}

impl Probe {
    /// Commands that are answered at the edge: a wait, a flight that is shared, a socket of another request. Returns
    /// whether it was one of them.
    async fn waits(env: &EdgeState, notes: &Notes, command: &str) -> bool {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        let response = match verb {
            "sleep" | "outlive" => {
                if verb == "outlive" {
                    env.outlive_client();
                }
                env.sleep_ms(rest.parse().unwrap_or_default()).await;
                notes.finished.set(notes.finished.get() + 1);
                Response::new(200)
            }
            "store" | "store-for-no-time" => {
                let age = if verb == "store" { "public, max-age=60" } else { "no-store" };
                let answer = Response::new(200).with("cache-control", age).with_body(format!("{rest} is stored"));
                let mut fields = Headers::default();
                fields.push("x-extra", "added");
                env.store(rest, &env.keep_own(answer), &fields).await;
                Response::new(200)
            }
            "look-up" => match env.look_up(rest, LOOK_LIMIT_MS).await {
                Some(stored) => {
                    env.pass_on(stored, Changes::NONE);
                    return true;
                }
                None => Response::new(404),
            },
            "remove" => {
                env.remove(rest).await;
                Response::new(200)
            }
            "edge" => Response::new(200).with_body(kv::obey(env.kv(), rest).await),
            "edge-now" => Response::new(200).with_body(env.now_ms().to_string()),
            "share" => match env.share(rest) {
                Sharing::Started(flight) => {
                    env.sleep_ms(20).await;
                    let kept = env.keep_own(Response::new(200));
                    flight.land(&kept, 0);
                    env.answer_kept(kept, Changes::NONE);
                    return true;
                }
                Sharing::Joined { flight, .. } => match flight.landing(PATIENCE_MS / 2).await {
                    Landing::Landed { kept, .. } => {
                        env.answer_kept(kept, Changes::NONE);
                        return true;
                    }
                    Landing::Noted(_) | Landing::TimedOut => Response::new(503),
                },
            },
            "borrow" => {
                let socket = notes.sockets.borrow().first().cloned();
                let Some(socket) = socket else { return false };
                let event = socket.next(PATIENCE_MS).await;
                Response::new(200).with_body(if event == SocketEvent::Closed { "closed" } else { "heard" })
            }
            _ => return false,
        };
        env.answer(response);
        true
    }
}

/// The object that is written so: `project x` is of another class than `x`.
fn address(object: &str) -> Address<'_> {
    object.strip_prefix("project ").map_or(Address::stream(object), Address::project)
}

/// Runs `test` in a world of the probe with these faults.
fn run<T, F: Future<Output = T>>(seed: u64, faults: Faults, test: impl FnOnce(World, Notes) -> F) -> T {
    run_mutated(seed, faults, None, test)
}

/// Runs `test` in a world of the probe with these faults and a known bug of the host.
fn run_mutated<T, F: Future<Output = T>>(
    seed: u64,
    faults: Faults,
    host_mutant: Option<HostMutant>,
    test: impl FnOnce(World, Notes) -> F,
) -> T {
    run_configured(seed, faults, |config| config.host_mutant = host_mutant, test)
}

/// Runs `test` in a world of the probe with these faults, which `configure` changes.
fn run_configured<T, F: Future<Output = T>>(
    seed: u64,
    faults: Faults,
    configure: impl FnOnce(&mut WorldConfigOf<Probe>),
    test: impl FnOnce(World, Notes) -> F,
) -> T {
    let seeds = Seeds::of(seed);
    rt::block_on(seeds.schedule, async move {
        let notes = Notes::default();
        let (settings, edge) = (notes.clone(), notes.clone());
        let (colos, isolates, host_mutant) = (Vec::new(), 3, None);
        let mut config = WorldConfigOf { faults, settings, edge, colos, isolates, host_mutant, front_bug: None, seeds };
        configure(&mut config);
        test(World::new(config), notes).await
    })
}

/// Sends an object a command.
async fn ask(world: &World, object: &str, command: &str) -> Result<Response, Lost> {
    let url = format!("{object}/{command}");
    let request = Request { method: Method::Post, url, headers: Headers::default(), body: RequestBody::Empty };
    world.request(request, PATIENCE_MS).await
}

/// The answer of an object to a command, which must be a 200.
async fn answer(world: &World, object: &str, command: &str) -> String {
    let response = ask(world, object, command).await.expect("an answer");
    assert_eq!(response.status, 200, "{command}: {:?}", response.body);
    String::from_utf8_lossy(&response.body).into_owned()
}

/// The texts of the messages that have arrived on a socket, and `closed` if it has ended.
async fn heard(socket: &EdgeEnd) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        match socket.next(0).await {
            SocketEvent::Message(message) => heard.push(String::from_utf8_lossy(&message).into_owned()),
            SocketEvent::Closed => {
                heard.push("closed".to_owned());
                return heard;
            }
            SocketEvent::Overflowed => {
                heard.push("overflowed".to_owned());
                return heard;
            }
            SocketEvent::TimedOut => return heard,
        }
    }
}

/// Whether the object has answered, and not the edge in its place.
fn is_answered(outcome: &Result<Response, Lost>) -> bool {
    outcome.as_ref().is_ok_and(|response| response.status == 200)
}

/// Virtual ms since the seed began.
fn elapsed_ms() -> u64 {
    rt::now_ns() / 1_000_000
}

/// Checks how many of 100 cases a knob of so many permille has hit: none, all, or something in between.
fn check_share(permille: u32, of_hundred: usize) {
    match permille {
        0 => assert_eq!(of_hundred, 0),
        1000 => assert_eq!(of_hundred, 100),
        _ => assert!((5..=95).contains(&of_hundred), "{of_hundred} of 100 at {permille} permille"),
    }
}

/// Checks how many of 100 requests, one after the other, these faults reset: as many as the mark was hit, and as a knob
/// of so many permille says.
fn check_resets(permille: u32, faults: Faults, mark: Mark) {
    run(1, faults, async |world, _| {
        let mut reset = 0;
        for _ in 0..100 {
            match ask(&world, "a", "append x").await {
                Err(Lost::Reset) => reset += 1,
                outcome => assert!(is_answered(&outcome), "{outcome:?}"),
            }
        }
        check_share(permille, reset);
        assert_eq!(world.marks().count(mark), reset as u64);
    });
}

/// Knobs for never, sometimes and always.
const PERMILLES: [u32; 3] = [0, 300, 1000];
