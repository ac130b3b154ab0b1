//! How objects are addressed: by their class and their name.

use std::fmt;

/// A class of objects. Objects of two classes have nothing in common, whatever they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The object of one stream. Its name is the stream's: see [`super::ObjectName`].
    Stream,
    /// The object of one project, which has the project's keys and origins. Its name is the project's.
    Project,
}

impl Class {
    /// All classes.
    pub const ALL: &[Self] = &[Self::Stream, Self::Project];

    /// Its number, from 0: its place in [`Self::ALL`].
    pub fn number(self) -> u32 {
        match self {
            Self::Stream => 0,
            Self::Project => 1,
        }
    }

    /// The class of a number.
    pub fn of_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// Where an object is: its class, and its name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address<'a> {
    /// The class.
    pub class: Class,
    /// The name, which other classes may have, too.
    pub name: &'a str,
}

impl<'a> Address<'a> {
    /// The object of the stream of that name.
    pub fn stream(name: &'a str) -> Self {
        Self { class: Class::Stream, name }
    }

    /// The object of the project of that name.
    pub fn project(name: &'a str) -> Self {
        Self { class: Class::Project, name }
    }
}

/// As logs and traces have it: no two objects are written alike. A stream is written as its name, which has a slash, and a
/// project's name has none.
impl fmt::Display for Address<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class {
            Class::Stream => formatter.write_str(self.name),
            Class::Project => write!(formatter, "project {}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_found_by_its_number() {
        for (number, class) in (0..).zip(Class::ALL) {
            assert_eq!((class.number(), Class::of_number(number)), (number, Some(*class)));
        }
        assert_eq!(Class::of_number(Class::ALL.len() as u32), None);
    }

    #[test]
    fn objects_of_two_classes_are_written_apart() {
        assert_eq!(Address::stream("_default/a").to_string(), "_default/a");
        assert_eq!(Address::project("a").to_string(), "project a");
        assert_ne!(Address::stream("a"), Address::project("a"));
    }
}
