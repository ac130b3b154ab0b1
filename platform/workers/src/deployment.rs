//! What the deployment configures: its variables, read once for each wasm instance.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tailrace_core::edge::{Access, EdgeConfig, Rates};
use tailrace_core::object::Settings;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::console;

/// The names of the bindings of the bucket, of KV, and of projects' objects.
const BUCKET: &str = "SEGMENTS";
const KV: &str = "REGISTRY";
const PROJECTS: &str = "PROJECTS";

/// What edge and objects are configured to do.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) edge: EdgeConfig,
    pub(crate) settings: Settings,
}

thread_local! {
    /// Replaced by `configure`, the first call into an instance.
    static DEPLOYMENT: RefCell<Deployment> = RefCell::new(Deployment::from_vars("", ""));
}

impl Deployment {
    /// From names and values of variables in turn, each followed by a NUL, which neither can contain, and the names of all
    /// that is bound, with a NUL between any two.
    ///
    /// Objects cannot refuse a configuration. If theirs is wrong, or if no bucket is bound and their streams could
    /// never move to R2, the edge answers every stream request with a failure.
    fn from_vars(vars: &str, bound: &str) -> Self {
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
        let bound = || bound.split('\0');
        edge.rates = Rates::bound(bound());
        let is_bound = |wanted| bound().any(|name| name == wanted);
        if !is_bound(BUCKET) {
            edge.access = Access::Misconfigured(format!("no R2 bucket is bound as {BUCKET}"));
        } else if edge.registry.is_some() && !(is_bound(KV) && is_bound(PROJECTS)) {
            let problem =
                format!("TAILRACE_PROJECTS is multi, and {KV} (KV) and {PROJECTS} (objects) are not both bound");
            edge.access = Access::Misconfigured(problem);
        }
        Self { edge, settings }
    }

    /// Runs `body` with the deployment's configuration.
    pub(crate) fn with<T>(body: impl FnOnce(&Self) -> T) -> T {
        DEPLOYMENT.with_borrow(body)
    }
}

/// Configures a wasm instance; the first call into it. `vars` holds names and values in turn, each followed by a NUL, and
/// `bound` the names of all bindings, with a NUL between any two.
#[wasm_bindgen]
pub fn configure(vars: &str, bound: &str) {
    console::install();
    // Nothing is done at an abort: JavaScript replaces a broken instance, and starts its objects again.
    wasm_bindgen::handler::set_on_abort(|| {});
    DEPLOYMENT.set(Deployment::from_vars(vars, bound));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_reach_edge_and_objects_whatever_their_values_hold() {
        let vars = "TAILRACE_NOTE\0two\nlines\0TAILRACE_NO_AUTH\x001\0TAILRACE_PAGE_BYTES\x00512\0";
        let deployment = Deployment::from_vars(vars, BUCKET);
        assert_eq!(deployment.edge.access, Access::NoAuth);
        assert_eq!(deployment.settings.limits.page_bytes, 512);
    }

    #[test]
    fn a_wrong_variable_of_an_object_closes_the_edge() {
        let deployment = Deployment::from_vars("TAILRACE_NO_AUTH\x001\0TAILRACE_PAGE_BYTES\x00none\0", BUCKET);
        assert!(matches!(deployment.edge.access, Access::Misconfigured(_)));
        assert_eq!(deployment.settings, Settings::default());
    }

    #[test]
    fn a_number_without_quotes_is_taken_and_what_is_none_closes_the_edge() {
        for (value, long_poll_ms) in [("3000", Some(3_000)), ("25000", Some(25_000))] {
            let deployment =
                Deployment::from_vars(&format!("TAILRACE_NO_AUTH\x001\0TAILRACE_LONG_POLL_MS\0{value}\0"), BUCKET);
            assert_eq!(deployment.edge.access, Access::NoAuth);
            assert_eq!(Some(deployment.settings.waits.long_poll_ms), long_poll_ms);
        }
        // What JavaScript makes of values that are no strings: their JSON text.
        for value in ["25001", "3000.5", "1e+21", "true", "null", "{}", "[3000]"] {
            let deployment =
                Deployment::from_vars(&format!("TAILRACE_NO_AUTH\x001\0TAILRACE_LONG_POLL_MS\0{value}\0"), BUCKET);
            assert!(matches!(deployment.edge.access, Access::Misconfigured(_)), "{value}");
        }
    }

    #[test]
    fn nothing_set_lets_nobody_in() {
        assert_eq!(Deployment::from_vars("", BUCKET).edge.access, Access::NotConfigured);
    }

    #[test]
    fn without_a_bucket_nobody_is_let_in() {
        let access = |bound| Deployment::from_vars("TAILRACE_NO_AUTH\x001\0", bound).edge.access;
        for bound in ["SEGMENTS", "STREAMS\0SEGMENTS", "SEGMENTS\0STREAMS"] {
            assert_eq!(access(bound), Access::NoAuth, "{bound:?}");
        }
        for bound in ["", "STREAMS", "SEGMENTS2"] {
            assert_eq!(
                access(bound),
                Access::Misconfigured("no R2 bucket is bound as SEGMENTS".to_owned()),
                "{bound:?}"
            );
        }
    }

    #[test]
    fn a_deployment_with_several_projects_needs_kv_and_their_objects() {
        let access = |bound| Deployment::from_vars("TAILRACE_PROJECTS\0multi\0", bound).edge.access;
        assert_eq!(access("SEGMENTS\0REGISTRY\0PROJECTS"), Access::Projects);
        for bound in ["SEGMENTS", "SEGMENTS\0REGISTRY", "PROJECTS\0SEGMENTS", "REGISTRY\0PROJECTS"] {
            assert!(matches!(access(bound), Access::Misconfigured(_)), "{bound:?}");
        }
        // Where everybody is let in there are no keys to look for.
        let open = Deployment::from_vars("TAILRACE_PROJECTS\0multi\0TAILRACE_NO_AUTH\x001\0", "SEGMENTS").edge;
        assert_eq!((open.access, open.registry), (Access::NoAuth, None));
    }

    #[test]
    fn what_is_limited_is_what_a_limit_is_bound_for() {
        let rates = |bound| Deployment::from_vars("", bound).edge.rates;
        assert_eq!(rates("SEGMENTS\0STREAMS"), Rates::default());
        assert_eq!(rates("OPENINGS\0SEGMENTS"), Rates { has_openings: true, has_failures: false });
        assert_eq!(rates("FAILURES\0OPENINGS"), Rates { has_openings: true, has_failures: true });
    }
}
