//! Calls of R2, as the platform bills them. A local runtime tells a request nothing of them: the bucket that it is given
//! counts what the real Worker asks, and a simulated world's meters what core asks there. Both are counted over a whole
//! script and what its alarms do afterwards, since an alarm of the real runtime falls when it falls.

use std::fmt;

use tailrace_sim::bill::{Meter, Usage};

/// Calls of R2 by their price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketCalls {
    /// Those that write or list.
    pub class_a: u64,
    /// Those that read.
    pub class_b: u64,
}

impl BucketCalls {
    /// Of a simulated world.
    pub fn of(usage: &Usage) -> Self {
        Self { class_a: usage.total(Meter::R2ClassA), class_b: usage.total(Meter::R2ClassB) }
    }
}

/// A line of the file in which they are told: those that write, a space, and those that read.
impl fmt::Display for BucketCalls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.class_a, self.class_b)
    }
}
