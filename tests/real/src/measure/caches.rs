//! What is seen of caches from outside: of the one at the edge, how late its entries are visible; of one in front, of how
//! many nodes it consists, and for how long its lock lasts.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow, ensure};
use xtask::project::say;

use super::figures::Figures;
use super::site::{From, Site};

/// How many answers are stored, and looked for.
const SAMPLES: u64 = 20;

/// After which time an answer is taken not to be stored.
const NEVER: Duration = Duration::from_secs(2);

/// How many connections ask for one key, one after the other.
const CONNECTIONS: u64 = 64;

/// How many connections wait for one answer together, for each node of the cache.
const WAITING: u64 = 4;

/// How long they wait, in ms, each time that the lock has lasted.
const WAITS_MS: [u64; 5] = [1_000, 2_000, 4_000, 8_000, 16_000];

/// URLs that nobody has asked for, of a long-poll at a stream that has something to tell, or waits: each has a cursor of
/// its own. What it is told is fresh for 20 s for every cache.
struct Keys {
    path: String,
    offset: String,
    cursor: u64,
}

impl Keys {
    fn of(path: &str, offset: &str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Cursors are times in ms: those of an hour ago are nobody's.
        let cursor = since.as_millis() as u64 - 3_600_000;
        Self { path: path.to_owned(), offset: offset.to_owned(), cursor }
    }

    fn next(&mut self) -> String {
        self.cursor += 1;
        format!("{}?offset={}&live=long-poll&cursor={}", self.path, self.offset, self.cursor)
    }
}

/// Looks for all of it.
pub(super) fn measure(site: &Site, figures: &mut Figures) -> Result<()> {
    let path = site.create("caches")?;
    let mut writer = site.connect()?;
    site.append(&mut writer, &path, r#"{"n":0}"#)?;
    let mut keys = Keys::of(&path, "-1");
    say("how late what is stored at the edge can be seen");
    visible(site, &mut keys, figures)?;
    say("how many nodes a cache in front has");
    let Some(nodes) = nodes(site, &mut keys, figures)? else {
        figures.miss("front.lock_wait_ms", "no cache that stores stands in front");
        return Ok(());
    };
    say("for how long the lock of the cache in front lasts");
    lock_wait(site, nodes, figures)
}

/// Stores answers, and asks until they come from the cache: from the end of the first answer to the beginning of the
/// question that was a HIT, which is as late as can be seen from here.
fn visible(site: &Site, keys: &mut Keys, figures: &mut Figures) -> Result<()> {
    let mut connection = site.connect()?;
    let mut seen_ms = Vec::new();
    let mut in_front = false;
    for _ in 0..SAMPLES {
        let key = keys.next();
        let first = site.get(&mut connection, &key)?;
        ensure!(first.status == 200, "GET {key} was answered {}", first.status);
        let stored = Instant::now();
        while stored.elapsed() < NEVER {
            let asked = stored.elapsed();
            match From::of(&site.get(&mut connection, &key)?) {
                From::Edge => {
                    seen_ms.push(asked.as_millis() as u64);
                    break;
                }
                From::Front => {
                    in_front = true;
                    break;
                }
                From::Object { .. } => thread::sleep(Duration::from_millis(1)),
            }
        }
        if seen_ms.is_empty() {
            break;
        }
    }
    match (seen_ms.iter().min(), seen_ms.iter().max()) {
        (Some(min), Some(max)) => {
            figures.see("cache.visible_ms.min", *min);
            figures.see("cache.visible_ms.max", *max);
        }
        _ => {
            let why = match in_front {
                true => "a cache in front has answered before the one at the edge could",
                false => "no HIT of the edge was seen: its policy keeps no such answer, or its name has no zone",
            };
            figures.miss("cache.visible_ms.min", why);
            figures.miss("cache.visible_ms.max", why);
        }
    }
    Ok(())
}

/// Asks for one key by many connections, one after the other: each node of a cache in front misses once. Returns how
/// many these are, if there is such a cache.
fn nodes(site: &Site, keys: &mut Keys, figures: &mut Figures) -> Result<Option<u64>> {
    let key = keys.next();
    let (mut misses, mut hits) = (0, 0_u64);
    for _ in 0..CONNECTIONS {
        match From::of(&site.get(&mut site.connect()?, &key)?) {
            From::Front => hits += 1,
            From::Object { through_front: true } => misses += 1,
            From::Edge | From::Object { through_front: false } => {}
        }
    }
    if hits == 0 {
        figures.miss("front.nodes", "no cache that stores stands in front (no Cf-Cache-Status: HIT)");
        return Ok(None);
    }
    figures.see("front.nodes", misses);
    Ok(Some(misses))
}

/// Has several connections wait for one answer together, each time longer. As long as the lock lasts, one of them has
/// asked the Worker for each node; once it has timed out, more have.
fn lock_wait(site: &Site, nodes: u64, figures: &mut Figures) -> Result<()> {
    let mut held_ms = None;
    for wait_ms in WAITS_MS {
        let path = site.create(&format!("lock-{wait_ms}"))?;
        let key = Keys::of(&path, "-1").next();
        let mut writer = site.connect()?;
        let froms = thread::scope(|scope| -> Result<Vec<From>> {
            let ask = || -> Result<From> { Ok(From::of(&site_get(site, &key)?)) };
            let asking: Vec<_> = (0..WAITING * nodes.max(1)).map(|_| scope.spawn(ask)).collect();
            thread::sleep(Duration::from_millis(wait_ms));
            let appended = site.append(&mut writer, &path, r#"{"n":0}"#);
            let told = asking.into_iter().map(|asks| asks.join().unwrap_or_else(|_| Err(anyhow!("it has panicked"))));
            let told = told.collect();
            appended?;
            told
        })?;
        let misses = froms.iter().filter(|from| !matches!(from, From::Front)).count() as u64;
        if misses > nodes.max(1) {
            match held_ms {
                Some(held_ms) => figures.see("front.lock_wait_ms", held_ms),
                None => figures.miss("front.lock_wait_ms", format!("nothing is shared, not even for {wait_ms} ms")),
            }
            return Ok(());
        }
        held_ms = Some(wait_ms);
    }
    let longest_ms = WAITS_MS.last().copied().unwrap_or_default();
    figures.miss("front.lock_wait_ms", format!("longer than {longest_ms} ms, which is as long as a long-poll shows"));
    Ok(())
}

/// What a GET on a connection of its own is answered.
fn site_get(site: &Site, path: &str) -> Result<xtask::http::Reply> {
    site.get(&mut site.connect()?, path)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Condvar, Mutex};

    use xtask::http::Wire;
    use xtask::project::Project;

    use super::*;

    /// A cache in front of so many nodes, which connections reach in turn, and whose lock lasts for so long.
    struct Front {
        nodes: usize,
        lock: Duration,
        state: Mutex<State>,
        written: Condvar,
    }

    #[derive(Default)]
    struct State {
        /// The paths of streams that have a message.
        written: BTreeSet<String>,
        /// The keys that a node has, or has asked for.
        asked: BTreeMap<(usize, String), ()>,
    }

    impl Front {
        /// Starts it, and measures it.
        fn measured(nodes: usize, lock_ms: u64) -> Figures {
            let lock = Duration::from_millis(lock_ms);
            let front = Arc::new(Self { nodes, lock, state: Mutex::default(), written: Condvar::new() });
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            thread::spawn(move || {
                for (number, stream) in listener.incoming().enumerate() {
                    let front = front.clone();
                    thread::spawn(move || front.serve(number % front.nodes, stream.unwrap()));
                }
            });
            let site = Site::open(&Project::find().unwrap(), &url, None).unwrap();
            let mut figures = Figures::default();
            measure(&site, &mut figures).unwrap();
            figures
        }

        fn serve(&self, node: usize, stream: TcpStream) -> Result<()> {
            let mut wire = Wire::new(stream, None)?;
            while let Some(head) = wire.head()? {
                wire.body(&head)?;
                let mut words = head.first().split(' ');
                let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                let (status, told) = match method {
                    "PUT" => ("201 Created", "DYNAMIC"),
                    "GET" => ("200 OK", self.get(node, target)),
                    "POST" => {
                        self.state.lock().unwrap().written.insert(target.to_owned());
                        self.written.notify_all();
                        ("204 No Content", "DYNAMIC")
                    }
                    _ => ("204 No Content", "DYNAMIC"),
                };
                let answer = format!("HTTP/1.1 {status}\r\ncf-cache-status: {told}\r\ncontent-length: 0\r\n\r\n");
                wire.write(answer.as_bytes())?;
            }
            Ok(())
        }

        /// Waits for the stream's message. Who is the first at its node asks for it, and who has waited for too long.
        fn get(&self, node: usize, target: &str) -> &'static str {
            let path = target.split('?').next().unwrap_or_default();
            let mut state = self.state.lock().unwrap();
            let is_first = state.asked.insert((node, target.to_owned()), ()).is_none();
            let began = Instant::now();
            while !state.written.contains(path) {
                state = self.written.wait(state).unwrap();
            }
            if is_first || began.elapsed() > self.lock { "MISS" } else { "HIT" }
        }
    }

    #[test]
    fn nodes_are_counted_and_the_lock_is_the_longest_time_that_was_shared() {
        for (nodes, lock_ms, held_ms) in [(1, 1_500, Some(1_000)), (3, 2_500, Some(2_000)), (3, 500, None)] {
            let figures = Front::measured(nodes, lock_ms);
            assert_eq!(figures.value("front.nodes"), Some(nodes as u64), "{figures}");
            assert_eq!(figures.value("front.lock_wait_ms"), held_ms, "{figures}");
            assert_eq!(figures.value("cache.visible_ms.min"), None, "the cache in front answers first: {figures}");
        }
    }
}
