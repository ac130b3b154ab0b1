//! What caches that stand before the edge may keep of an answer. They check no token: what they keep they hand to
//! everybody who asks for the same URL. And a URL with a token is a password, and whoever kept its answer would keep it along
//! with that.

use std::borrow::Cow;
use std::future::Future;

use super::credential;
use crate::edge::config::Access;
use crate::protocol::query::Query;
use crate::protocol::{CacheControl, Headers, Response, header};
use crate::runtime::{
    Along, Backlogs, CallError, CallOutcome, Changes, EdgeEnv, HeldBodies, Isolate, Kept as _, Mark, Reply as _,
    Sharing,
};

/// Who may keep an answer of those who stand before the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keepers {
    /// As the answer says.
    AsTold,
    /// The browser of who has asked, and no cache that several clients share.
    OwnBrowser,
    /// Nobody.
    Nobody,
}

/// What one request can reach, and who may keep what its client is answered, whatever the answer says otherwise: also what
/// others are answered as well, and what a cache has kept.
#[derive(Clone)]
pub(in crate::edge) struct Discreet<E> {
    env: E,
    keepers: Keepers,
}

impl<E> Discreet<E> {
    /// Of a request of a client with this query.
    pub(in crate::edge) fn of(env: E, access: &Access, query: &str) -> Self {
        let keepers = if credential::is_in_url(&Query::parse(query)) {
            Keepers::Nobody
        } else if matches!(access, Access::Keys(_)) {
            Keepers::OwnBrowser
        } else {
            Keepers::AsTold
        };
        Self { env, keepers }
    }

    /// Of a request of the gateway: it sees to the answer of its client.
    pub(in crate::edge) fn of_gateway(env: E) -> Self {
        Self { env, keepers: Keepers::AsTold }
    }

    /// What is told instead of this value of `Cache-Control`; `None` where it stands.
    fn told(&self, fields: &Headers) -> Option<String> {
        match self.keepers {
            Keepers::AsTold => None,
            Keepers::OwnBrowser => fields.get(header::CACHE_CONTROL).and_then(CacheControl::unshared),
            Keepers::Nobody => Some(CacheControl::Private.to_string()),
        }
    }

    fn response(&self, mut response: Response) -> Response {
        if let Some(told) = self.told(&response.headers) {
            response.headers.remove(&[header::CACHE_CONTROL]);
            response.headers.push(header::CACHE_CONTROL, told);
        }
        response
    }

    /// The changes of an answer with that head, which is looked at only where it matters.
    fn changes<'a>(&self, changes: &'a Changes, head: impl FnOnce() -> Response) -> Cow<'a, Changes> {
        if self.keepers == Keepers::AsTold {
            return Cow::Borrowed(changes);
        }
        let Some(told) = self.told(&head().headers) else { return Cow::Borrowed(changes) };
        let mut changes = changes.clone();
        changes.set.push(header::CACHE_CONTROL, told);
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
        let changes = self.changes(changes, || kept.head());
        self.env.answer_kept(kept, &changes);
    }

    fn pass_on(&self, reply: Self::Reply, changes: &Changes) {
        let changes = self.changes(changes, || reply.head());
        self.env.pass_on(reply, &changes);
    }

    fn open(&self, head: Response) -> Self::Download {
        self.env.open(self.response(head))
    }
}
