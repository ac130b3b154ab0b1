//! An object of any class: what a host runs.

use super::{ProjectObject, Settings, StreamObject};
use crate::protocol::Class;
use crate::runtime::{Actor, ActorState, AlarmFailure, ObjectAnswer, ObjectRequest};

/// An object of the class that its state says.
// There is one of it for each object that is in memory, and a stream's is the usual one.
#[allow(clippy::large_enum_variant)]
pub enum AnyObject<S: ActorState> {
    /// That of a stream.
    Stream(StreamObject<S>),
    /// That of a project.
    Project(ProjectObject<S>),
}

impl<S: ActorState> Actor<S> for AnyObject<S> {
    type Settings = Settings;

    fn new(state: S, settings: Settings) -> Self {
        match state.class() {
            Class::Stream => Self::Stream(StreamObject::new(state, settings)),
            Class::Project => Self::Project(ProjectObject::new(state, settings)),
        }
    }

    async fn call(&self, request: ObjectRequest) -> ObjectAnswer {
        match self {
            Self::Stream(object) => object.call(request).await,
            Self::Project(object) => object.call(request).await,
        }
    }

    async fn alarm(&self) -> Result<(), AlarmFailure> {
        match self {
            Self::Stream(object) => object.alarm().await,
            Self::Project(object) => object.alarm().await,
        }
    }
}
