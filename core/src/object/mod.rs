//! The Durable Objects: drivers that turn messages into commands of `stream`, and outcomes into answers.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `stream_object` | the object of one stream |
//! | `failure` | why a request or an alarm has no outcome |
//! | `live` | live reads: an answer, or a socket to wait on |
//! | `audience` | the readers that wait for new data |
//! | `answer` | the response to each outcome |
//! | `agenda` | the durable list of what to do later; the one alarm is set to its earliest entry |
//! | `alarm` | the alarm's handler: does what is due, nothing of it held up by anything else |
//! | `handler` | whether a handler of the alarm runs, and how it learns that the agenda has changed |
//! | `early_alarms` | alarms that come too early, one after another |
//! | `rotation` | moving sealed segments to R2 |
//! | `page` | reading a page: from storage at once, or after a fetch from R2 |
//! | `cold` | pages from R2, and the indexes of the segments read last |
//! | `sweep` | deleting objects that no row names |
//! | `sweep_duty` | when a sweep is due, and what its duty remembers |
//! | `key` | keys of objects in R2 |
//! | `project` | the object of one project: the truth about its keys and origins |
//! | `any` | an object of any class |
//! | `settings` | what a deployment sets |
//! | `debug` | what debug headers tell |

mod agenda;
mod alarm;
mod answer;
mod any;
mod audience;
mod cold;
mod debug;
mod early_alarms;
mod failure;
mod handler;
mod key;
mod live;
mod page;
mod project;
mod rotation;
mod settings;
mod stream_object;
mod sweep;
mod sweep_duty;

pub use any::AnyObject;
pub use project::ProjectObject;
pub use settings::{ColdSettings, Settings};
pub use stream_object::StreamObject;
use stream_object::unknown_message;
