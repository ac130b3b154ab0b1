//! The kinds of events that cause what is counted.

macro_rules! causes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal;)*) => {
        /// A kind of event that causes what is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Cause {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Cause {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its place in [`Self::ALL`].
            pub fn index(self) -> usize {
                self as usize
            }
        }
    };
}

causes! {
    /// A creation, an append, a close or a deletion.
    Write = "write";
    /// A plain read, or a HEAD.
    Read = "read";
    /// A long-poll.
    Poll = "poll";
    /// A connection with events.
    Connection = "connection";
    /// Segments that go to R2.
    Rotation = "rotation";
    /// The search for objects in R2 that nobody names, and their deletion.
    Sweep = "sweep";
    /// The end of a stream by itself.
    Expiry = "expiry";
    /// Another release: everything starts again.
    Deploy = "deploy";
    /// What is stored, whatever happens.
    Storage = "storage";
}
