//! Cases as steps, each with its outcome.

use tailrace_core::stream::StreamLimits;

use crate::request::{Post, Put};
use crate::url::Url;

/// Steps with their outcomes; that of a step without an answer is empty.
pub(crate) type Steps<'a> = &'a [(Step, &'a str)];

/// One step of a case.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Put(Put),
    Post(Post),
    Get(&'static str),
    Delete,
    /// Moves all sealed segments to R2.
    Rotate,
    /// Starts the object again: its memory is loaded from storage.
    Restart,
    /// Lets this many ms pass.
    Wait(u64),
}

/// Runs steps one after another at a new URL, and checks their outcomes. They must be the same if the object starts
/// again after each step, and if it moves all sealed segments to R2 after each step.
pub(crate) fn check(limits: &StreamLimits, steps: Steps<'_>) {
    for after_each in [None, Some(Step::Restart), Some(Step::Rotate)] {
        let mut url = Url::new(limits.clone());
        for step in steps {
            run(&mut url, &[*step]);
            run(&mut url, after_each.map(|step| (step, "")).as_slice());
        }
    }
}

/// Runs steps at a URL.
pub(crate) fn run(url: &mut Url, steps: Steps<'_>) {
    for (step, expected) in steps {
        let before = format!("{:?}", url.slot);
        let outcome = match *step {
            Step::Put(put) => Some(url.put(put)),
            Step::Post(post) => Some(url.post(post)),
            Step::Get(from) => Some(url.get(from)),
            Step::Delete => {
                url.delete();
                None
            }
            Step::Rotate => {
                while url.rotate() {}
                None
            }
            Step::Restart => {
                url.restart();
                None
            }
            Step::Wait(ms) => {
                url.now_ms += ms;
                None
            }
        };
        assert_eq!(outcome.unwrap_or_default(), *expected, "{step:?} of {before}");
    }
}
