//! How answers leave an instance: by the gate, and not if it crashes before.

use std::rc::Rc;

use tailrace_core::protocol::Response;

use super::{Instance, Parent, Standing};
use crate::kernel::reply::ReplySender;
use crate::kernel::rt;
use crate::world::activity::Busy;
use crate::world::event::{Lane, What};
use crate::world::harm::Harm;
use crate::world::host_mutant::HostMutant;
use crate::world::marks;
use crate::world::network::callee::Opened;

impl<P: Parent> Instance<P> {
    pub(super) fn answer(
        self: &Rc<Self>,
        busy: Busy,
        sender: ReplySender<Opened>,
        response: Response,
        cause: Option<u64>,
    ) {
        let (instance, load) = (Rc::downgrade(self), self.state.load(response.body.len()));
        self.put_out(busy, cause, move || {
            let _load = load;
            if let Some(instance) = instance.upgrade() {
                instance.note_answer(&response, cause);
                sender.send(Opened::Answer(response));
            }
        });
    }

    pub(super) fn put_out(self: &Rc<Self>, busy: Busy, cause: Option<u64>, output: impl FnOnce() + 'static) {
        let instance = Rc::downgrade(self);
        let output = move || {
            drop(busy);
            if let Some(instance) = instance.upgrade() {
                instance.causes.borrow_mut().retain(|other| Some(*other) != cause);
            }
            output();
        };
        if self.environment.is_mutated(HostMutant::AnswerBeforeGate) {
            output();
        } else if self.state.put_out(output) {
            self.environment.mark(marks::GATE_HELD_ANSWER);
            self.crash_while_held();
        }
    }

    fn note_answer(&self, response: &Response, cause: Option<u64>) {
        let superseded = self.standing.get() == Standing::Superseded;
        let what = What::Answers { status: response.status, superseded };
        self.environment.note(Lane::Instance(&self.label), what, cause);
        if superseded {
            self.environment.mark(marks::SUPERSEDED_INSTANCE_ANSWERED);
            self.note_stale(cause);
        }
    }

    /// What a superseded instance tells may be stale, if its reads do not fail. If they do, whoever answers without a
    /// read is wrong.
    pub(super) fn note_stale(&self, cause: Option<u64>) {
        if self.standing.get() == Standing::Superseded && !self.state.storage().is_lost() {
            self.environment.harm(Harm::Stale, cause);
        }
    }

    /// Draws whether the object crashes while the gate holds an answer back, and at a random moment of that wait.
    fn crash_while_held(self: &Rc<Self>) {
        if !self.environment.chance(self.environment.faults().objects.crash_held_permille) {
            return;
        }
        let wait_ms = self.flushed_ms.get().saturating_sub(self.environment.now_ms());
        let after_ms = self.environment.random.between(0, wait_ms.saturating_sub(1));
        let instance = self.clone();
        self.node.spawn(async move {
            rt::sleep_ms(after_ms).await;
            // The answer may have left, or the faults may have ended.
            if instance.state.gate().holds() && instance.environment.faults().objects.crash_held_permille > 0 {
                instance.crash();
            }
        });
    }
}
