//! The platform, with what goes wrong in it. It knows nothing of Tailrace. Other wings may use what is public here, and
//! nothing else of it.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `platform` | the world that clients talk to, and everything that happens to it |
//! | `sight` | what can be seen of it from outside |
//! | `program` | what runs in a world: an edge and an object class |
//! | `lost` | why a client has no answer |
//! | `faults` | what goes wrong, as numbers: a line for each part of the platform |
//! | `services` | the services that all objects share |
//! | `host_mutant` | known bugs of a host |
//! | [`marks`] | the coverage marks of the platform |
//! | `event` | what happens, as the trace records it |
//! | `charges` | what requests and alarms cost |
//! | `harm` | proof of what faults have done, and to whom |
//! | `environment`, `clock` | what everything in a world shares, and its time |
//! | `memory` | what isolates have in memory |
//! | `map` | datacenters, how far they are apart, and where objects are |
//! | `network` | latency and loss |
//! | `edge` | edge isolates, the requests in them, and their answers |
//! | `object_id` | the platform's identities of objects |
//! | `objects` | objects by name, and their instances |
//! | `activity` | when an instance is idle, and the time that it is billed for |
//! | `spender` | for which kind of event an instance works |
//! | `tenants` | objects that share an instance of core with an isolate |
//! | `sockets` | hibernatable sockets, as an object holds them |
//! | `storage` | which of an object's writes are durable, and what waits for them |
//! | `sql` | a real SQLite with the platform's limits, and its bill |
//! | `alarm` | the alarm service |
//! | `bucket` | R2 |
//! | `cache` | the caches of datacenters |
//! | `kv` | KV |
//! | `front` | what stands between clients and isolates: a zone's CDN, or Workers Cache |

mod activity;
mod alarm;
mod bucket;
mod cache;
mod charges;
mod clock;
mod edge;
mod environment;
mod event;
mod faults;
mod front;
mod harm;
mod host_mutant;
mod kv;
mod lost;
mod map;
pub mod marks;
mod memory;
mod network;
mod object_id;
mod objects;
mod platform;
mod program;
mod services;
mod sight;
mod sockets;
mod spender;
mod sql;
mod storage;
mod tenants;

pub use activity::Spell;
pub use alarm::AlarmFaults;
pub use bucket::{Bucket, BucketFaults, ObjectBucket, StoredObject};
pub use cache::{CacheFaults, Caches, Entry, Found, Refused, Store, Visit, Visited};
pub use charges::{AlarmCharge, Charge, Charges};
pub use clock::EPOCH_MS;
pub use edge::EdgeFaults;
pub use edge::download::{AnswerBody, Download};
pub use edge::pipe::Piece;
pub use edge::reply::{KeptAnswer, ObjectReply};
pub use edge::request::{Broken, Request, RequestBody};
pub use edge::socket::EdgeEnd;
pub use edge::state::EdgeState;
pub use edge::times::{EdgeTimes, Times};
pub use edge::upload::Upload;
pub use faults::Faults;
pub use front::{FetchedFor, FrontFaults, FrontFetch, FrontVisit, FrontVisited, Fronts, UPPER_TIER, cache_head};
pub use harm::{Harm, Harms};
pub use host_mutant::HostMutant;
pub use kv::{EdgeKv, Kv, KvFaults, KvPut, ObjectKv};
pub use lost::Lost;
pub use map::{MapFaults, Region};
pub use memory::Footprint;
pub use network::{Line, LineAnswer, LineSocket, Link, NetworkFaults};
pub use objects::state::{ObjectNamespace, ObjectSocket, ObjectState};
pub use objects::{ObjectClass, ObjectFaults};
pub use platform::{Opened, WorldConfigOf, WorldOf};
pub use program::Program;
pub use services::Services;
pub use sight::StoredSummary;
pub use sockets::SocketFaults;
pub use storage::{ObjectSql, PAGE_BYTES, StorageFaults};
