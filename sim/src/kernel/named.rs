//! Enumerations whose variants have names, on command lines and in reports.

/// Defines an enumeration: `ALL` has its variants in their order, and `name` tells the name of one.
macro_rules! named {
    ($(#[$meta:meta])* pub enum $type:ident { $($(#[doc = $doc:literal])* $variant:ident = $name:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type {
            $($(#[doc = $doc])* $variant,)*
        }

        impl $type {
            /// All of them, in their order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name on command lines and in reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

pub(crate) use named;
