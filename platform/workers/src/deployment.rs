//! What the deployment configures: its variables, read once for each instance.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tailrace_core::edge::{Access, EdgeConfig};
use tailrace_core::object::Settings;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::console;

/// What edge and objects are configured to do.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) edge: EdgeConfig,
    pub(crate) settings: Settings,
}

thread_local! {
    /// Replaced by `configure`, the first call into an instance.
    static DEPLOYMENT: RefCell<Deployment> = RefCell::new(Deployment::from_vars("", false));
}

impl Deployment {
    /// From names and values in turn, each ended by a NUL, which neither can hold, and whether a bucket is bound.
    ///
    /// Objects have no way to refuse a configuration: where theirs is wrong, the edge lets nobody through to them. That
    /// goes for a deployment without a bucket too: its streams would fill up and never move.
    fn from_vars(vars: &str, has_bucket: bool) -> Self {
        let mut parts = vars.split_terminator('\0');
        let mut named = BTreeMap::new();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            named.insert(name, value);
        }
        let variable = |name: &str| named.get(name).copied();
        let mut edge = EdgeConfig::from_vars(variable);
        let settings = Settings::from_vars(variable).unwrap_or_else(|problem| {
            edge.access = Access::Misconfigured(problem);
            Settings::default()
        });
        if !has_bucket {
            edge.access = Access::Misconfigured("no R2 bucket is bound as SEGMENTS".to_owned());
        }
        Self { edge, settings }
    }

    /// Runs `body` with the deployment's configuration.
    pub(crate) fn with<T>(body: impl FnOnce(&Self) -> T) -> T {
        DEPLOYMENT.with_borrow(body)
    }
}

/// The first call into an instance: its variables, names and values in turn, each ended by a NUL, and whether a bucket is
/// bound.
#[wasm_bindgen]
pub fn configure(vars: &str, has_bucket: bool) {
    console::install();
    // The `worker` crate would have the next call replace a broken instance unasked, under objects that do not know of
    // it. JavaScript replaces it, and starts them again.
    wasm_bindgen::handler::set_on_abort(|| {});
    DEPLOYMENT.set(Deployment::from_vars(vars, has_bucket));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_reach_edge_and_objects_whatever_their_values_hold() {
        let vars = "TAILRACE_NOTE\0two\nlines\0TAILRACE_NO_AUTH\x001\0TAILRACE_PAGE_BYTES\x00512\0";
        let deployment = Deployment::from_vars(vars, true);
        assert_eq!(deployment.edge.access, Access::NoAuth);
        assert_eq!(deployment.settings.limits.page_bytes, 512);
    }

    #[test]
    fn a_wrong_variable_of_an_object_closes_the_edge() {
        let deployment = Deployment::from_vars("TAILRACE_NO_AUTH\x001\0TAILRACE_PAGE_BYTES\x00none\0", true);
        assert!(matches!(deployment.edge.access, Access::Misconfigured(_)));
        assert_eq!(deployment.settings, Settings::default());
    }

    #[test]
    fn nothing_set_lets_nobody_in() {
        assert_eq!(Deployment::from_vars("", true).edge.access, Access::NotConfigured);
    }

    #[test]
    fn without_a_bucket_nobody_is_let_in() {
        let access = |has_bucket| Deployment::from_vars("TAILRACE_NO_AUTH\x001\0", has_bucket).edge.access;
        assert_eq!(access(true), Access::NoAuth);
        assert_eq!(access(false), Access::Misconfigured("no R2 bucket is bound as SEGMENTS".to_owned()));
    }
}
