//! What one request can reach, whose answers leave on its terms.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use super::Terms;
use crate::edge::rates::{is_too_often, too_often};
use crate::protocol::cors::can_read_all;
use crate::protocol::{Address, Headers, Method, Refusal, Response};
use crate::runtime::{
    Along, Backlogs, CallError, CallOutcome, Changes, EdgeEnv, HeldBodies, Isolate, Kept as _, KnownProjects, Mark,
    RateLimit, Reply as _, Sharing,
};

/// What one request can reach. Whatever it is answered with, and whoever has made that, leaves on its terms.
#[derive(Clone)]
pub(in crate::edge) struct Outlet<E> {
    env: E,
    terms: Terms,
    /// The refusal for want of a token with which the request is answered, until a limit of such has been asked; `None` where
    /// there is no limit.
    withheld: Option<Rc<RefCell<Option<Response>>>>,
}

impl<E: EdgeEnv> Outlet<E> {
    /// Of a request whose answers leave on these terms. Those that refuse it for want of a token wait until they are
    /// [released](Self::release), if failures are `limited`.
    pub(in crate::edge) fn new(env: E, terms: Terms, limited: bool) -> Self {
        Self { env, terms, withheld: limited.then(Rc::default) }
    }

    /// Has the refusal leave that is withheld, if there is one, or another one in its place if this client is refused too
    /// often.
    pub(in crate::edge) async fn release(&self, method: Method, client: Option<&str>) {
        let Some(refusal) = self.withheld.as_ref().and_then(|withheld| withheld.borrow_mut().take()) else { return };
        let is_limited = match client {
            Some(client) => is_too_often(&self.env, RateLimit::Failures, client).await,
            None => false,
        };
        self.let_out(match (is_limited, method) {
            (true, _) => too_often(method),
            (false, Method::Head) => refusal.without_body(),
            (false, _) => refusal,
        });
    }

    /// Withholds an answer of this status, if it is a refusal for want of a token. Returns whether it does.
    fn withholds(&self, status: u16, refusal: impl FnOnce() -> Response) -> bool {
        let place = self.withheld.as_ref().filter(|_| status == 401);
        if let Some(place) = place {
            place.borrow_mut().get_or_insert_with(refusal);
        }
        place.is_some()
    }

    /// The same for what an object has answered. It refuses nobody but strangers, all of them in the same words, so of others'
    /// answers the status is not looked at: the host has it.
    fn withholds_of_object(&self, status: impl FnOnce() -> u16) -> bool {
        let is_asked = self.withheld.is_some() && self.terms.are_for_a_stranger();
        is_asked && self.withholds(status(), || Response::refusal(&Refusal::no_token()).with_common())
    }

    fn let_out(&self, response: Response) {
        let response = self.terms.response(response);
        debug_assert!(self.is_told_whole(&response.headers), "{response:?}");
        self.env.answer(response);
    }

    /// Whether scripts of other origins may read all of these fields. A gateway's fields are for that alone.
    fn is_told_whole(&self, fields: &Headers) -> bool {
        !self.terms.are_for_a_client() || can_read_all(fields)
    }
}

impl<E: EdgeEnv> Isolate for Outlet<E> {
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

impl<E: EdgeEnv> EdgeEnv for Outlet<E> {
    type Upload = E::Upload;
    type Reply = E::Reply;
    type Kept = E::Kept;
    type Socket = E::Socket;
    type Download = E::Download;
    type StartedFlight = E::StartedFlight;
    type JoinedFlight = E::JoinedFlight;
    type Kv = E::Kv;

    fn call(
        &self,
        object: Address<'_>,
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

    fn is_within(&self, limit: RateLimit, key: &str, within_ms: u64) -> impl Future<Output = Option<bool>> {
        self.env.is_within(limit, key, within_ms)
    }

    fn kv(&self) -> &E::Kv {
        self.env.kv()
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

    fn known_projects(&self) -> KnownProjects {
        self.env.known_projects()
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
        if !self.withholds(response.status, || response.clone()) {
            self.let_out(response);
        }
    }

    fn answer_kept(&self, kept: Self::Kept, changes: &Changes) {
        if self.withholds_of_object(|| kept.status()) {
            return;
        }
        let changes = self.terms.changes(changes, || kept.head());
        debug_assert!(self.is_told_whole(&changes.of(kept.head()).headers), "{:?} {changes:?}", kept.head());
        self.env.answer_kept(kept, &changes);
    }

    fn pass_on(&self, reply: Self::Reply, changes: &Changes) {
        if self.withholds_of_object(|| reply.head().status) {
            return;
        }
        let changes = self.terms.changes(changes, || reply.head());
        debug_assert!(self.is_told_whole(&changes.of(reply.head()).headers), "{:?} {changes:?}", reply.head());
        self.env.pass_on(reply, &changes);
    }

    fn open(&self, head: Response) -> Self::Download {
        let head = self.terms.response(head);
        debug_assert!(self.is_told_whole(&head.headers), "{head:?}");
        self.env.open(head)
    }
}
