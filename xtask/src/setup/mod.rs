//! What a verb needs and the machine may lack. Every part first checks, which is quick, and acts only on what is
//! missing; nothing outside the repository's own folders is ever changed.
//!
//! | module | noun |
//! | --- | --- |
//! | `rust` | a compiler that builds and links for wasm |
//! | `debian` | the same from the machine's own Debian archive, where nothing else works |
//! | `node` | Node and the npm packages: wrangler, workerd, the conformance suite |

pub(crate) mod debian;
pub(crate) mod node;
pub(crate) mod rust;
