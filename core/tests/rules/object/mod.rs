//! Whole objects.
//!
//! | module | rule |
//! | --- | --- |
//! | `attended` | a stream with a connected reader does not expire |
//! | `debugged` | what debug headers tell |
//! | `duties` | what the alarm does: no duty holds up another |
//! | `fan_out` | what a write sends to many readers |
//! | `gone` | what is left of a stream that is gone |
//! | `kept_ahead` | a read whose answer is kept starts a sliding TTL again for others as well |
//! | `large_events` | events whose text is longer than one answer may be |
//! | `marked` | what the marks tell |
//! | `order` | which of several reasons for a refusal is told |
//! | `reader_keys` | who is told a reader key, what answers say of it, and how it is replaced |
//! | `readers` | what readers that wait cost an object |
//! | `refused_alarm` | an alarm that cannot be set undoes the transaction that needs it |
//! | `segments_left` | the segments of a URL are counted down |
//! | `steps` | what may happen between two steps of the encoding of a segment |
//! | `strangers` | what a client without a grant is told |
//! | `text` | readers of a text over a boundary of segments |

mod attended;
mod debugged;
mod duties;
mod fan_out;
mod gone;
mod kept_ahead;
mod large_events;
mod marked;
mod order;
mod reader_keys;
mod readers;
mod refused_alarm;
mod segments_left;
mod steps;
mod strangers;
mod text;
