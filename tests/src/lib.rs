//! What tests that need several crates share.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`stream_client`] | a client of one stream in a simulated world |
//! | [`fidelity`] | one script of requests, asked of the simulator and of the real runtime |

pub mod fidelity;
pub mod stream_client;
