//! What every isolate has.

use super::Mark;
use crate::protocol::{Incarnation, ReaderKey};

/// Clock and randomness. Clones are cheap.
pub trait Isolate: Clone + 'static {
    /// Milliseconds since the Unix epoch; stands still between I/O on Workers.
    fn now_ms(&self) -> u64;

    /// Fills `bytes` with randomness: cryptographic on Workers, seeded in the simulator.
    fn fill_random(&self, bytes: &mut [u8]);

    /// A random number.
    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_random(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// A fresh random id: for a new stream, a start of an object, or an attempt to store a segment.
    fn fresh_id(&self) -> Incarnation {
        let mut bytes = [0; 16];
        self.fill_random(&mut bytes);
        Incarnation::from_random(bytes)
    }

    /// A fresh reader key.
    fn fresh_reader_key(&self) -> ReaderKey {
        let mut bytes = [0; 16];
        self.fill_random(&mut bytes);
        ReaderKey::from_random(bytes)
    }

    /// A fresh id and a fresh reader key, for a new stream, from one draw: on Workers each is a crossing.
    fn fresh_id_and_reader_key(&self) -> (Incarnation, ReaderKey) {
        let mut bytes = [[0; 16]; 2];
        self.fill_random(bytes.as_flattened_mut());
        let [id, key] = bytes;
        (Incarnation::from_random(id), ReaderKey::from_random(key))
    }

    /// Waits. The isolate stays in memory meanwhile.
    async fn sleep_ms(&self, ms: u64);

    /// Counts a coverage mark: something that should happen sometimes has happened. Does nothing outside the simulator.
    fn sometimes(&self, _mark: Mark) {}
}
