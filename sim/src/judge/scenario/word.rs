//! How the parts of an action are spelled: one word each, or none.

use std::fmt;
use std::str::FromStr;

use super::field::{Ahead, Load, Mistake, Origin};
use crate::judge::history::{Lifetime, Manner, Mode};

/// The words of a line that were not read yet.
pub(super) struct Words<'a> {
    left: &'a [&'a str],
}

impl<'a> Words<'a> {
    pub(super) fn new(words: &'a [&'a str]) -> Self {
        Self { left: words }
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.left.split_first()?;
        self.left = rest;
        Some(first)
    }

    /// What the next word means; it stays where it means nothing.
    pub(super) fn next_if<T>(&mut self, meaning: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let found = meaning(self.left.first()?)?;
        self.next();
        Some(found)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }
}

/// How a field is spelled.
pub(super) trait Spelling<T> {
    /// Writes it, with a space before.
    fn write(value: &T, formatter: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Reads it; nothing where the words are none of it.
    fn read(words: &mut Words<'_>) -> Option<T>;
}

/// What is always one word.
pub(super) trait Word: Sized {
    fn spell(&self) -> String;

    fn parse(word: &str) -> Option<Self>;
}

/// The word of the value.
pub(super) struct Plain;

impl<T: Word> Spelling<T> for Plain {
    fn write(value: &T, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, " {}", value.spell())
    }

    fn read(words: &mut Words<'_>) -> Option<T> {
        words.next_if(T::parse)
    }
}

/// The word of the value, if there is one.
pub(super) struct Optional;

impl<T: Word> Spelling<Option<T>> for Optional {
    fn write(value: &Option<T>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        value.as_ref().map_or(Ok(()), |value| Plain::write(value, formatter))
    }

    fn read(words: &mut Words<'_>) -> Option<Option<T>> {
        Some(words.next_if(T::parse))
    }
}

/// A stream by its index: `s0`.
pub(super) struct Stream;

impl Spelling<usize> for Stream {
    fn write(value: &usize, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, " s{value}")
    }

    fn read(words: &mut Words<'_>) -> Option<usize> {
        words.next_if(|word| word.strip_prefix('s')?.parse().ok())
    }
}

macro_rules! flags {
    ($($(#[doc = $doc:literal])* $flag:ident = $word:literal;)*) => {
        $(
            $(#[doc = $doc])*
            pub(super) struct $flag;

            impl Spelling<bool> for $flag {
                fn write(value: &bool, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    if *value { formatter.write_str(concat!(" ", $word)) } else { Ok(()) }
                }

                fn read(words: &mut Words<'_>) -> Option<bool> {
                    Some(words.next_if(|word| (word == $word).then_some(())).is_some())
                }
            }
        )*
    };
}

flags! {
    /// The word where it is true.
    Close = "close";
    /// The word where it is true.
    Passed = "passed";
    /// The word where it is true.
    Public = "public";
}

macro_rules! words {
    ($($type:ty { $($value:path = $word:literal,)* })*) => {
        $(
            impl Word for $type {
                fn spell(&self) -> String {
                    match self { $($value => $word.to_owned(),)* }
                }

                fn parse(word: &str) -> Option<Self> {
                    match word {
                        $($word => Some($value),)*
                        _ => None,
                    }
                }
            }
        )*
    };
}

words! {
    Mode { Mode::LongPoll = "long-poll", Mode::Sse = "sse", }
    Manner {
        Manner::NoCache = "no-cache",
        Manner::Reordered = "reordered",
        Manner::Debugged = "debugged",
        Manner::AnyTag = "any-tag",
        Manner::Browser = "browser",
    }
    Mistake {
        Mistake::BadElement = "bad-element",
        Mistake::EmptyArray = "empty-array",
        Mistake::WrongType = "wrong-type",
        Mistake::TooLarge = "too-large",
        Mistake::NotAscii = "not-ascii",
        Mistake::Compressed = "compressed",
        Mistake::Malformed = "malformed",
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(
            impl Word for $type {
                fn spell(&self) -> String {
                    self.to_string()
                }

                fn parse(word: &str) -> Option<Self> {
                    Self::from_str(word).ok()
                }
            }
        )*
    };
}

numbers!(usize, u64, u32);

/// Messages and padding: `3x40`.
impl Word for Load {
    fn spell(&self) -> String {
        format!("{}x{}", self.count, self.pad_bytes)
    }

    fn parse(word: &str) -> Option<Self> {
        let (count, pad_bytes) = word.split_once('x')?;
        Some(Self { count: count.parse().ok()?, pad_bytes: pad_bytes.parse().ok()? })
    }
}

impl Word for Lifetime {
    fn spell(&self) -> String {
        match self {
            Self::Endless => "endless".to_owned(),
            Self::Ttl(seconds) => format!("ttl:{seconds}"),
            Self::Until(ms) => format!("until:{ms}"),
        }
    }

    fn parse(word: &str) -> Option<Self> {
        match word.split_once(':') {
            None => (word == "endless").then_some(Self::Endless),
            Some(("ttl", seconds)) => seconds.parse().ok().map(Self::Ttl),
            Some(("until", ms)) => ms.parse().ok().map(Self::Until),
            Some(_) => None,
        }
    }
}

/// `ahead:1000`.
impl Word for Ahead {
    fn spell(&self) -> String {
        format!("ahead:{}", self.0)
    }

    fn parse(word: &str) -> Option<Self> {
        word.strip_prefix("ahead:")?.parse().ok().map(Self)
    }
}

impl Word for Origin {
    fn spell(&self) -> String {
        match self {
            Self::Start => "start".to_owned(),
            Self::Resume => "resume".to_owned(),
            Self::Now => "now".to_owned(),
            Self::Earlier(count) => format!("earlier:{count}"),
            Self::Told(count) => format!("told:{count}"),
            Self::Latest => "latest".to_owned(),
            Self::Within(count) => format!("within:{count}"),
            Self::Revalidate => "revalidate".to_owned(),
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Some(match word.split_once(':') {
            None if word == "start" => Self::Start,
            None if word == "resume" => Self::Resume,
            None if word == "now" => Self::Now,
            None if word == "latest" => Self::Latest,
            None if word == "revalidate" => Self::Revalidate,
            Some(("earlier", count)) => Self::Earlier(count.parse().ok()?),
            Some(("told", count)) => Self::Told(count.parse().ok()?),
            Some(("within", count)) => Self::Within(count.parse().ok()?),
            _ => return None,
        })
    }
}
