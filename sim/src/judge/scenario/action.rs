//! What clients do, and what happens to the world: each is one line of a table, from which its text follows.

use std::fmt;

use super::field::{Ahead, Load, Mistake, Origin};
use super::word::{Close, Optional, Passed, Plain, Public, Spelling, Stream, Words};
use crate::judge::history::{Lifetime, Manner, Mode};

/// Of each line: the first word of its text, and the fields in the order of the words that follow, each with how it is
/// spelled.
macro_rules! actions {
    (
        $(#[doc = $about:literal])*
        $type:ident {
            $(
                $(#[doc = $doc:literal])*
                $variant:ident = $word:literal $({ $($field:ident: $kind:ty as $spelling:ident),* })?;
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // The fields' names and types say what they are.
        pub enum $type {
            $($(#[doc = $doc])* $variant $({ $($field: $kind),* })?,)*
        }

        impl $type {
            /// Reads one, its first word included.
            pub(super) fn read(words: &mut Words<'_>) -> Option<Self> {
                match words.next()? {
                    $($word => Some(Self::$variant $({
                        $($field: <$spelling as Spelling<$kind>>::read(words)?),*
                    })?),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant $({ $($field),* })? => {
                        formatter.write_str($word)?;
                        $($(<$spelling as Spelling<$kind>>::write($field, formatter)?;)*)?
                        Ok(())
                    })*
                }
            }
        }
    };
}

actions! {
    /// What a client does; `stream` is an index of the scenario's streams.
    Action {
        /// PUT, retried until it has an answer.
        Create = "create" {
            stream: usize as Stream, lifetime: Lifetime as Plain, closes: bool as Close, public: bool as Public,
            load: Option<Load> as Optional
        };
        /// DELETE, once.
        Delete = "delete" { stream: usize as Stream };
        /// POST with `Stream-Closed` alone, retried until it has an answer.
        Close = "close" { stream: usize as Stream };
        /// POST of a writer without producer headers, once.
        Append = "append" {
            stream: usize as Stream, load: Load as Plain, closes: bool as Close, mistake: Option<Mistake> as Optional
        };
        /// POST with `Stream-Seq`: the next one of the stream, or one it has passed. Retried until it has an answer.
        Sequenced = "sequenced" { stream: usize as Stream, load: Load as Plain, passed: bool as Passed };
        /// `depth` POSTs in flight at once with producer headers and successive sequence numbers; each is sent `copies`
        /// times at once, and retried with its tuple until it has an answer. The last one closes the stream if asked.
        Produce = "produce" {
            stream: usize as Stream, load: Load as Plain, depth: usize as Plain, copies: usize as Plain,
            closes: bool as Close
        };
        /// The batch that the client's producer wrote `back` batches ago, once more.
        Resend = "resend" { stream: usize as Stream, back: usize as Plain };
        /// A sequence number far ahead, once.
        Skip = "skip" { stream: usize as Stream, load: Load as Plain };
        /// The client's producer starts again: its next append to any stream begins a new epoch. Others that share its
        /// id become zombies.
        Restart = "restart";
        /// GETs until the tail is reached or `pages` are read.
        Read = "read" {
            stream: usize as Stream, origin: Origin as Plain, pages: usize as Plain, manner: Option<Manner> as Optional
        };
        /// HEAD.
        Head = "head" { stream: usize as Stream };
        /// POST for a new reader key of the stream, once; nothing where no tokens are needed.
        NewReaderKey = "new-reader-key" { stream: usize as Stream };
        /// Live readers, as many as that, which read on beside what their client does else, whatever happens, until
        /// they leave or are told that nothing more comes. They may begin with cursors ahead of the clock, each with
        /// one of its own.
        Join = "join" {
            stream: usize as Stream, mode: Mode as Plain, origin: Origin as Plain, readers: usize as Plain,
            ahead: Option<Ahead> as Optional
        };
        /// The client's live readers of the stream neither ask nor read for so long.
        Stall = "stall" { stream: usize as Stream, for_ms: u64 as Plain };
        /// The client's live readers of the stream leave.
        Leave = "leave" { stream: usize as Stream };
    }
}

actions! {
    /// What happens to the world; `stream` is an index of the scenario's streams.
    Disturbance {
        /// The stream's object is reset.
        Crash = "crash" { stream: usize as Stream };
        /// The stream's object loses its memory, if it is idle.
        Evict = "evict" { stream: usize as Stream };
        /// Another instance takes over the stream's object.
        Supersede = "supersede" { stream: usize as Stream };
        /// An edge isolate restarts.
        RestartIsolate = "restart-isolate" { isolate: usize as Plain };
        /// The host of a datacenter fails: all its isolates restart, and all its objects are reset.
        HostFails = "host-fails" { colo: usize as Plain };
        /// For so long nothing passes between a datacenter and the others.
        CutOff = "cut-off" { colo: usize as Plain, for_ms: u64 as Plain };
        /// For so long, so many of 1,000 requests and responses on every link are lost.
        Lose = "lose" { for_ms: u64 as Plain, permille: u32 as Plain };
        /// Another release is deployed, which takes so long.
        Deploy = "deploy" { for_ms: u64 as Plain };
        /// The next step of a rotation of the deployment's keys, where it has any: a deploy, which takes so long.
        Rotate = "rotate" { for_ms: u64 as Plain };
        /// R2 is down for so long.
        Outage = "outage" { for_ms: u64 as Plain };
    }
}
