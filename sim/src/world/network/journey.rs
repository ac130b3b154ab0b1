//! The time of a call of a service: one part passes before the call reaches the service, the rest after.

use crate::kernel::rt;
use crate::world::environment::Environment;

/// A call that has reached its service.
pub(crate) struct Journey {
    back_ms: u64,
}

impl Journey {
    /// The way there, of a call that takes so many ms.
    pub(crate) async fn begin(environment: &Environment, both_ms: u64) -> Self {
        let there_ms = environment.random.between(0, both_ms);
        rt::sleep_ms(there_ms).await;
        Self { back_ms: both_ms - there_ms }
    }

    /// The way back.
    pub(crate) async fn end(self) {
        rt::sleep_ms(self.back_ms).await;
    }
}
