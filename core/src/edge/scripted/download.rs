//! The body of a scripted client's answer.

use std::rc::Rc;

use bytes::Bytes;

use super::socket::ScriptedSocket;
use super::{ScriptedReply, Stage};
use crate::runtime::{CallError, Download, Patience, Pushed, Written};

/// The body of a scripted client's answer.
pub(in crate::edge) struct ScriptedDownload(pub(super) Rc<Stage>);

impl Download for ScriptedDownload {
    type Socket = ScriptedSocket;
    type Reply = ScriptedReply;

    fn push(&self, bytes: Bytes) -> Pushed {
        if self.0.gone.get() {
            return Pushed::Gone;
        }
        if !bytes.is_empty() {
            self.0.note(format!("write {}", short(&bytes)));
            self.0.waits.set(self.0.stalls.take());
            self.0.lingers.set(self.0.leaves.take());
        }
        let lingering = usize::from(self.0.lingers.get());
        Pushed::Waiting(if self.0.waits.get() { usize::MAX } else { lingering })
    }

    async fn drained(&self, patience: Patience) -> Written {
        let takes_ms = self.0.takes_ms.take();
        self.0.pass(takes_ms.min(patience.wait_ms));
        self.0.takes_ms.set(takes_ms.saturating_sub(patience.wait_ms));
        self.0.waits.set(takes_ms > patience.wait_ms);
        if takes_ms > patience.wait_ms { Written::Stalled } else { Written::Taken }
    }

    fn waiting_for_clients(&self) -> usize {
        self.0.waiting.borrow_mut().pop_front().unwrap_or(0)
    }

    fn cut(&self) {
        self.0.note("cut");
    }

    async fn push_reply(&self, reply: ScriptedReply) -> Result<Pushed, CallError> {
        if reply.is_torn { Err(CallError::Reset) } else { Ok(self.push(reply.response.body)) }
    }
}

/// Events in short, with a bar between any two: payloads, the content of control events, and ids; offsets, all of the
/// first segment, as their positions.
fn short(events: &[u8]) -> String {
    let text = String::from_utf8_lossy(events).replace("event: data\ndata:", "").replace("event: control\ndata:", "");
    let text = text.replace(&format!("{}_", "0".repeat(16)), "").replace("000000000000000", "");
    text.replace("\nid:", " id ").replace("\n\n", "|").trim_end_matches('|').to_owned()
}
