//! The body of a scripted client's request.

use std::rc::Rc;

use super::Stage;
use crate::runtime::{Extent, Upload, UploadBroken};

/// The body of a scripted client's request: so many bytes, and whether it breaks off after them.
pub(in crate::edge) struct ScriptedUpload {
    stage: Rc<Stage>,
    pub(super) bytes: usize,
    breaks: bool,
}

impl ScriptedUpload {
    pub(super) fn new(stage: Rc<Stage>, bytes: usize, breaks: bool) -> Self {
        Self { stage, bytes, breaks }
    }
}

impl Upload for ScriptedUpload {
    async fn read(&self, limit: Option<usize>, _within_ms: Option<u64>) -> Result<Extent, UploadBroken> {
        self.stage.note(limit.map_or("read all".to_owned(), |limit| format!("read {limit}")));
        match limit {
            Some(limit) if self.bytes > limit => Ok(Extent::Beyond),
            _ if self.breaks => Err(UploadBroken),
            _ => Ok(Extent::Whole),
        }
    }

    async fn drain(&self) {
        self.stage.held_at_drain.set(Some(self.stage.held.bytes()));
        self.stage.note("drain");
    }
}
