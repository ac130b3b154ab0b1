//! The followers of a stream by long-polls, and its writer.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures_util::future::{join, join_all};
use tailrace_core::protocol::{CachePolicy, Headers, Method, Response, header};

use super::figures::Figures;
use super::workload::Workload;
use crate::kernel::random::Seeds;
use crate::kernel::rt;
use crate::tailrace::{Settings, World, WorldConfig};
use crate::world::{Request, RequestBody};

const STREAM: &str = "https://tailrace.test/v1/stream/followed";

/// How long a client waits for an answer, in ms.
const PATIENCE_MS: u64 = 120_000;

/// Messages at the beginning that are not counted.
const WARM_UP: u64 = 5;

/// Requests after which a follower gives up: a policy that has it ask without pause is bad enough by then.
const MOST_REQUESTS: usize = 5_000;

/// Has the followers of that workload follow a stream under this policy.
pub fn follow(policy: CachePolicy, workload: Workload) -> Figures {
    rt::block_on(workload.seed, async {
        let settings = Settings { policy, waits: policy.waits, ..Settings::default() };
        let world = World::new(WorldConfig {
            faults: Workload::faults(),
            isolates: workload.isolates,
            seeds: Seeds::of(workload.seed),
            ..WorldConfig::of(settings)
        });
        let run = Run { world, workload, noted: Rc::default() };
        run.play().await
    })
}

/// What is noted while the followers follow.
#[derive(Default)]
struct Noted {
    figures: Figures,
    /// The numbers of the followers' requests.
    requests: Vec<u64>,
    /// Whether messages are counted.
    counts: bool,
    /// Whether the run is over.
    is_over: bool,
}

#[derive(Clone)]
struct Run {
    world: World,
    workload: Workload,
    noted: Rc<RefCell<Noted>>,
}

impl Run {
    async fn play(self) -> Figures {
        let create = self.ask(self.world.number(), Method::Put, "", "").await;
        assert_eq!(create.status, 201, "{create:?}");
        let tail = create.headers.get(header::STREAM_NEXT_OFFSET).unwrap_or_default().to_owned();
        let followers = join_all((0..self.workload.followers).map(|_| self.clone().follow(tail.clone())));
        join(followers, self.write()).await;
        let mut noted = self.noted.take();
        noted.figures.delays_ms.sort_unstable();
        noted.figures
    }

    /// Calls of the object for followers so far, those of requests that were answered and go on for others among them.
    fn calls(&self) -> u64 {
        let (charges, noted) = (self.world.charges(), self.noted.borrow());
        noted.requests.iter().filter_map(|number| charges.of_requests.get(number)).map(|charge| charge.calls).sum()
    }

    async fn ask(&self, number: u64, method: Method, query: &str, body: impl Into<bytes::Bytes>) -> Response {
        let mut headers = Headers::default();
        headers.push(header::CONTENT_TYPE, "application/json");
        let request = Request { method, url: format!("{STREAM}{query}"), headers, body: RequestBody::of(body.into()) };
        self.world.request_as(number, request, PATIENCE_MS).await.expect("a world without faults answers")
    }

    /// Writes a message a second, which says when; then there is silence.
    async fn write(&self) {
        let mut calls_before = 0;
        for written in 0..self.workload.writes {
            rt::sleep_ms(1_000).await;
            let now_ms = self.world.now_ms();
            if written == WARM_UP {
                calls_before = self.calls();
                self.noted.borrow_mut().counts = true;
            }
            let appended = self.ask(self.world.number(), Method::Post, "", now_ms.to_string()).await;
            assert_eq!(appended.status, 204, "{appended:?}");
            if written >= WARM_UP {
                self.noted.borrow_mut().figures.writes += 1;
            }
        }
        rt::sleep_ms(1_000).await;
        self.end_counting(self.calls() - calls_before);
        rt::sleep_ms(1_000 * self.workload.silence_s).await;
        self.noted.borrow_mut().is_over = true;
    }

    fn end_counting(&self, object_calls: u64) {
        let mut noted = self.noted.borrow_mut();
        noted.counts = false;
        noted.figures.object_calls = object_calls;
    }

    async fn follow(self, mut offset: String) {
        let mut cursor = String::new();
        let mut sent = VecDeque::new();
        let mut requests = 0;
        while !self.noted.borrow().is_over && requests < MOST_REQUESTS {
            requests += 1;
            self.note_request(&mut sent);
            let number = self.world.number();
            self.noted.borrow_mut().requests.push(number);
            let answer = self.ask(number, Method::Get, &format!("?offset={offset}&live=long-poll{cursor}"), "").await;
            assert!(matches!(answer.status, 200 | 204), "{answer:?}");
            self.note_answer(&answer);
            let field = |name| answer.headers.get(name).unwrap_or_default().to_owned();
            offset = field(header::STREAM_NEXT_OFFSET);
            cursor = format!("&cursor={}", field(header::STREAM_CURSOR));
        }
    }

    /// Counts what a follower has sent within the last second.
    fn note_request(&self, sent: &mut VecDeque<u64>) {
        let now_ms = self.world.now_ms();
        sent.push_back(now_ms);
        while sent.front().is_some_and(|ms| ms + 1_000 <= now_ms) {
            sent.pop_front();
        }
        let mut noted = self.noted.borrow_mut();
        noted.figures.most_requests = noted.figures.most_requests.max(sent.len() as u64);
    }

    fn note_answer(&self, answer: &Response) {
        let mut noted = self.noted.borrow_mut();
        if !noted.counts {
            return;
        }
        noted.figures.answers += 1;
        noted.figures.hits += u64::from(answer.headers.get(header::X_CACHE) == Some("HIT"));
        let now_ms = self.world.now_ms();
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let written = body.split(|letter: char| !letter.is_ascii_digit()).filter_map(|text| text.parse::<u64>().ok());
        noted.figures.delays_ms.extend(written.map(|ms| now_ms.saturating_sub(ms)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(policy: &str) -> Figures {
        let workload = Workload { followers: 30, isolates: 300, writes: 15, silence_s: 60, seed: 1 };
        follow(CachePolicy::named(policy).expect("a policy"), workload)
    }

    /// Each row holds what the policy is for, or what is wrong with it.
    #[test]
    fn each_policy_has_the_figures_that_it_is_known_for() {
        let of = figures;
        let plain = of("nothing");
        assert_eq!((plain.hits, plain.answers, plain.writes), (0, 300, 10));
        assert!((27.0..=30.0).contains(&plain.calls_a_write()), "{plain:?}");
        // Those who wait together miss together: keeping the answer alone does not help.
        assert!(of("immutable-and-long-poll").hit_percent() < 10.0);
        let sentinel = of("sentinel");
        assert!(sentinel.hit_percent() > 50.0, "{}", sentinel.hit_percent());
        assert!(sentinel.calls_a_write() < plain.calls_a_write() / 2.0);
        // Each follower has URLs of its own.
        assert_eq!(of("random-cursors").hits, 0);
        // Silence that is kept, without cursors that move on, is asked for again at once.
        assert!(of("silence-without-cursors").most_requests > 20);
        for calm in ["nothing", "immutable-and-long-poll", "sentinel", "sentinel-and-stagger", "bridge", "silence"] {
            assert!(of(calm).most_requests <= 4, "{calm}: {}", of(calm).most_requests);
        }
    }
}
