//! Whole objects.
//!
//! | module | rule |
//! | --- | --- |
//! | `readers` | what readers that wait cost an object |
//! | `segments_left` | the segments of a URL are counted down |
//! | `steps` | what may happen between two steps of the encoding of a segment |

mod readers;
mod segments_left;
mod steps;
