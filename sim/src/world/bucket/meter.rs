//! What the platform bills for R2.

/// How many calls reached the store, as R2 bills them (Cloudflare, R2 pricing).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Class A: puts, refused ones too, and listings.
    pub class_a: u64,
    /// Class B: gets.
    pub class_b: u64,
    /// Keys deleted, which is free.
    pub deletions: u64,
}
