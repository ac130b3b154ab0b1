//! What requests and alarms cost: what the platform bills for each of them.

use std::collections::BTreeMap;
use std::rc::Rc;

/// What one client's request has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// How often the Worker was invoked: once, and a second time where a gateway has forwarded it.
    pub invocations: u64,
    /// Calls of objects that reached one.
    pub calls: u64,
    /// Rows that these calls wrote, alarms set among them.
    pub rows: u64,
    /// Of these, alarms set.
    pub alarms: u64,
}

/// What the alarms of one object have cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlarmCharge {
    /// How often its handler was called.
    pub calls: u64,
    /// How many of these calls the object has asked for: on time, and for the first time. The others came too early,
    /// twice, or once more after a failure.
    pub asked: u64,
    /// Rows that it wrote, alarms set among them.
    pub rows: u64,
}

/// All charges of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// By the number of the request.
    pub of_requests: BTreeMap<u64, Charge>,
    /// By the name of the object.
    pub of_alarms: BTreeMap<Rc<str>, AlarmCharge>,
    /// By the name of the object: the first statement that looked at more rows than it may, and by how much.
    pub excesses: BTreeMap<Rc<str>, String>,
}

/// For what something is charged.
#[derive(Clone, Debug)]
pub(crate) enum Account {
    /// A client's request.
    Request(u64),
    /// The alarms of the object of that name.
    Alarms(Rc<str>),
    /// Nothing that anybody has asked for.
    Nobody,
}

impl Charges {
    /// The alarm of an object is called as it has asked for.
    pub(crate) fn ask(&mut self, object: &str) {
        self.of_alarms.entry(object.into()).or_default().asked += 1;
    }

    /// The Worker is invoked for a client's request.
    pub(crate) fn invoke(&mut self, request: u64) {
        self.of_requests.entry(request).or_default().invocations += 1;
    }

    /// Counts alarms that an event has set.
    pub(crate) fn add_alarms(&mut self, account: &Account, alarms: u64) {
        if let Account::Request(number) = account {
            self.of_requests.entry(*number).or_default().alarms += alarms;
        }
    }

    /// Charges an event of an object, and rows that it has written.
    pub(crate) fn add(&mut self, account: &Account, calls: u64, rows: u64) {
        match account {
            Account::Request(number) => {
                let charge = self.of_requests.entry(*number).or_default();
                (charge.calls, charge.rows) = (charge.calls + calls, charge.rows + rows);
            }
            Account::Alarms(object) => {
                let charge = self.of_alarms.entry(object.clone()).or_default();
                (charge.calls, charge.rows) = (charge.calls + calls, charge.rows + rows);
            }
            Account::Nobody => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_add_up_by_request_and_by_object() {
        let mut charges = Charges::default();
        for (account, calls, rows) in [
            (Account::Request(7), 1, 0),
            (Account::Request(7), 0, 2),
            (Account::Alarms("a".into()), 1, 0),
            (Account::Alarms("a".into()), 1, 3),
            (Account::Nobody, 1, 1),
        ] {
            charges.add(&account, calls, rows);
        }
        charges.add_alarms(&Account::Request(7), 1);
        charges.add_alarms(&Account::Alarms("a".into()), 1);
        charges.ask("a");
        charges.invoke(7);
        charges.invoke(7);
        assert_eq!(charges.of_requests, BTreeMap::from([(7, Charge { invocations: 2, calls: 1, rows: 2, alarms: 1 })]));
        assert_eq!(charges.of_alarms, BTreeMap::from([("a".into(), AlarmCharge { calls: 2, asked: 1, rows: 3 })]));
    }
}
