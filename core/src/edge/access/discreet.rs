//! Answers to a URL with a token, which nobody keeps: such a URL is a password, and whoever kept the answer would keep it
//! along with that.

use std::borrow::Cow;
use std::future::Future;

use super::credential;
use crate::protocol::query::Query;
use crate::protocol::{CacheControl, Headers, Response, header};
use crate::runtime::{Along, Backlogs, CallError, CallOutcome, Changes, EdgeEnv, HeldBodies, Isolate, Mark, Sharing};

/// What one request can reach, and whether its URL holds a token. If so, all that its client is answered says that
/// nobody is to keep it, whatever it says otherwise: also what others are answered as well, and what a cache has kept.
#[derive(Clone)]
pub(in crate::edge) struct Discreet<E> {
    env: E,
    is_discreet: bool,
}

impl<E> Discreet<E> {
    /// Of a request with this URL.
    pub(in crate::edge) fn of(env: E, query: &str) -> Self {
        let is_discreet = credential::is_in_url(&Query::parse(query));
        Self { env, is_discreet }
    }

    fn response(&self, mut response: Response) -> Response {
        if self.is_discreet {
            response.headers.remove(&[header::CACHE_CONTROL]);
            response.headers.push(header::CACHE_CONTROL, CacheControl::Private.to_string());
        }
        response
    }

    fn changes<'a>(&self, changes: &'a Changes) -> Cow<'a, Changes> {
        if !self.is_discreet {
            return Cow::Borrowed(changes);
        }
        let mut changes = changes.clone();
        changes.set.push(header::CACHE_CONTROL, CacheControl::Private.to_string());
        Cow::Owned(changes)
    }
}

impl<E: EdgeEnv> Isolate for Discreet<E> {
    fn now_ms(&self) -> u64 {
        self.env.now_ms()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.env.fill_random(bytes);
    }

    fn random(&self) -> u64 {
        self.env.random()
    }

    fn sleep_ms(&self, ms: u64) -> impl Future<Output = ()> {
        self.env.sleep_ms(ms)
    }

    fn sometimes(&self, mark: Mark) {
        self.env.sometimes(mark);
    }
}

impl<E: EdgeEnv> EdgeEnv for Discreet<E> {
    type Upload = E::Upload;
    type Reply = E::Reply;
    type Kept = E::Kept;
    type Socket = E::Socket;
    type Download = E::Download;
    type StartedFlight = E::StartedFlight;
    type JoinedFlight = E::JoinedFlight;

    fn call(
        &self,
        object: &str,
        message: String,
        along: Along<'_, Self::Upload>,
    ) -> impl Future<Output = CallOutcome<Self>> {
        self.env.call(object, message, along)
    }

    fn earlier_call(&self) -> impl Future<Output = CallOutcome<Self>> {
        self.env.earlier_call()
    }

    fn ask_inner(&self, url: &str) -> impl Future<Output = CallOutcome<Self>> {
        self.env.ask_inner(url)
    }

    fn look_up(&self, key: &str, within_ms: u64) -> impl Future<Output = Option<Self::Reply>> {
        self.env.look_up(key, within_ms)
    }

    fn store(&self, key: &str, kept: &Self::Kept, fields: &Headers) -> impl Future<Output = ()> {
        self.env.store(key, kept, fields)
    }

    fn remove(&self, key: &str) -> impl Future<Output = ()> {
        self.env.remove(key)
    }

    fn share(&self, key: &str) -> Sharing<Self::StartedFlight, Self::JoinedFlight> {
        self.env.share(key)
    }

    fn outlive_client(&self) {
        self.env.outlive_client();
    }

    fn watch_client(&self) {
        self.env.watch_client();
    }

    fn held_bodies(&self) -> HeldBodies {
        self.env.held_bodies()
    }

    fn backlogs(&self) -> Backlogs {
        self.env.backlogs()
    }

    fn keep(&self, reply: Self::Reply) -> impl Future<Output = Result<Self::Kept, CallError>> {
        self.env.keep(reply)
    }

    fn keep_own(&self, response: Response) -> Self::Kept {
        self.env.keep_own(response)
    }

    fn answer(&self, response: Response) {
        self.env.answer(self.response(response));
    }

    fn answer_kept(&self, kept: Self::Kept, changes: &Changes) {
        self.env.answer_kept(kept, &self.changes(changes));
    }

    fn pass_on(&self, reply: Self::Reply, changes: &Changes) {
        self.env.pass_on(reply, &self.changes(changes));
    }

    fn open(&self, head: Response) -> Self::Download {
        self.env.open(self.response(head))
    }
}
