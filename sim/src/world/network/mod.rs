//! The network between clients, isolates and objects.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `travel` | messages on their way, and the calls that they make up |

pub(crate) mod travel;
