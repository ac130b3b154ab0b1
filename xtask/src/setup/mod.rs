//! Sets up what a verb needs and the machine lacks. Every part first checks, which is quick, and installs only what is
//! missing. Everything but rustup's target is put into the repository's own folders.
//!
//! | module | noun |
//! | --- | --- |
//! | `rust` | a compiler that builds and links for wasm |
//! | `debian` | packages of the machine's own Debian archive, unpacked and not installed; a compiler from there |
//! | `chromium` | a browser: the machine's, or one from there |
//! | `node` | Node and the npm packages: wrangler, workerd, the conformance suite |

pub mod chromium;
mod debian;
pub mod node;
pub mod rust;
