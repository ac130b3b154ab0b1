//! What a class of objects brings to a world.

use tailrace_core::protocol::Response;
use tailrace_core::runtime::Actor;

use crate::bill::Cause;
use crate::world::objects::state::ObjectState;
use crate::world::storage::object_sql::ObjectSql;

/// A class of objects.
pub trait ObjectClass: Actor<ObjectState> {
    /// Whether the constructor may write to this storage. One that writes at every start would be billed each time that
    /// its object is evicted and started again.
    fn may_write_at_start(storage: &ObjectSql) -> bool;

    /// What a call with that message is billed for.
    fn cause(message: &str) -> Cause;

    /// What those are told whose calls are under way when the instance of core is lost.
    fn answer_when_lost() -> Response;

    /// A message as an object reads it that is of another release than its sender.
    fn of_another_release(message: &str) -> String;
}
