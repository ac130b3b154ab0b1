//! What one request can reach, whose answers leave on its terms.

use std::future::Future;

use super::Terms;
use crate::protocol::cors::can_read_all;
use crate::protocol::{Headers, Response};
use crate::runtime::{
    Along, Backlogs, CallError, CallOutcome, Changes, EdgeEnv, HeldBodies, Isolate, Kept as _, Mark, Reply as _,
    Sharing,
};

/// What one request can reach. Whatever it is answered with, and whoever has made that, leaves on its terms.
#[derive(Clone)]
pub(in crate::edge) struct Outlet<E> {
    env: E,
    terms: Terms,
}

impl<E> Outlet<E> {
    /// Of a request whose answers leave on these terms.
    pub(in crate::edge) fn new(env: E, terms: Terms) -> Self {
        Self { env, terms }
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
        let response = self.terms.response(response);
        debug_assert!(self.is_told_whole(&response.headers), "{response:?}");
        self.env.answer(response);
    }

    fn answer_kept(&self, kept: Self::Kept, changes: &Changes) {
        let changes = self.terms.changes(changes, || kept.head());
        debug_assert!(self.is_told_whole(&changes.of(kept.head()).headers), "{:?} {changes:?}", kept.head());
        self.env.answer_kept(kept, &changes);
    }

    fn pass_on(&self, reply: Self::Reply, changes: &Changes) {
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
