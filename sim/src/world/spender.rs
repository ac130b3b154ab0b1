//! For which kind of event an instance works at the moment: what its turn uses is billed for that.

use std::cell::Cell;

use crate::bill::Cause;

/// What an event works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spending {
    /// The kind of event. Of an alarm, what its handler has done last: until it has done anything, it was called for a
    /// stream's end.
    pub(crate) cause: Cause,
    /// Whether it is an alarm.
    pub(crate) is_alarm: bool,
}

impl Spending {
    /// What a call or an upgrade works for.
    pub(crate) fn call(cause: Cause) -> Self {
        Self { cause, is_alarm: false }
    }

    /// What an alarm works for, before it has done anything.
    pub(crate) fn alarm() -> Self {
        Self { cause: Cause::Expiry, is_alarm: true }
    }
}

/// For what the turn of an instance works that is under way.
pub(crate) struct Spender(Cell<Spending>);

impl Default for Spender {
    fn default() -> Self {
        Self(Cell::new(Spending::call(Cause::Read)))
    }
}

impl Spender {
    /// A turn begins.
    pub(crate) fn begin(&self, spending: Spending) {
        self.0.set(spending);
    }

    /// For what the turn works, or has worked that ended last.
    pub(crate) fn spending(&self) -> Spending {
        self.0.get()
    }

    /// The turn does what alarms do for that cause. If it is a turn of an alarm, that is what it was called for. Returns
    /// for what it works.
    pub(crate) fn spends_on(&self, cause: Cause) -> Cause {
        let spending = self.0.get();
        if spending.is_alarm {
            self.0.set(Spending { cause, ..spending });
        }
        self.0.get().cause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_alarm_does_tells_for_what_it_was_called_and_a_call_stays_what_it_is() {
        for (spending, does, expected) in [
            (Spending::call(Cause::Write), Some(Cause::Rotation), Cause::Write),
            (Spending::alarm(), None, Cause::Expiry),
            (Spending::alarm(), Some(Cause::Rotation), Cause::Rotation),
            (Spending { cause: Cause::Rotation, is_alarm: true }, Some(Cause::Sweep), Cause::Sweep),
        ] {
            let spender = Spender::default();
            spender.begin(spending);
            let told = does.map(|cause| spender.spends_on(cause));
            assert_eq!((spender.spending().cause, told), (expected, does.map(|_| expected)));
        }
    }
}
