//! What goes wrong with KV.

use crate::kernel::random::Delay;

/// The knobs of KV.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvFaults {
    /// How long a get takes.
    pub get: Delay,
    /// How long a put takes. It reaches the store within 90 s, however long that is.
    pub put: Delay,
    /// How long a listing takes.
    pub list: Delay,
    /// How old what a location finds of a key is that it has not kept, and what a listing finds. Never more than 90 s.
    pub lag: Delay,
    /// For how long a location keeps what it has found of a key, absence too. It is let go sooner if it would be older
    /// than 90 s.
    pub kept: Delay,
    /// How many keys a page of a listing has at most; 0 is as many as the platform gives.
    pub page_keys: u64,
    /// Of 1,000 calls, those that fail before the store has seen them.
    pub error_before_permille: u32,
    /// Of 1,000 puts, those that are applied although they fail.
    pub error_after_permille: u32,
    /// Of 1,000 puts, those that fail, and are applied later.
    pub late_permille: u32,
    /// How much later; none is applied more than 90 s after it was sent.
    pub late: Delay,
}

impl KvFaults {
    /// What KV is like stays: how long it takes, how old what it gives is, and how much it lists at a time.
    pub(in crate::world) fn delays(&self) -> Self {
        Self { error_before_permille: 0, error_after_permille: 0, late_permille: 0, late: Delay::NONE, ..*self }
    }
}
