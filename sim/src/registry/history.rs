//! What was asked of the registry and of the edge, and told.

use super::holder::HeldKey;
use crate::kernel::marks::Marks;

/// What an operator changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Creates the project.
    Create,
    /// Adds a key.
    Add,
    /// Removes the key of that id.
    Remove(String),
    /// Removes the project.
    Delete,
}

/// A change.
#[derive(Clone, Debug)]
pub struct Change {
    /// The project.
    pub project: String,
    /// What was asked.
    pub what: What,
    /// When, in virtual ms.
    pub asked_ms: u64,
    /// When its operator was told, or gave up, in virtual ms.
    pub ended_ms: u64,
    /// The status of the answer; `None` if there was none.
    pub status: Option<u16>,
    /// The key that was made.
    pub key: Option<HeldKey>,
    /// From when on it is said to be usable, in virtual ms.
    pub usable_ms: Option<u64>,
}

impl Change {
    /// Whether it was acknowledged to have changed something.
    pub fn is_done(&self) -> bool {
        matches!(self.status, Some(201 | 204))
    }

    /// Whether it may have changed something, or may still: it was not refused.
    pub fn may_be_done(&self) -> bool {
        self.status.is_none_or(|status| !(400..500).contains(&status))
    }
}

/// A holder of a key asks for a stream.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The project of the stream.
    pub project: String,
    /// The project of the key.
    pub of: String,
    /// The id of the key.
    pub key: String,
    /// When, in virtual ms.
    pub asked_ms: u64,
    /// When it was told, or gave up, in virtual ms.
    pub ended_ms: u64,
    /// The status of the answer; `None` if there was none.
    pub status: Option<u16>,
}

/// What the registry tells of a project in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The project.
    pub project: String,
    /// The ids of its keys; `None` if there is no project.
    pub keys: Option<Vec<String>>,
}

/// What was asked and told in a run.
#[derive(Clone, Debug, Default)]
pub struct RegistryHistory {
    /// The changes, in the order in which they were asked for.
    pub changes: Vec<Change>,
    /// What holders of keys were told.
    pub probes: Vec<Probe>,
    /// Keys that the earlier system had left in KV.
    pub left: Vec<HeldKey>,
    /// When a read of KV has failed, in virtual ms.
    pub failed_ms: Vec<u64>,
    /// When a put of a project's object has failed, in virtual ms, with the project.
    pub unsure_ms: Vec<(u64, String)>,
    /// What the registry tells once all is calm.
    pub shown: Vec<Shown>,
    /// What was reached.
    pub marks: Marks,
    /// Everything that happened, if it was asked for.
    pub trace: String,
    /// From when on everything is calm and settled, in virtual ms.
    pub settled_ms: u64,
}
