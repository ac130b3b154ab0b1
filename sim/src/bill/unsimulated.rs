//! What is used and is not simulated, beside what is.

use super::{Cause, Meter, Usage, cpu, turn};

/// What was used, with the CPU time of the edge and the time that the turns of objects take, each for what has caused it.
pub fn with_unsimulated(usage: &Usage) -> Usage {
    let mut whole = usage.clone();
    for cause in Cause::ALL {
        whole.add(*cause, Meter::WorkerCpuUs, cpu::worker_us(usage, *cause));
        whole.add(*cause, Meter::ObjectMs, turn::object_ms(usage, *cause));
    }
    whole
}

/// The same of a deployment with keys: each request that reaches the Worker has a token, which is verified.
pub fn with_tokens(usage: &Usage) -> Usage {
    let mut whole = usage.clone();
    for cause in Cause::ALL {
        whole.add(*cause, Meter::WorkerCpuUs, cpu::tokens_us(usage, *cause));
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_simulated_is_added_to_what_is_for_each_cause() {
        let mut usage = Usage::default();
        usage.add(Cause::Poll, Meter::ObjectMs, 5);
        for cause in [Cause::Poll, Cause::Write] {
            usage.add(cause, Meter::WorkerRequests, 3);
            usage.add(cause, Meter::ObjectRequests, 2);
        }
        let whole = with_unsimulated(&usage);
        for (cause, simulated_ms) in [(Cause::Poll, 5), (Cause::Write, 0)] {
            assert_eq!(whole.of(cause, Meter::WorkerCpuUs), cpu::worker_us(&usage, cause));
            assert!(whole.of(cause, Meter::WorkerCpuUs) > 0);
            assert_eq!(whole.of(cause, Meter::ObjectMs), simulated_ms + turn::object_ms(&usage, cause));
            assert_eq!(whole.of(cause, Meter::WorkerRequests), 3);
        }
        assert_eq!(whole.only(&[Cause::Read]), Usage::default());
        let tokens = with_tokens(&whole);
        for cause in [Cause::Poll, Cause::Write] {
            let more = tokens.of(cause, Meter::WorkerCpuUs) - whole.of(cause, Meter::WorkerCpuUs);
            assert_eq!(more, cpu::tokens_us(&usage, cause));
            assert!(more > 0);
            assert_eq!(tokens.of(cause, Meter::WorkerRequests), 3);
        }
    }
}
