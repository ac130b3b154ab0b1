//! An object's reply on its way through the edge, and kept answers.

use std::rc::Rc;

use tailrace_core::protocol::Response;
use tailrace_core::runtime::{self, CallError};

use crate::world::edge::context::Context;
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::memory::{Load, What};

/// An object's reply: its head is there, its body is still on its way.
pub struct ObjectReply {
    response: Response,
    _load: Load,
    context: Rc<Context>,
}

/// A kept answer: complete, and plain data, so that it may cross from one request to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer(pub(crate) Response);

impl ObjectReply {
    pub(crate) fn new(context: Rc<Context>, response: Response) -> Self {
        let load = context.memory().load(What::Reply, response.body.len());
        Self { context, response, _load: load }
    }

    /// The whole reply. Fails if it breaks off, or if it belongs to another request.
    pub(crate) fn whole(self) -> Result<Response, CallError> {
        let environment = self.context.environment();
        if !self.context.admits() {
            return Err(CallError::Exception("the reply belongs to another request".to_owned()));
        }
        if environment.chance(environment.faults().edge.reply_broken_permille) {
            environment.mark(marks::REPLY_BROKE_OFF);
            self.context.harm(Harm::ReplyBroken);
            return Err(CallError::Reset);
        }
        Ok(self.response)
    }
}

impl runtime::Reply for ObjectReply {
    fn head(&self) -> Response {
        self.response.clone().without_body()
    }
}

impl runtime::Kept for KeptAnswer {
    fn status(&self) -> u16 {
        self.0.status
    }
}
