//! The isolates of one datacenter. They start when they are needed, and each is a machine's own.

use std::cell::OnceCell;
use std::rc::{Rc, Weak};

use tailrace_core::protocol::Method;

use crate::bill::Cause;
use crate::kernel::reply::Reply;
use crate::world::edge::inner::{InnerEntrypoint, Leave};
use crate::world::edge::isolate::{EdgeIsolate, Entrypoint, Newest};
use crate::world::edge::request::Request;
use crate::world::edge::served::Served;
use crate::world::edge::state::ClientEnd;
use crate::world::environment::Environment;
use crate::world::front::asked::Who;
use crate::world::front::service::Origin;
use crate::world::marks;
use crate::world::network::callee::Callee;
use crate::world::program::Program;
use crate::world::services::Services;

/// The isolates of one datacenter, by their places. A place is empty until an isolate is needed there.
pub(crate) struct Pool<P: Program> {
    /// The index of the datacenter.
    colo: usize,
    environment: Rc<Environment>,
    callee: Rc<dyn Callee>,
    services: Rc<Services>,
    config: Newest<P>,
    /// The pool itself, as its isolates know it: what they ask of the inner entrypoint is served by one of them.
    this: Weak<Self>,
    isolates: Vec<OnceCell<Rc<EdgeIsolate<P>>>>,
}

impl<P: Program> Pool<P> {
    /// So many places, in the datacenter of that index.
    pub(crate) fn new(
        colo: usize,
        places: usize,
        environment: Rc<Environment>,
        callee: Rc<dyn Callee>,
        services: Rc<Services>,
        config: Newest<P>,
    ) -> Rc<Self> {
        let isolates = (0..places).map(|_| OnceCell::new()).collect();
        Rc::new_cyclic(|this| Self { colo, environment, callee, services, config, this: this.clone(), isolates })
    }

    /// The isolate that serves a request which comes now. Mostly it serves nothing else: where others do, a request of
    /// its own isolate is the rule (measured: about one isolate per concurrent request).
    pub(crate) fn choose(&self) -> Rc<EdgeIsolate<P>> {
        self.isolate(self.place())
    }

    fn place(&self) -> usize {
        let places = self.isolates.len();
        if places == 1 {
            return 0;
        }
        let environment = &self.environment;
        let is_busy = |place: &usize| self.isolates[*place].get().is_some_and(|isolate| isolate.is_busy());
        let (busy, free): (Vec<usize>, Vec<usize>) = (0..places).partition(is_busy);
        let shares = || environment.chance(environment.faults().edge.shares_busy_isolate_permille);
        let among = if free.is_empty() || !busy.is_empty() && shares() { &busy } else { &free };
        if !busy.is_empty() {
            let is_own = std::ptr::eq(among, &free);
            environment.mark(if is_own { marks::ISOLATE_OF_ITS_OWN } else { marks::BUSY_ISOLATE_SHARED });
        }
        among[environment.random.between(0, among.len() as u64 - 1) as usize]
    }

    /// The isolate at a place, which starts if none has yet.
    fn isolate(&self, place: usize) -> Rc<EdgeIsolate<P>> {
        let start = || {
            let index = self.colo * self.isolates.len() + place;
            let (environment, callee) = (self.environment.clone(), self.callee.clone());
            let (inner, config) = (self.this.clone(), self.config.clone());
            EdgeIsolate::new(index, self.colo, environment, callee, inner, &self.services, config)
        };
        self.isolates[place].get_or_init(start).clone()
    }

    /// Those that have started, each at its place.
    pub(crate) fn started(&self) -> impl Iterator<Item = &Rc<EdgeIsolate<P>>> {
        self.isolates.iter().filter_map(OnceCell::get)
    }

    /// The one at that place, if it has started.
    pub(crate) fn at(&self, place: usize) -> Option<&Rc<EdgeIsolate<P>>> {
        self.isolates[place].get()
    }
}

impl<P: Program> InnerEntrypoint for Pool<P> {
    fn serve_inner(&self, number: u64, release: u32, request: Request) -> (Reply<Served>, Leave) {
        let front = &self.services.front;
        let origin = || -> Rc<dyn Origin> { self.this.upgrade().expect("who asks has an isolate of it") };
        match front.take(self.colo, Who::Gateway(release), number, &request, &origin) {
            Some(answer) => {
                let front = front.clone();
                (answer, Box::new(move || front.lose_client(number)))
            }
            None => {
                let (answer, end) = self.choose().serve(number, request, Entrypoint::Inner);
                (answer, Box::new(|| end.leave()))
            }
        }
    }

    fn client_gone(&self, number: u64) {
        if self.environment.faults().front.is_between() {
            self.services.front.client_gone(number);
        }
    }
}

/// The isolates of the inner entrypoint, as a cache before it knows them.
impl<P: Program> Origin for Pool<P> {
    fn number(&self) -> u64 {
        self.environment.number()
    }

    fn cause(&self, url: &str) -> Cause {
        P::cause(Method::Get, url)
    }

    fn shown(&self, url: &str) -> String {
        P::shown(url).into_owned()
    }

    fn serve(&self, number: u64, request: Request) -> (Reply<Served>, ClientEnd) {
        self.choose().serve(number, request, Entrypoint::Inner)
    }
}
