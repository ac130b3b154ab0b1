//! What the events of an instance are billed for.

use std::future::{Future, poll_fn};
use std::rc::Rc;

use super::{Instance, Parent};
use crate::bill::Meter;
use crate::world::charges::Account;
use crate::world::spender::Spending;

impl<P: Parent> Instance<P> {
    /// The event, whose rows are charged to an account, and for what it works. The call of an alarm is billed once it has
    /// done something, or nothing.
    pub(super) fn charged<T>(
        self: &Rc<Self>,
        (account, mut spending): (Account, Spending),
        event: impl Future<Output = T>,
    ) -> impl Future<Output = T> {
        let instance = self.clone();
        let mut event = Box::pin(event);
        let mut is_new = spending.is_alarm;
        poll_fn(move |context| {
            let Self { environment, state, .. } = &*instance;
            let (before, alarms) = (state.rows(), state.alarms_set());
            state.spender().begin(spending);
            let polled = event.as_mut().poll(context);
            spending = state.spender().spending();
            let (written, read) = state.rows_since(before);
            environment.charge(&account, 0, written);
            environment.count_alarms(&account, state.alarms_set() - alarms);
            environment.meter(spending.cause, Meter::RowsWritten, written);
            environment.meter(spending.cause, Meter::RowsRead, read);
            if std::mem::take(&mut is_new) {
                environment.meter(spending.cause, Meter::ObjectRequests, 1);
                state.activity().tell_cause(spending.cause);
            }
            polled
        })
    }
}
