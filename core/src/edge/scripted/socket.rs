//! The socket of a scripted object.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::{Happens, Stage};
use crate::runtime::{EdgeSocket, SocketEvent};

/// The socket of a scripted object.
pub(in crate::edge) struct ScriptedSocket {
    pub(super) stage: Rc<Stage>,
    pub(super) happens: RefCell<VecDeque<Happens>>,
}

impl EdgeSocket for ScriptedSocket {
    async fn next(&self, wait_ms: u64) -> SocketEvent {
        let mut wait_ms = wait_ms;
        let next = loop {
            let next = self.happens.borrow_mut().pop_front();
            let Some(Happens::Quiet(ms)) = next else { break next };
            self.stage.pass(ms.min(wait_ms));
            if ms > wait_ms {
                self.happens.borrow_mut().push_front(Happens::Quiet(ms - wait_ms));
                return SocketEvent::TimedOut;
            }
            wait_ms -= ms;
        };
        match next {
            Some(Happens::Message(bytes)) => SocketEvent::Message(bytes),
            Some(Happens::ClientStalls(bytes)) => {
                self.stage.stalls.set(true);
                SocketEvent::Message(bytes)
            }
            Some(Happens::Waits(bytes)) => {
                self.stage.leaves.set(true);
                self.stage.takes_ms.set(2_000);
                SocketEvent::Message(bytes)
            }
            Some(Happens::ClientLeaves(bytes)) => {
                self.stage.gone.set(true);
                SocketEvent::Message(bytes)
            }
            Some(Happens::Cut) => SocketEvent::Closed,
            Some(Happens::Overflow) => SocketEvent::Overflowed,
            Some(Happens::Quiet(_)) | None => {
                self.stage.pass(wait_ms);
                SocketEvent::TimedOut
            }
        }
    }
}

impl Drop for ScriptedSocket {
    fn drop(&mut self) {
        self.stage.note("close");
    }
}
