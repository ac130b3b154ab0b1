//! The Durable Objects: drivers that turn messages into commands of `stream`, and outcomes into answers.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `stream_object` | the object of one stream |
//! | `live` | live reads: an answer, or a place to wait |
//! | `audience` | who waits for what comes |
//! | `answer` | outcomes as responses |
//! | `agenda` | the durable list behind the one alarm |
//! | `settings` | what a deployment sets |

mod agenda;
mod answer;
mod audience;
mod live;
mod settings;
mod stream_object;

pub use settings::Settings;
pub use stream_object::StreamObject;
