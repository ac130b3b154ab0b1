//! Whether everybody may read a stream: that is so for as long as the stream lives, and may be otherwise for the next one at
//! its URL.

use super::log_position::LogPosition;
use crate::judge::history::{Call, History, Moment};

/// Whether everybody may read a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publicity {
    /// Everybody.
    Public,
    /// Who has a grant.
    Private,
    /// It may be either.
    Unknown,
}

/// A creation that may have made a stream.
#[derive(Clone, Copy, Debug)]
struct Creation {
    invoked: Moment,
    /// The first segment of its stream, if it is known that it has made one.
    start: Option<u64>,
    public: bool,
}

/// Which streams at a URL everybody may read.
#[derive(Debug, Default)]
pub(super) struct Publicities {
    creations: Vec<Creation>,
}

impl Publicities {
    pub(super) fn of(history: &History, stream: usize) -> Self {
        let creations = history.of_stream(stream).filter_map(|(_, op)| match op.call {
            Call::Create { public, .. } if matches!(op.status(), None | Some(201)) => {
                let start = op.told().and_then(LogPosition::parse).map(|at| at.segment);
                Some(Creation { invoked: op.invoked, start, public })
            }
            _ => None,
        });
        Self { creations: creations.collect() }
    }

    /// Of the stream that this segment is of, or of any that was created before then.
    pub(super) fn of_segment(&self, segment: Option<u64>, until: Moment) -> Publicity {
        let made = || self.creations.iter().filter(|creation| creation.invoked < until);
        let are = |public: bool| made().all(|creation| creation.public == public);
        match (are(true), are(false)) {
            (true, true) => return Publicity::Unknown,
            (true, false) => return Publicity::Public,
            (false, true) => return Publicity::Private,
            (false, false) => {}
        }
        let begun = |creation: &&Creation| creation.start.zip(segment).is_some_and(|(start, segment)| start <= segment);
        let Some(own) = made().filter(begun).max_by_key(|creation| creation.start) else { return Publicity::Unknown };
        // One of which nobody knows may have begun since.
        let is_first = own.start == segment;
        let is_other = |creation: &Creation| creation.start.is_none() && creation.public != own.public;
        match own.public {
            _ if !is_first && made().any(is_other) => Publicity::Unknown,
            true => Publicity::Public,
            false => Publicity::Private,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{created, deleted, run};

    #[test]
    fn a_stream_is_public_if_its_creation_says_so() {
        let ever = Moment { tick: u64::MAX, ms: u64::MAX };
        for (streams, segment, expected) in [
            (&[(false, created(0))][..], None, Publicity::Private),
            (&[(true, created(0))], None, Publicity::Public),
            (&[(true, created(0)), (false, created(3))], None, Publicity::Unknown),
            (&[(true, created(0)), (false, created(3))], Some(2), Publicity::Public),
            (&[(true, created(0)), (false, created(3))], Some(3), Publicity::Private),
            (&[(true, created(0)), (false, None)], Some(0), Publicity::Public),
            (&[(true, created(0)), (false, None)], Some(1), Publicity::Unknown),
            (&[(true, created(0)), (true, None)], Some(1), Publicity::Public),
        ] {
            let mut run = run();
            run.history.ops.clear();
            for (public, answer) in streams {
                run.create_public(*public, answer.clone());
                run.delete(deleted());
            }
            assert_eq!(Publicities::of(&run.history, 0).of_segment(segment, ever), expected, "{streams:?} {segment:?}");
        }
    }
}
