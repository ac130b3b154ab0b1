//! Part of the step `robustness`: a bucket that never answers some calls, on the real runtime. Neither readers nor the
//! alarm wait for it beyond the time limits, which the deployment sets as numbers without quotes.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use time::OffsetDateTime;
use xtask::http::{Connection, Reply};
use xtask::project::Project;

use crate::Built;
use crate::bucket::{Bucket, Hold};
use crate::cold::Cold;
use crate::workerd::{self, Workerd};

/// Time limits, as the deployment sets them below.
const READ_LIMIT: Duration = Duration::from_millis(500);
const CHANGE_LIMIT: Duration = Duration::from_millis(4_000);

/// About how long the stream lives that expires during a put: less than the limit of a put.
const LIFETIME: Duration = Duration::from_millis(2_000);

/// How long an answer may take beyond what it has to wait for.
const GRACE: Duration = Duration::from_millis(1_500);

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An append that seals its segment.
const SEALING: &[u8] = &[b'x'; 2_000];

/// A running server, and its bucket.
struct Site {
    server: Workerd,
    bucket: Arc<Bucket>,
}

/// Runs all of it against a built Worker.
pub(crate) fn run(project: &Project, built: &Built) -> Result<()> {
    let start = |name, json: &[(&str, &str)]| {
        let options = workerd::Options {
            name,
            bindings: &[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_SEGMENT_BYTES", "1000")],
            json,
            ..workerd::Options::of(&built.worker)
        };
        let bucket = Arc::new(Bucket::start()?);
        let server = Workerd::start_with(project, &built.node, &options, Arc::clone(&bucket))?;
        Ok::<_, anyhow::Error>(Site { server, bucket })
    };
    for value in ["25001", "3000.5", "true", "{}"] {
        let site = start("misconfigured", &[("TAILRACE_LONG_POLL_MS", value)])?;
        let reply = site.ask("PUT", "/v1/stream/a", b"")?;
        let told = String::from_utf8_lossy(&reply.body).into_owned();
        ensure!(reply.status == 500 && told.contains("misconfigured"), "{value}: {} {told}", reply.status);
    }
    let limits = [("TAILRACE_R2_READ_LIMIT_MS", "500"), ("TAILRACE_R2_CHANGE_LIMIT_MS", "4000")];
    let site = start("silence", &limits)?;
    site.a_get_without_an_answer_is_made_again().context("a get that is never answered")?;
    site.a_put_without_an_answer_holds_up_no_expiry().context("a put that is never answered")?;
    site.a_put_without_an_answer_is_made_again().context("a put that is never answered, twice")?;
    println!(
        "a get and two puts were never answered: the get was made again after {READ_LIMIT:?}, a stream expired \
              during a put, and the other put was made again after {CHANGE_LIMIT:?}"
    );
    Ok(())
}

impl Site {
    fn connect(&self) -> Result<Connection> {
        Connection::open(self.server.host(), PATIENCE)
    }

    fn ask_with(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Result<Reply> {
        let mut connection = self.connect()?;
        let request = connection.request(method, path, fields, body);
        connection.send(&request)
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Result<Reply> {
        self.ask_with(method, path, &[("content-type", "text/plain")], body)
    }

    /// Creates a stream whose first segment is sealed.
    fn create(&self, path: &str, expires_at: Option<&str>) -> Result<()> {
        let mut fields = vec![("content-type", "text/plain")];
        fields.extend(expires_at.map(|expires_at| ("stream-expires-at", expires_at)));
        let status = self.ask_with("PUT", path, &fields, SEALING)?.status;
        ensure!(status == 201, "PUT {path} was answered {status}");
        Ok(())
    }

    fn wait_until_cold(&self, path: &str) -> Result<()> {
        let (mut connection, start) = (self.connect()?, Instant::now());
        while Cold::of(&mut connection, path)?.waiting > 0 {
            if start.elapsed() > PATIENCE {
                bail!("{path} has a segment that is not in the bucket");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn a_get_without_an_answer_is_made_again(&self) -> Result<()> {
        let path = "/v1/stream/get";
        self.create(path, None)?;
        self.wait_until_cold(path)?;
        self.bucket.hold(Hold::Get);
        let start = Instant::now();
        let reply = self.ask("GET", &format!("{path}?offset=-1"), b"")?;
        let took = start.elapsed();
        ensure!(reply.status == 200 && reply.body == SEALING, "GET was answered {}", reply.status);
        ensure!(took >= READ_LIMIT && took < READ_LIMIT + GRACE, "it took {took:?}");
        self.bucket.release();
        Ok(())
    }

    fn a_put_without_an_answer_holds_up_no_expiry(&self) -> Result<()> {
        let path = "/v1/stream/expiry";
        self.bucket.hold(Hold::BeforeStored);
        // A whole second, which is nearer by less than one.
        let end = OffsetDateTime::now_utc() + LIFETIME;
        let (date, time) = (end.date(), end.time());
        self.create(path, Some(&format!("{date}T{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second())))?;
        let start = Instant::now();
        self.bucket.wait_until_held(PATIENCE).context("nothing was put")?;
        // It waits on a socket when its stream expires, and is told so.
        let reply = self.ask("GET", &format!("{path}?offset=now&live=long-poll"), b"")?;
        let took = start.elapsed();
        ensure!(reply.status == 404 || reply.status == 410, "the long-poll was answered {}", reply.status);
        ensure!(took < LIFETIME + GRACE, "the stream of {LIFETIME:?} has expired after {took:?}");
        self.bucket.release();
        Ok(())
    }

    fn a_put_without_an_answer_is_made_again(&self) -> Result<()> {
        let path = "/v1/stream/put";
        self.bucket.hold(Hold::BeforeStored);
        let start = Instant::now();
        self.create(path, None)?;
        let first = self.bucket.wait_until_held(PATIENCE).context("nothing was put")?;
        self.wait_until_cold(path)?;
        let took = start.elapsed();
        // The first wait after a failure is 1 s, and a quarter of that at random.
        let most = CHANGE_LIMIT + Duration::from_millis(1_250) + GRACE;
        ensure!(took >= CHANGE_LIMIT && took < most, "the segment is in the bucket after {took:?}");
        ensure!(!self.bucket.keys().contains(&first), "the first put is still held");
        let reply = self.ask("GET", &format!("{path}?offset=-1"), b"")?;
        ensure!(reply.status == 200 && reply.body == SEALING, "GET was answered {}", reply.status);
        self.bucket.release();
        Ok(())
    }
}
