//! Coverage marks: things that should happen sometimes. The simulator counts how often each was reached, so that a run
//! shows what it has tested. In production they do nothing.

/// A mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Its name in summaries; no two marks of a run share one.
    pub name: &'static str,
    /// Whether a big run that never reaches it has failed.
    pub is_required: bool,
}

impl AsRef<str> for Mark {
    fn as_ref(&self) -> &str {
        self.name
    }
}

/// Defines marks, one line each, and `ALL` of them. `required`: a big run must reach it; `optional`: it need not.
#[macro_export]
macro_rules! marks {
    ($($(#[doc = $doc:literal])* $mark:ident = $name:literal, $need:ident;)*) => {
        $(
            $(#[doc = $doc])*
            pub const $mark: $crate::runtime::Mark =
                $crate::runtime::Mark { name: $name, is_required: $crate::marks!(@$need) };
        )*

        /// All of these marks.
        pub const ALL: &[$crate::runtime::Mark] = &[$($mark,)*];
    };
    (@required) => {
        true
    };
    (@optional) => {
        false
    };
}
