//! KV as a scripted edge reaches it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Weak;

use super::Stage;
use crate::runtime::{KvError, KvKey, KvListing, KvView};

/// What it has, by key: the texts with their notes. Each call is noted down.
#[derive(Default)]
pub(in crate::edge) struct ScriptedKv {
    pub(super) stage: Weak<Stage>,
    pub(in crate::edge) texts: RefCell<BTreeMap<String, (String, String)>>,
    pub(in crate::edge) is_down: Cell<bool>,
}

impl ScriptedKv {
    fn call(&self, what: &str, limit_ms: u64) -> Result<(), KvError> {
        if let Some(stage) = self.stage.upgrade() {
            stage.note(format!("kv {what}"));
            if self.is_down.get() {
                stage.pass(limit_ms);
            }
        }
        if self.is_down.get() { Err(KvError("it is down".to_owned())) } else { Ok(()) }
    }
}

impl KvView for ScriptedKv {
    async fn get(&self, key: &str, limit_ms: u64) -> Result<Option<String>, KvError> {
        self.call(&format!("get {key}"), limit_ms)?;
        Ok(self.texts.borrow().get(key).map(|(text, _)| text.clone()))
    }

    /// Two keys a page.
    async fn list(&self, from: Option<&str>, limit_ms: u64) -> Result<KvListing, KvError> {
        self.call(&format!("list {}", from.unwrap_or_default()), limit_ms)?;
        let from = from.unwrap_or_default();
        let texts = self.texts.borrow();
        let mut found = texts.iter().filter(|(name, _)| name.as_str() >= from);
        let keys = found.by_ref().take(2).map(|(name, (_, note))| KvKey { name: name.clone(), note: note.clone() });
        let keys = keys.collect();
        Ok(KvListing { keys, next: found.next().map(|(name, _)| name.clone()) })
    }
}
