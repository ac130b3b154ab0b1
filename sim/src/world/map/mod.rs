//! Where everything is: datacenters ("colos"), each in a region of the world, and objects, each in a datacenter.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `region` | the regions, and how far they are from one another |
//! | `colo` | a datacenter |
//! | `world_map` | the datacenters of a world, and the ways between them |
//! | `placement` | in which datacenter each object is |
//! | `faults` | what goes wrong |

mod colo;
mod faults;
mod placement;
mod region;
pub(super) mod world_map;

pub use faults::MapFaults;
pub use region::Region;
