//! A body that still comes, and that several visitors read: each has all of it, also what came before it did.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use tailrace_core::runtime::{Download as _, Pushed};

use crate::world::edge::download::{AnswerBody, Download, download};
use crate::world::edge::pipe::Piece;
use crate::world::environment::Environment;
use crate::world::harm::Harm;

/// A body that is shared.
pub(super) struct SharedBody {
    environment: Rc<Environment>,
    /// The number of the request that brings it.
    by: u64,
    /// What brings it, until somebody reads.
    origin: Cell<Option<AnswerBody>>,
    /// What has come so far: a write each, with when it left the edge, in ms since the Unix epoch.
    writes: RefCell<Vec<(Bytes, u64)>>,
    /// How it has ended: whether it is whole.
    end: Cell<Option<bool>>,
    readers: RefCell<Vec<(u64, Download)>>,
}

impl SharedBody {
    pub(super) fn new(environment: Rc<Environment>, by: u64, origin: AnswerBody) -> Rc<Self> {
        Rc::new(Self {
            environment,
            by,
            origin: Cell::new(Some(origin)),
            writes: RefCell::default(),
            end: Cell::default(),
            readers: RefCell::default(),
        })
    }

    /// What brings it, for one reader alone.
    pub(super) fn take_origin(&self) -> Option<AnswerBody> {
        self.origin.take()
    }

    /// The body as the request of that number reads it.
    pub(super) fn read(&self, request: u64) -> AnswerBody {
        let (edge, client) = download(&self.environment, request);
        for (bytes, left_ms) in self.writes.borrow().iter() {
            edge.pass_on(bytes.clone(), *left_ms);
        }
        match self.end.get() {
            None => self.readers.borrow_mut().push((request, edge)),
            Some(true) => drop(edge),
            Some(false) => self.break_off(request, &edge),
        }
        client
    }

    /// Hands on what comes until its end. Returns whether it is whole.
    pub(super) async fn pump(&self) -> bool {
        let Some(origin) = self.origin.take() else { return false };
        let mut parts = Vec::new();
        loop {
            match origin.next().await {
                Piece::Part(bytes) => parts.extend_from_slice(&bytes),
                Piece::Bytes(bytes) => {
                    parts.extend_from_slice(&bytes);
                    self.push(std::mem::take(&mut parts).into(), origin.left_ms());
                }
                Piece::End => {
                    self.end.set(Some(true));
                    self.readers.take();
                    return true;
                }
                Piece::Cut => {
                    self.end.set(Some(false));
                    for (request, edge) in self.readers.take() {
                        self.break_off(request, &edge);
                    }
                    return false;
                }
            }
        }
    }

    fn push(&self, bytes: Bytes, left_ms: u64) {
        self.readers.borrow_mut().retain(|(_, edge)| edge.pass_on(bytes.clone(), left_ms) != Pushed::Gone);
        self.writes.borrow_mut().push((bytes, left_ms));
    }

    /// What has befallen the request that brings it befalls whoever reads it.
    fn break_off(&self, request: u64, edge: &Download) {
        if request != self.by {
            self.environment.harm(Harm::AnswerCut, Some(request));
        }
        edge.cut();
    }
}
