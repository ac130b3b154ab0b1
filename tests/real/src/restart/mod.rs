//! The step `restart` of the test: everything acknowledged is there, byte for byte, although the runtime was killed
//! during appends and while segments moved to the bucket.
//!
//! Eight producers append 10 MB to one stream, whose segments are small, and repeat what was not answered. Meanwhile
//! the runtime is killed and started again on the same data, sometimes while a put is under way. The object of such a
//! put is stored and never recorded, and has to be swept.
//!
//! | module | noun |
//! | --- | --- |
//! | `ledger` | what was acknowledged, and what reads must return |
//! | `producer` | one producer, which repeats each append until it is acknowledged |
//! | `reader` | reads, whose pages are compared with the ledger |

mod ledger;
mod producer;
mod reader;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use xtask::http::Connection;
use xtask::project::{Project, create_dir, remove_dir, say};
use xtask::setup::node::Node;

use self::ledger::Ledger;
use crate::Built;
use crate::bucket::{Bucket, Hold};
use crate::cold::Cold;
use crate::workerd::{self, Workerd};

/// Everything is appended to this stream.
const STREAM: &str = "/v1/stream/restart";
const PRODUCERS: u64 = 8;
/// Messages of each producer: 10 MB together.
const MESSAGES: u64 = 125;
/// Bytes of a message.
const MESSAGE_BYTES: usize = 10_000;
/// Reads from random acknowledged offsets.
const READS: usize = 500;
/// How long an answer may take: the runtime answers at once, except while it is killed.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Everything together takes a tenth of this.
const LIMIT: Duration = Duration::from_secs(120);

/// When the runtime is killed: once so many appends are acknowledged, and then, if it says so, inside the next put.
struct Kill {
    acknowledged: usize,
    inside_put: Option<Hold>,
}

const KILLS: [Kill; 5] = [
    Kill { acknowledged: 50, inside_put: None },
    Kill { acknowledged: 200, inside_put: Some(Hold::BeforeAnswered) },
    Kill { acknowledged: 400, inside_put: Some(Hold::BeforeStored) },
    Kill { acknowledged: 600, inside_put: None },
    Kill { acknowledged: 750, inside_put: Some(Hold::BeforeAnswered) },
];
/// How many more appends than are waited for the producers may make: enough to seal another segment, and so few that
/// some are left for every kill.
const AHEAD: usize = 120;
/// How many appends must be acknowledged while a put is held, which shows that no append waits for the bucket.
const MEANWHILE: usize = 10;

/// The running runtime, and what its producers have been told.
struct Site<'a> {
    project: &'a Project,
    node: &'a Node,
    options: workerd::Options<'a>,
    bucket: Arc<Bucket>,
    host: Mutex<String>,
    ledger: Mutex<Ledger>,
    /// The number of acknowledgements at which the producers pause.
    quota: AtomicUsize,
    deadline: Instant,
    /// Whether a part has failed: then all others stop too.
    failed: AtomicBool,
}

/// Runs the step against a built Worker.
pub(crate) fn run(project: &Project, built: &Built) -> Result<()> {
    let Built { node, worker } = built;
    let state = project.generated(&format!("run/{}-restart", std::process::id()));
    create_dir(&state)?;
    let bindings =
        &[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_SEGMENT_BYTES", "1048576"), ("TAILRACE_ORPHAN_AGE_MS", "8000")];
    let site = Site {
        project,
        node,
        options: workerd::Options {
            name: "restart",
            bindings,
            state: Some(state.clone()),
            ..workerd::Options::of(worker)
        },
        bucket: Arc::new(Bucket::start()?),
        host: Mutex::default(),
        ledger: Mutex::default(),
        quota: AtomicUsize::new(0),
        deadline: Instant::now() + LIMIT,
        failed: AtomicBool::new(false),
    };
    let outcome = site.run();
    remove_dir(&state)?;
    outcome
}

impl Site<'_> {
    fn run(&self) -> Result<()> {
        let server = self.start()?;
        self.create()?;
        say(&format!("{PRODUCERS} producers append {} messages", PRODUCERS * MESSAGES));
        let (server, orphans) = thread::scope(|scope| {
            let append = |id| scope.spawn(move || self.noted(producer::run(self, id)));
            let producers: Vec<_> = (0..PRODUCERS).map(append).collect();
            let killed = self.noted(self.kill_again_and_again(server));
            for producer in producers {
                producer.join().map_err(|_| anyhow!("a producer has panicked"))??;
            }
            killed
        })?;
        self.wait_until_tidy(&orphans)?;
        drop(server);
        // The reads go to an instance that has written nothing of what it reads.
        let server = self.start()?;
        let ledger = self.ledger();
        reader::read_everything(server.host(), &ledger)?;
        reader::read_pages(server.host(), &ledger, READS)?;
        println!(
            "{} messages of {MESSAGE_BYTES} bytes survived {} kills, {} of them inside a put: read from the start and \
             from {READS} acknowledged offsets, {} objects in the bucket, {} orphans swept",
            ledger.len(),
            KILLS.len(),
            orphans.len(),
            self.bucket.keys().len(),
            self.bucket.counts().deleted,
        );
        Ok(())
    }

    fn start(&self) -> Result<Workerd> {
        let server = Workerd::start_with(self.project, self.node, &self.options, Arc::clone(&self.bucket))?;
        server.host().clone_into(&mut self.host.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(server)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to the runtime that runs now.
    fn connect(&self) -> Result<Connection> {
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Connection::open(&host, ANSWER_LIMIT)
    }

    fn create(&self) -> Result<()> {
        let mut connection = self.connect()?;
        let request = connection.request("PUT", STREAM, &[("content-type", "application/json")], b"");
        let reply = connection.send(&request)?;
        if reply.status != 201 {
            bail!("PUT {STREAM} was answered {}", reply.status);
        }
        Ok(())
    }

    /// Kills the runtime as planned. Returns the runtime that runs after that, and the keys of the puts under way at
    /// kills.
    fn kill_again_and_again(&self, mut server: Workerd) -> Result<(Workerd, Vec<String>)> {
        let mut orphans = Vec::new();
        for Kill { acknowledged, inside_put } in &KILLS {
            self.wait_for_appends(*acknowledged)?;
            if let Some(hold) = inside_put {
                self.bucket.hold(*hold);
                let key = self.bucket.wait_until_held(LIMIT / 4);
                orphans.push(key.context("no segment was put, though several were sealed")?);
                let before = self.ledger().len();
                self.wait_for_appends(before + MEANWHILE).context("appends do not go on while a put is held")?;
            }
            server.kill();
            server = self.start()?;
            // A put that was held before it was stored is stored now, while another instance runs.
            self.bucket.release();
        }
        self.quota.store(usize::MAX, Ordering::Relaxed);
        Ok((server, orphans))
    }

    /// Waits until this many appends are acknowledged; the producers go on for [`AHEAD`] more.
    fn wait_for_appends(&self, acknowledged: usize) -> Result<()> {
        self.quota.fetch_max(acknowledged + AHEAD, Ordering::Relaxed);
        self.wait_until(|| self.ledger().len() >= acknowledged)
            .with_context(|| format!("not even {acknowledged} appends are acknowledged"))
    }

    /// Waits until there is something left to append before the next kill.
    fn wait_for_quota(&self) -> Result<()> {
        self.wait_until(|| self.ledger().len() < self.quota.load(Ordering::Relaxed))
    }

    /// Waits until every sealed segment is in the bucket, and nothing else is.
    fn wait_until_tidy(&self, orphans: &[String]) -> Result<()> {
        let mut connection = self.connect()?;
        loop {
            let (cold, keys) = (Cold::of(&mut connection, STREAM)?, self.bucket.keys());
            let moved = cold.waiting == 0 && keys.len() == cold.segments;
            let swept = cold.unswept == 0 && cold.swept >= orphans.len();
            if moved && swept && orphans.iter().all(|orphan| !keys.contains(orphan)) {
                return Ok(());
            }
            self.go_on().with_context(|| {
                format!("{} orphans are not swept: {cold:?}, {} objects", orphans.len(), keys.len())
            })?;
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn wait_until(&self, mut condition: impl FnMut() -> bool) -> Result<()> {
        while !condition() {
            self.go_on()?;
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Fails if the time is up or another part has failed.
    fn go_on(&self) -> Result<()> {
        if self.failed.load(Ordering::Relaxed) {
            bail!("another part has failed");
        }
        if Instant::now() > self.deadline {
            bail!("{} s have passed", LIMIT.as_secs());
        }
        Ok(())
    }

    /// If a part has failed, tells all others and prints why, since the step returns only one failure.
    fn noted<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.inspect_err(|error| {
            if !self.failed.swap(true, Ordering::Relaxed) {
                eprintln!("error: {error:#}");
            }
        })
    }
}
