//! Long logs, small messages, and room in the database.
//!
//! | module | rule |
//! | --- | --- |
//! | `cost` | a long log costs no more than a short one |
//! | `room` | what rows take in a database, and that there is always room to free them |
//! | `small_messages` | the largest segments, of the smallest messages |

mod cost;
mod room;
mod small_messages;
