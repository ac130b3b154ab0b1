//! KV, by commands for the edge and for objects.
//!
//! | file | what it tests |
//! | --- | --- |
//! | `calls` | any call: how long it takes, how it fails, what it costs |
//! | `puts` | puts: the output gate, refusals, and what is applied though it fails |
//! | `reads` | gets and listings: how old what they give is |

mod calls;
mod puts;
mod reads;

use tailrace_core::runtime::{KvError, KvKey, KvListing, KvStore, KvView};

use super::{LIMIT_MS, Probe, World, answer, run_configured};
use crate::bill::Meter;
use crate::world::{EdgeKv, Faults, Harm, KvFaults, ObjectKv, Region, WorldConfigOf};

/// All that the platform lets the edge and objects do with KV; core does less at each of them.
#[allow(async_fn_in_trait)] // Futures of the platform are `!Send`.
pub(super) trait Everything {
    async fn get(&self, key: &str) -> Result<Option<String>, KvError>;
    async fn put(&self, key: &str, text: &str, note: &str) -> Result<(), KvError>;
    async fn list(&self, from: Option<&str>) -> Result<KvListing, KvError>;
}

impl Everything for EdgeKv {
    async fn get(&self, key: &str) -> Result<Option<String>, KvError> {
        KvView::get(self, key, LIMIT_MS).await
    }

    async fn put(&self, key: &str, text: &str, note: &str) -> Result<(), KvError> {
        EdgeKv::put(self, key, text, note, LIMIT_MS).await
    }

    async fn list(&self, from: Option<&str>) -> Result<KvListing, KvError> {
        KvView::list(self, from, LIMIT_MS).await
    }
}

impl Everything for ObjectKv {
    async fn get(&self, key: &str) -> Result<Option<String>, KvError> {
        KvStore::get(self, key, LIMIT_MS).await
    }

    async fn put(&self, key: &str, text: &str, note: &str) -> Result<(), KvError> {
        KvStore::put(self, key, text, note, LIMIT_MS).await
    }

    async fn list(&self, from: Option<&str>) -> Result<KvListing, KvError> {
        ObjectKv::list(self, from, LIMIT_MS).await
    }
}

/// What KV says to a command: `kv-get KEY`, `kv-put KEY TEXT [NOTE]`, or `kv-list [CURSOR]`. After `edge` it is for the
/// edge, else for an object.
pub(super) async fn obey(kv: &impl Everything, command: &str) -> String {
    let words: Vec<&str> = command.splitn(4, ' ').collect();
    let word = |place: usize| words.get(place).copied().unwrap_or_default();
    let told = match word(0) {
        "kv-get" => kv.get(word(1)).await.map(|found| found.unwrap_or_else(|| "none".to_owned())),
        "kv-put" => kv.put(word(1), word(2), word(3)).await.map(|()| "stored".to_owned()),
        "kv-list" => kv.list(command.strip_prefix("kv-list ")).await.map(listed),
        unknown => Ok(format!("unknown: {unknown}")),
    };
    told.unwrap_or_else(|error| error.to_string())
}

/// The keys, each with its note if it has one, and where the next page begins.
fn listed(listing: KvListing) -> String {
    let key = |key: KvKey| match key.note.as_str() {
        "" => key.name,
        note => format!("{}:{note}", key.name),
    };
    let keys: Vec<String> = listing.keys.into_iter().map(key).collect();
    let next = listing.next.map_or_else(String::new, |next| format!(", then {next}"));
    format!("{}{next}", keys.join(" "))
}

fn faults(kv: KvFaults) -> Faults {
    Faults::default().with(|faults| faults.kv = kv)
}

/// Runs `test` with worlds as clients near each of two datacenters use them.
fn run_in_two<F: Future<Output = ()>>(kv: KvFaults, test: impl FnOnce([World; 2]) -> F) {
    let configure = |config: &mut WorldConfigOf<Probe>| {
        config.colos = vec![Region::WesternEurope, Region::SouthAmerica];
    };
    run_configured(1, faults(kv), configure, |world, _| test([world.near(0), world.near(1)]));
}

const FAILED: &str = "failed: 500 Internal Server Error";

/// Whether a call fails as the platform's calls do. One that does not must say what is expected.
async fn fails(world: &World, command: &str, expected: &str) -> bool {
    let told = answer(world, "a", command).await;
    let has_failed = told.ends_with(FAILED);
    assert!(has_failed || told == expected, "{command}: {told}");
    has_failed
}

fn keys(world: &World) -> Vec<String> {
    world.services().kv.newest().into_iter().map(|(key, _)| key).collect()
}

/// The texts that were put under a key, in the order in which they were applied.
fn texts(world: &World, key: &str) -> Vec<String> {
    world.services().kv.puts(key).into_iter().map(|put| put.text).collect()
}

/// How often a harm was done to requests, and to objects.
fn harmed(world: &World, harm: Harm) -> (usize, usize) {
    let harms = world.harms();
    let to_objects = harms.to_objects.iter().filter(|(.., done)| *done == harm).count();
    (harms.to_requests.values().flatten().filter(|done| **done == harm).count(), to_objects)
}

/// How many reads, writes and listings are billed.
fn billed(world: &World) -> [u64; 3] {
    [Meter::KvReads, Meter::KvWrites, Meter::KvLists].map(|meter| world.usage().total(meter))
}
