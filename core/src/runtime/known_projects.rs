//! What an isolate knows of projects.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::protocol::limits::PROJECTS_KNOWN;
use crate::protocol::{KeyRing, Origins};

/// A project, as requests at the edge use it.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// The version of its record.
    pub version: u64,
    /// Its keys.
    pub keys: KeyRing,
    /// The origins whose scripts may read its streams.
    pub origins: Origins,
}

/// What is known of a project.
#[derive(Clone, Debug)]
pub struct KnownProject {
    /// The project; `None` if there is none.
    pub tenant: Option<Rc<Tenant>>,
    /// When that was asked for, in ms since the Unix epoch.
    pub read_ms: u64,
    /// When it was asked for in vain since, in ms since the Unix epoch; `None` if it was not.
    pub failed_ms: Option<u64>,
}

/// The projects that an instance of core knows, at most [`PROJECTS_KNOWN`]. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct KnownProjects(Rc<RefCell<BTreeMap<String, KnownProject>>>);

impl KnownProjects {
    /// What is known of a project; `None` if nothing is.
    pub fn get(&self, project: &str) -> Option<KnownProject> {
        self.0.borrow().get(project).cloned()
    }

    /// From here on this is known of a project. If there are too many, one is forgotten: the one that was asked for longest ago,
    /// and first of all those that there are not, since whoever asks can think of as many as he likes.
    pub fn insert(&self, project: &str, known: KnownProject) {
        let mut all = self.0.borrow_mut();
        if all.len() >= PROJECTS_KNOWN && !all.contains_key(project) {
            let oldest = all.iter().min_by_key(|(_, known)| (known.tenant.is_some(), known.read_ms));
            if let Some(oldest) = oldest.map(|(project, _)| project.clone()) {
                all.remove(&oldest);
            }
        }
        all.insert(project.to_owned(), known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(is_there: bool, read_ms: u64) -> KnownProject {
        let keys = KeyRing::parse(&format!("a:{}", "A".repeat(43))).expect("a key");
        let tenant = is_there.then(|| Rc::new(Tenant { version: 1, keys, origins: Origins::Any }));
        KnownProject { tenant, read_ms, failed_ms: None }
    }

    #[test]
    fn of_too_many_the_absent_ones_are_forgotten_first_and_then_the_oldest() {
        let all = KnownProjects::default();
        all.insert("old", known(true, 1));
        all.insert("absent", known(false, 9_000));
        for number in 2..PROJECTS_KNOWN as u64 {
            all.insert(&format!("p{number}"), known(true, number));
        }
        all.insert("old", known(true, 1));
        assert!(all.get("absent").is_some(), "there is room for all");
        all.insert("new", known(true, 10_000));
        assert!(all.get("absent").is_none() && all.get("old").is_some());
        all.insert("newer", known(false, 10_001));
        assert!(all.get("old").is_none() && all.get("p2").is_some() && all.get("newer").is_some());
        assert_eq!(all.0.borrow().len(), PROJECTS_KNOWN);
    }
}
