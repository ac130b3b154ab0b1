//! Packages of the machine's own Debian archive, unpacked under `.tailrace/`.
//!
//! This is for machines that reach the packages of Debian and of Cargo, but no server of rustup: they have a compiler,
//! but no std for wasm. It is not used if rustup has a network or the compiler has the target.
//!
//! | module | noun |
//! | --- | --- |
//! | `archive` | packages, downloaded and unpacked, never installed |
//! | `compiler` | a compiler from there that builds and links for wasm |

pub(super) mod archive;
pub(super) mod compiler;
