//! The server of an application, which mints tokens for its clients with the first key of the deployment, and whose
//! operator rotates the keys.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::jwt;
use super::keys::{Key, Keys};
use super::pass::{Pass, Wallet};
use super::reader_keys::ReaderKeys;
use crate::judge::scenario::AccessPlan;
use crate::judge::tenancy::Tenancy;
use crate::kernel::random::Random;
use crate::kernel::watch::Watch;
use crate::tailrace::{Claims, KeyRing, Scope, StreamPattern, mint};

/// Has the randomness of those who pass by differ from that of the rest.
const OF_PASSERS: u64 = 0x7061_7373;

/// And that of the key that KV knows.
const OF_KV: u64 = 0x006b_6579_696e_6b76;

/// Strangers of a run, at most, and those who pass by.
const MOST_STRANGERS: u32 = 60;
const MOST_PASSERS: u32 = 200;

/// A header as a library writes it that knows nothing of key ids.
pub(super) const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// Who shows a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shower {
    /// A client, in the operation of that index in the history.
    Client(usize),
    /// A stranger, in the request of that number in the world. What it is told depends on the key, too.
    Stranger(u64),
}

/// What mints tokens, and what is known of those who hold them.
pub(crate) struct Issuer {
    pub(super) plan: AccessPlan,
    pub(super) random: Random,
    pub(super) keys: RefCell<Keys>,
    /// The key of the project of which KV knows, where there is one.
    pub(super) of_kv: Key,
    /// By how much the clocks of the edge may be off, in ms: tokens last as much longer.
    pub(super) off_ms: u64,
    /// The ids of keys whose tokens nobody may use any more.
    retired: RefCell<BTreeSet<String>>,
    pub(super) wallet: RefCell<Wallet>,
    /// The keys of tokens whose requests have no answer yet.
    under_way: RefCell<BTreeMap<Shower, String>>,
    /// What must be written down nowhere.
    watch: Watch,
    strangers_left: Cell<u32>,
    reader_keys: ReaderKeys,
    /// What those who pass by draw from.
    pub(super) passers: Random,
    passers_left: Cell<u32>,
}

impl Issuer {
    /// Of a scenario with that plan and schedule, in a world whose edges' clocks are off by so many ms at most.
    pub(crate) fn new(plan: AccessPlan, schedule: u64, off_ms: u64, watch: Watch) -> Self {
        // Has its randomness differ from what the world draws.
        let random = Random::new(schedule ^ 0x6b65_7973);
        let keys = RefCell::new(Keys::draw(&random));
        let of_kv = Key::draw(&Random::new(schedule ^ OF_KV), 0);
        let (retired, wallet, under_way) = <_>::default();
        let strangers_left = Cell::new(MOST_STRANGERS);
        let (passers, passers_left) = (Random::new(schedule ^ OF_PASSERS), Cell::new(MOST_PASSERS));
        let reader_keys = ReaderKeys::new(plan.reader_keys_permille, schedule);
        let issuer = Self {
            plan,
            random,
            keys,
            of_kv,
            off_ms,
            retired,
            wallet,
            under_way,
            watch,
            strangers_left,
            reader_keys,
            passers,
            passers_left,
        };
        issuer.keep_secret(&issuer.keys.borrow().first().clone());
        if plan.tenancy == Tenancy::Two {
            issuer.keep_secret(&issuer.of_kv);
        }
        issuer
    }

    fn keep_secret(&self, key: &Key) {
        self.watch.expect_nowhere(&jwt::encode(&key.secret));
    }

    /// Which projects there are.
    pub(crate) fn tenancy(&self) -> Tenancy {
        self.plan.tenancy
    }

    /// What KV knows of the project whose keys are there, as JSON.
    pub(crate) fn record(&self, origins: &[&str]) -> String {
        let Key { id, .. } = &self.of_kv;
        let keys = [serde_json::json!({"id": id, "secret": jwt::encode(&self.of_kv.secret), "created": 0})];
        serde_json::json!({"version": 1, "keys": keys, "origins": origins}).to_string()
    }

    /// The key that mints for the project of a stream.
    pub(super) fn key_of(&self, stream: usize) -> Key {
        match self.tenancy().index(stream) {
            0 => self.keys.borrow().first().clone(),
            _ => self.of_kv.clone(),
        }
    }

    /// What tells the key that mints for a stream from all others: keys of two projects may have the same id.
    pub(super) fn name_of_key(&self, stream: usize) -> String {
        let id = self.key_of(stream).id;
        match self.tenancy().index(stream) {
            0 => id,
            _ => format!("{} of {}", id, self.tenancy().project(stream)),
        }
    }

    /// The keys of the project that has this one.
    fn ring_with(&self, key: &Key) -> KeyRing {
        if *key == self.of_kv { key.ring() } else { self.ring() }
    }

    /// The keys as the deployment has them now.
    pub(crate) fn ring(&self) -> KeyRing {
        self.keys.borrow().ring()
    }

    /// Has clients use no more tokens of a key that goes with the next step of the rotation.
    pub(crate) fn retire(&self) {
        let leaving = self.keys.borrow().leaving().map(|key| key.id.clone());
        self.retired.borrow_mut().extend(leaving);
    }

    /// Whether a client waits for the answer to a request with a token of a key that goes.
    pub(crate) fn is_retired_in_use(&self) -> bool {
        self.under_way.borrow().values().any(|key| self.retired.borrow().contains(key))
    }

    /// The next step of the rotation; returns the keys after it.
    pub(crate) fn rotate(&self) -> KeyRing {
        self.keys.borrow_mut().step(&self.random);
        let second = self.keys.borrow().second().cloned();
        second.iter().for_each(|key| self.keep_secret(key));
        self.ring()
    }

    pub(super) fn is_retired(&self, key: &str) -> bool {
        self.retired.borrow().contains(key)
    }

    pub(in crate::judge::client) fn begin(&self, op: usize, pass: &Pass) {
        self.under_way.borrow_mut().insert(Shower::Client(op), pass.key.clone());
    }

    pub(in crate::judge::client) fn end(&self, op: usize) {
        self.under_way.borrow_mut().remove(&Shower::Client(op));
    }

    pub(super) fn begin_stranger(&self, request: u64) {
        let key = self.keys.borrow().first().id.clone();
        self.under_way.borrow_mut().insert(Shower::Stranger(request), key);
    }

    pub(super) fn end_stranger(&self, request: u64) {
        self.under_way.borrow_mut().remove(&Shower::Stranger(request));
    }

    /// Somebody was told the reader key of a stream.
    pub(in crate::judge::client) fn learn_reader_key(&self, stream: usize, key: &str, now_ms: u64) {
        self.reader_keys.learn(stream, key, now_ms);
    }

    /// The reader key that a client puts into the URL of a read now.
    pub(in crate::judge::client) fn reader_key(&self, client: usize, stream: usize, now_ms: u64) -> Option<String> {
        self.reader_keys.of(client, stream, now_ms)
    }

    /// Whether clients use reader keys.
    pub(in crate::judge::client) fn uses_reader_keys(&self) -> bool {
        self.reader_keys.are_used()
    }

    /// Whether a stranger repeats the next request.
    pub(in crate::judge::client) fn draws_stranger(&self) -> bool {
        let draws = self.strangers_left.get() > 0 && self.random.chance(self.plan.strangers_permille);
        self.strangers_left.set(self.strangers_left.get() - u32::from(draws));
        draws
    }

    /// Whether somebody who passes by repeats the next read.
    pub(in crate::judge::client) fn draws_passer(&self) -> bool {
        let draws = self.passers_left.get() > 0 && self.passers.chance(self.plan.passers_permille);
        self.passers_left.set(self.passers_left.get() - u32::from(draws));
        draws
    }

    /// Whether the deployment lists origins.
    pub(crate) fn lists_origins(&self) -> bool {
        self.plan.lists_origins
    }

    /// A token that says so of a stream, minted by core or signed as any library does, without a `kid`.
    pub(super) fn mint(&self, stream: usize, claims: &Claims) -> String {
        let key = self.key_of(stream);
        let token = match self.random.chance(600) {
            true => mint(&self.ring_with(&key), claims).expect("a token that is not too long"),
            false => jwt::signed(&key.secret, HEADER, &payload(claims)),
        };
        self.watch.expect_nowhere(jwt::signature(&token));
        token
    }

    /// Claims that grant a scope of a stream until then, each in one of the ways there are.
    pub(super) fn claims(&self, scope: Scope, stream: usize, expires_s: u64) -> Claims {
        let path = self.tenancy().path(stream);
        let below = path.rsplit_once('/').map(|(folder, _)| format!("{folder}/*"));
        let pattern = match self.random.between(0, 9) {
            0..5 => Some(path.clone()),
            5..8 => below,
            _ => None,
        };
        Claims {
            project: self.tenancy().project(stream).to_owned(),
            scope,
            expires_s,
            begins_s: self.random.chance(200).then_some(0),
            stream: pattern.as_deref().and_then(StreamPattern::parse),
            stream_id: self.random.chance(100).then_some(path),
        }
    }
}

/// The payload of a token, as a library writes it.
pub(super) fn payload(claims: &Claims) -> String {
    let mut payload = serde_json::json!({
        "sub": claims.project, "scope": claims.scope.name(), "exp": claims.expires_s, "iat": 0, "jti": "x",
    });
    let mut add = |name: &str, value: Option<serde_json::Value>| {
        value.into_iter().for_each(|value| payload[name] = value);
    };
    add("nbf", claims.begins_s.map(Into::into));
    add("stream", claims.stream.as_ref().map(|stream| stream.to_string().into()));
    add("stream_id", claims.stream_id.clone().map(Into::into));
    payload.to_string()
}
