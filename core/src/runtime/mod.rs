//! The asynchronous runtime that a host gives to core: small request and reply types, and traits with native
//! `async fn` whose futures are `!Send`. There are two environments, as on the platform: an edge isolate has no SQL; an
//! object has SQL, a bucket, sockets that outlive its memory, and one alarm.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `isolate` | what every isolate has: clock, randomness, coverage marks |
//! | `mark`, `marks` | coverage marks, and core's table of them |
//! | `edge` | what a host gives to one request at the edge |
//! | `held_bodies` | how many bytes of bodies the requests of an isolate hold |
//! | `backlogs` | who waits for its client in an isolate, and who of them has to go |
//! | `known_projects` | what an isolate knows of projects |
//! | `upload` | the client's body |
//! | `reply` | an object's reply on its way through, and answers that are plain data |
//! | `changes` | how the header fields of an answer change on its way to the client |
//! | `download` | the body of an answer that is written piece by piece |
//! | `flight` | the work of one request whose answer identical requests share |
//! | `call` | a call as it reaches an object, what it answers, and how a call fails |
//! | `actor` | the object's state, and the object that core exports |
//! | `socket` | sockets between edge and object |
//! | `rate_limit` | limits of how often a client may do something |
//! | `object_store` | storage of whole objects by key: R2 |
//! | `kv_store` | storage of small texts by key, read everywhere: KV |

mod actor;
mod backlogs;
mod call;
mod changes;
mod download;
mod edge;
mod flight;
mod held_bodies;
mod isolate;
mod known_projects;
mod kv_store;
mod mark;
pub mod marks;
mod object_store;
mod rate_limit;
mod reply;
mod socket;
mod upload;

pub use actor::{Actor, ActorState, AlarmFailure};
pub use backlogs::{Backlogs, Stalled};
pub use call::{CallError, ObjectAnswer, ObjectRequest};
pub use changes::Changes;
pub use download::{Download, Patience, PipeEnd, PipeRule, Piped, Pushed, Written};
pub use edge::{Along, CallOutcome, Called, EdgeEnv, Past, Request, Sharing};
pub use flight::{JoinedFlight, Landing, StartedFlight};
pub use held_bodies::{HeldBodies, HeldBody};
pub use isolate::Isolate;
pub use known_projects::{KnownProject, KnownProjects, Tenant};
pub use kv_store::{
    KV_KEY_LIMIT, KV_LIST_LIMIT, KV_PUT_INTERVAL_MS, KV_SETTLES_MS, KvError, KvKey, KvListing, KvStore, KvView,
};
pub use mark::Mark;
pub use object_store::{BATCH_LIMIT, KEY_LIMIT, Listed, Listing, ObjectStore, PutCondition, PutOutcome, StoreError};
pub use rate_limit::RateLimit;
pub use reply::{Kept, Reply};
pub use socket::{After, EdgeSocket, HibernatingSocket, SocketEvent, SocketState, Upgrade};
pub use upload::{Extent, Upload, UploadBroken};
