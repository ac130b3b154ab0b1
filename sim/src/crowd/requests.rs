//! The requests at the edge, by their places, which are used again.

use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::LocalBoxFuture;

use super::answer::Told;
use super::edge::{Edge, Served};

/// For whom a request at the edge is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// For a reader, by its number and turn.
    Reader(u32, u32),
    /// For a reader's browser, which freshens what it has handed out stale: by the reader's number, and by its turn when it
    /// was handed that out.
    Refresh(u32, u32),
    /// For the cache in front, by the fetch's number.
    Fetch(u64),
    /// For nobody any more.
    Nobody,
}

/// What comes of a request.
#[derive(Debug, Default)]
pub(super) enum Brought {
    /// Nothing yet.
    #[default]
    Nothing,
    /// An answer.
    Whole(Served),
    /// Events.
    Events(crate::front::Head),
}

/// A request at the edge.
pub(super) struct Request {
    /// How many requests have had the place.
    pub(super) turn: u32,
    pub(super) url: u32,
    pub(super) colo: u16,
    pub(super) whose: For,
    /// What it says in `If-None-Match`.
    pub(super) tag: Option<Rc<str>>,
    pub(super) edge: Option<Edge>,
    pub(super) brought: Brought,
    /// For which URL it asks the inner entrypoint, if it is a gateway's and has no answer yet.
    pub(super) asks_inner: Option<u32>,
    /// When that reaches whoever waits for it, in us.
    pub(super) brought_us: u64,
    /// The readers of its events, each with its turn.
    pub(super) listeners: Vec<(u32, u32)>,
    /// What it has sent of events, for those who come to listen later.
    pub(super) sent: Vec<Rc<Told>>,
    /// Records on the agenda without which the place may not be used again.
    pub(super) outstanding: u32,
    task: Option<LocalBoxFuture<'static, ()>>,
    waker: Waker,
}

/// All requests.
#[derive(Default)]
pub(super) struct Requests {
    places: Vec<Request>,
    free: Vec<u32>,
    woken: Arc<Woken>,
}

/// The places whose requests can go on because of something in the world, and who waits for any.
#[derive(Default)]
struct Woken {
    places: Mutex<Vec<u32>>,
    waiter: Mutex<Option<Waker>>,
}

struct PlaceWaker {
    place: u32,
    woken: Arc<Woken>,
}

impl Wake for PlaceWaker {
    fn wake(self: Arc<Self>) {
        if let Ok(mut places) = self.woken.places.lock() {
            places.push(self.place);
        }
        if let Ok(Some(waker)) = self.woken.waiter.lock().map(|mut waiter| waiter.take()) {
            waker.wake();
        }
    }
}

impl Requests {
    /// A place for a request.
    pub(super) fn begin(&mut self, whose: For, url: u32, colo: u16, tag: Option<Rc<str>>) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            let place = self.places.len() as u32;
            let waker = Waker::from(Arc::new(PlaceWaker { place, woken: self.woken.clone() }));
            self.places.push(Request::empty(waker));
            place
        });
        let request = &mut self.places[place as usize];
        (request.whose, request.url, request.colo, request.tag) = (whose, url, colo, tag);
        place
    }

    pub(super) fn at(&mut self, place: u32) -> &mut Request {
        &mut self.places[place as usize]
    }

    /// The request at that place, if it is still the one of that turn.
    pub(super) fn of_turn(&mut self, place: u32, turn: u32) -> Option<&mut Request> {
        Some(&mut self.places[place as usize]).filter(|request| request.turn == turn)
    }

    /// The task of a request begins.
    pub(super) fn run(&mut self, place: u32, edge: Edge, task: LocalBoxFuture<'static, ()>) {
        let request = self.at(place);
        (request.edge, request.task) = (Some(edge), Some(task));
    }

    /// Polls the task of a request. Returns whether that has come to its end by this.
    pub(super) fn poll(&mut self, place: u32) -> bool {
        let request = self.at(place);
        let Some(task) = &mut request.task else { return false };
        let is_over = task.as_mut().poll(&mut Context::from_waker(&request.waker)).is_ready();
        if is_over {
            request.task = None;
        }
        is_over
    }

    /// Ends the task of a request, which is not polled again.
    pub(super) fn end(&mut self, place: u32) {
        self.at(place).task = None;
    }

    /// If nothing of the request is left, its place is free.
    pub(super) fn settle(&mut self, place: u32) {
        let request = self.at(place);
        if request.task.is_some() || request.outstanding > 0 || request.edge.is_none() {
            return;
        }
        request.turn += 1;
        request.edge = None;
        request.tag = None;
        request.brought = Brought::Nothing;
        request.asks_inner = None;
        request.whose = For::Nobody;
        request.listeners.clear();
        request.sent.clear();
        self.free.push(place);
    }

    /// The request at that place never began.
    pub(super) fn give_back(&mut self, place: u32) {
        let request = self.at(place);
        request.turn += 1;
        request.whose = For::Nobody;
        self.free.push(place);
    }

    /// The places of requests that can go on.
    pub(super) fn take_woken(&mut self) -> Vec<u32> {
        self.woken.places.lock().map(|mut places| std::mem::take(&mut *places)).unwrap_or_default()
    }

    /// Whether any can; if not, whoever polls this is woken when one can.
    pub(super) fn poll_woken(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.woken.places.lock().is_ok_and(|places| !places.is_empty()) {
            return Poll::Ready(());
        }
        if let Ok(mut waiter) = self.woken.waiter.lock() {
            *waiter = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Request {
    fn empty(waker: Waker) -> Self {
        Self {
            turn: 0,
            url: 0,
            colo: 0,
            whose: For::Nobody,
            tag: None,
            edge: None,
            brought: Brought::Nothing,
            asks_inner: None,
            brought_us: 0,
            listeners: Vec::new(),
            sent: Vec::new(),
            outstanding: 0,
            task: None,
            waker,
        }
    }

    /// Whether its task has not come to its end.
    pub(super) fn is_running(&self) -> bool {
        self.task.is_some()
    }
}
