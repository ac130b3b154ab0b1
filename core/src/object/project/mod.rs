//! The object of one project: the truth about its keys and origins, of which KV is the broadcast.
//!
//! KV alone would lose one of two concurrent changes, and could not promise that a key stays. So each change is a transaction
//! here, which also enters that the record is to be published, and the whole record is published until KV has confirmed it.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `project_object` | the object: what is asked of it, and its alarm |
//! | `changes` | the rules of a change: a pure function of the record |
//! | `publication` | when the record is put into KV, and when once more |
//! | `table` | the one row that the object stores |
//! | `answer` | what it answers |

mod answer;
mod changes;
mod project_object;
mod publication;
mod table;

pub use project_object::ProjectObject;
