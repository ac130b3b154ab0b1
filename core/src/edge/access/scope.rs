//! What may be done, and what each method needs.

use crate::protocol::Method;

/// What may be done. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Streams may be read.
    Read,
    /// Streams may be created, appended to and deleted, too.
    Write,
    /// Whatever can be done.
    Manage,
}

impl Scope {
    /// All scopes.
    pub const ALL: &[Self] = &[Self::Read, Self::Write, Self::Manage];

    /// The scope of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|scope| scope.name() == name).copied()
    }

    /// Its name in tokens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Manage => "manage",
        }
    }

    /// The least that a method of a stream needs.
    pub(super) fn needed_by(method: Method) -> Self {
        match method {
            Method::Get | Method::Head => Self::Read,
            _ => Self::Write,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_one_name() {
        for scope in Scope::ALL {
            assert_eq!(Scope::named(scope.name()), Some(*scope));
        }
        for name in ["", "Read", "read ", "read write", "admin", "*"] {
            assert_eq!(Scope::named(name), None, "{name:?}");
        }
    }

    #[test]
    fn reading_needs_less_than_everything_else() {
        for (method, scopes) in [
            (Method::Get, &[Scope::Read, Scope::Write, Scope::Manage][..]),
            (Method::Head, &[Scope::Read, Scope::Write, Scope::Manage]),
            (Method::Put, &[Scope::Write, Scope::Manage]),
            (Method::Post, &[Scope::Write, Scope::Manage]),
            (Method::Delete, &[Scope::Write, Scope::Manage]),
            (Method::Other, &[Scope::Write, Scope::Manage]),
        ] {
            let enough = Scope::ALL.iter().copied().filter(|scope| *scope >= Scope::needed_by(method));
            assert_eq!(enough.collect::<Vec<_>>(), scopes, "{method:?}");
        }
    }
}
