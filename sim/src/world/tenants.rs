//! The platform may run objects and requests at the edge in one isolate, and so in one instance of core. When that is
//! lost, all of them lose what they held in it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

/// What lives in the instance of core of an isolate, beside the isolate's requests.
pub(crate) trait Tenant {
    /// The instance of core is lost.
    fn lose_core(self: Rc<Self>);
}

/// The tenants of each isolate, by the isolate's index.
#[derive(Default)]
pub(crate) struct Tenants(RefCell<BTreeMap<usize, Vec<Weak<dyn Tenant>>>>);

impl Tenants {
    /// From here on the tenant lives in that isolate.
    pub(crate) fn move_in(&self, isolate: usize, tenant: Weak<dyn Tenant>) {
        let mut tenants = self.0.borrow_mut();
        let tenants = tenants.entry(isolate).or_default();
        tenants.retain(|tenant| tenant.strong_count() > 0);
        tenants.push(tenant);
    }

    /// Whether anything lives in that isolate.
    pub(crate) fn live_in(&self, isolate: usize) -> bool {
        let tenants = self.0.borrow();
        tenants.get(&isolate).is_some_and(|tenants| tenants.iter().any(|tenant| tenant.strong_count() > 0))
    }

    /// The instance of core of that isolate is lost. Its tenants stay: they go on in the next one.
    pub(crate) fn lose_core(&self, isolate: usize) {
        let tenants = self.0.borrow().get(&isolate).cloned().unwrap_or_default();
        for tenant in tenants.iter().filter_map(Weak::upgrade) {
            tenant.lose_core();
        }
    }
}
