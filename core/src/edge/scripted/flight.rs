//! Flights of a scripted edge: the tested request's own, and those of others, as the script has them.

use std::cell::RefCell;
use std::rc::Rc;

use super::Stage;
use crate::protocol::Response;
use crate::runtime::{JoinedFlight, Landing, StartedFlight};

/// A flight that the tested request has started.
pub(in crate::edge) struct ScriptedFlight(pub(super) Rc<Stage>);

/// A flight of another request, as the script has it.
#[derive(Clone, Default)]
pub(in crate::edge) struct UnderWay {
    /// How old it is when it is joined, in ms.
    pub(in crate::edge) age_ms: u64,
    /// What is noted for those who join it, before or while they wait.
    pub(in crate::edge) noted: Option<u64>,
    /// Its answer; `None` if it never lands.
    pub(in crate::edge) brings: Option<Response>,
    /// How old that is, in seconds.
    pub(in crate::edge) brings_age_s: u64,
}

/// A flight of another request that the tested one has joined.
pub(in crate::edge) struct OthersFlight(pub(super) Rc<Stage>, pub(super) RefCell<UnderWay>);

impl StartedFlight<Response> for ScriptedFlight {
    fn note(&self, until_ms: u64) {
        self.0.note(format!("note {until_ms}"));
    }

    fn land(self, brought: &Response, age_s: u64) {
        let age = if age_s > 0 { format!(" of {age_s} s") } else { String::new() };
        self.0.note(format!("land {}{age}", brought.status));
    }
}

impl JoinedFlight<Response> for OthersFlight {
    async fn landing(&self, wait_ms: u64) -> Landing<Response> {
        let mut under_way = self.1.borrow_mut();
        if let Some(until_ms) = under_way.noted.take() {
            return Landing::Noted(until_ms);
        }
        let brings = under_way.brings.take();
        brings.map_or_else(
            || {
                self.0.pass(wait_ms);
                Landing::TimedOut
            },
            |kept| Landing::Landed { kept, age_s: under_way.brings_age_s },
        )
    }

    fn give_up(self) {
        self.0.note("give up");
    }
}
