//! An object's reply on its way through the edge, and kept answers.

use std::rc::Rc;

use tailrace_core::protocol::Response;
use tailrace_core::runtime::{self, CallError, Changes};

use crate::world::edge::context::Context;
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::memory::{Load, What};

/// An object's reply, or a stored answer: its head is there, its body is still on its way.
pub struct ObjectReply {
    response: Response,
    load: Load,
    context: Rc<Context>,
}

/// A kept answer: complete, and plain data, so that it may cross from one request to another. It is in the isolate's
/// memory as long as somebody has it.
#[derive(Clone, Debug)]
pub struct KeptAnswer {
    response: Response,
    _load: Rc<Load>,
}

impl PartialEq for KeptAnswer {
    fn eq(&self, other: &Self) -> bool {
        self.response == other.response
    }
}

impl Eq for KeptAnswer {}

impl KeptAnswer {
    pub(crate) fn new(context: &Context, response: Response) -> Self {
        let load = Rc::new(context.memory().load(What::Reply, response.body.len()));
        Self { response, _load: load }
    }

    /// The answer with these changes.
    pub(crate) fn changed(&self, changes: &Changes) -> Response {
        let mut response = self.response.clone();
        changes.apply(&mut response.headers);
        response
    }
}

impl ObjectReply {
    pub(crate) fn new(context: Rc<Context>, response: Response) -> Self {
        let load = context.memory().load(What::Reply, response.body.len());
        Self { context, response, load }
    }

    /// The whole reply as plain data. Fails as [`Self::whole`].
    pub(crate) fn keep(self) -> Result<KeptAnswer, CallError> {
        self.unbroken()?;
        Ok(KeptAnswer { response: self.response, _load: Rc::new(self.load) })
    }

    /// The whole reply. Fails if it breaks off, or if it belongs to another request.
    pub(crate) fn whole(self) -> Result<Response, CallError> {
        self.unbroken()?;
        Ok(self.response)
    }

    fn unbroken(&self) -> Result<(), CallError> {
        let environment = self.context.environment();
        if !self.context.admits() {
            return Err(CallError::Exception("the reply belongs to another request".to_owned()));
        }
        if environment.chance(environment.faults().edge.reply_broken_permille) {
            environment.mark(marks::REPLY_BROKE_OFF);
            self.context.harm(Harm::ReplyBroken);
            return Err(CallError::Reset);
        }
        Ok(())
    }
}

impl runtime::Reply for ObjectReply {
    fn head(&self) -> Response {
        self.response.clone().without_body()
    }
}

impl runtime::Kept for KeptAnswer {
    fn status(&self) -> u16 {
        self.response.status
    }

    fn head(&self) -> Response {
        self.response.clone().without_body()
    }
}
