//! What a verb needs and the machine may lack. Every part first checks, which is quick, and acts only on what is
//! missing; nothing outside the repository's own folders is ever changed.
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
