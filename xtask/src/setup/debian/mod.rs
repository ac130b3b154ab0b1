//! What the machine's own Debian archive has, unpacked under `.tailrace/`.
//!
//! It serves those whose machine reaches the packages of Debian and of Cargo, but no server of rustup: a compiler is there,
//! its std for wasm is not. Whoever has rustup with a network, or a compiler with the target, never comes here.
//!
//! | module | noun |
//! | --- | --- |
//! | `archive` | packages, downloaded and unpacked, never installed |
//! | `compiler` | a compiler from there that builds and links for wasm |

pub(super) mod archive;
pub(super) mod compiler;
