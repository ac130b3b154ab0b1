//! The gateway of a crowd: core's edge has the reads of its readers answered by the inner entrypoint, and Workers Cache
//! stands between the two. To that cache each request of the gateway is a visitor, by its place and turn.

use tailrace_core::runtime::CallError;

use crate::crowd::answer::Answer;
use crate::crowd::engine::Engine;
use crate::crowd::reader::visitor;
use crate::crowd::requests::For;
use crate::crowd::setting::InFront;
use crate::front::{Asking, Kind};

impl Engine {
    /// Whether the cache stands between a gateway and the inner entrypoint, and not in front of the readers' requests.
    pub(in crate::crowd) fn is_between(&self) -> bool {
        self.setting.front == InFront::Between
    }

    /// Whether the inner entrypoint serves what is carried out for those.
    pub(in crate::crowd) fn is_inner(&self, whose: For) -> bool {
        self.is_between() && matches!(whose, For::Fetch(_))
    }

    /// The gateway's request at that place asks the inner entrypoint for a URL.
    pub(in crate::crowd) fn ask_inner(&mut self, place: u32, url: String) {
        let url = self.urls.number_of(url);
        self.figures.gateway.pass_on(url);
        let request = self.requests.at(place);
        request.asks_inner = Some(url);
        let (turn, colo) = (request.turn, request.colo);
        let asking = Asking {
            kind: Kind::SubRequest,
            colo: usize::from(colo),
            drawn: self.site.random.next_u64(),
            ..Asking::new(url, visitor(place, turn), 0)
        };
        self.ask_front(place, url, colo, asking);
    }

    /// The gateway's request at that place has what it has asked for, with its age in seconds.
    pub(in crate::crowd) fn tell_gateway(&mut self, place: u32, outcome: Result<(Answer, u64), CallError>) {
        let request = self.requests.at(place);
        request.asks_inner = None;
        if let Some(edge) = request.edge.clone() {
            edge.hear_from_inner(outcome);
            self.poll(place);
        }
    }

    /// The gateway's request at that place has lost its client: it waits for the inner entrypoint no more.
    pub(in crate::crowd) fn leave_inner(&mut self, place: u32) {
        let request = self.requests.at(place);
        if request.asks_inner.take().is_some() {
            let turn = request.turn;
            self.left(visitor(place, turn));
        }
    }
}
