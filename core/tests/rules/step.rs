//! Cases as steps, each with what it answers.

use tailrace_core::stream::StreamLimits;

use crate::request::{Post, Put};
use crate::url::Url;

/// Steps with their outcomes; steps that answer nothing have an empty one.
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
    /// The object starts anew.
    Restart,
    /// So many ms pass.
    Wait(u64),
}

/// Runs steps one after another at a URL of its own, each with what it answers. Answers are the same if the object starts anew after each step, and if it moves what is sealed to R2.
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
