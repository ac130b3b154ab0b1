//! What crosses crates.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`fidelity`] | one script of requests, asked of the simulator and of the real runtime |

pub mod fidelity;
