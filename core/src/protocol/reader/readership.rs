//! Who may be handed an answer by a cache that checks no token.

use super::{ReaderKey, ReaderKeyDigest};

/// Who may be handed an answer about a stream by a cache that checks no token. It travels with the answer, from the object to
/// the edge that answers a client, which takes it off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readership {
    /// Everybody: the stream is public.
    Everybody,
    /// Who asks for a URL that carries the reader key with this digest.
    Holders(ReaderKeyDigest),
}

/// The text for everybody. No digest is that short.
const EVERYBODY: &str = "everybody";

impl Readership {
    /// That of a stream with this reader key: everybody if it is public, else who holds the key.
    pub fn of(key: &ReaderKey, is_public: bool) -> Self {
        if is_public { Self::Everybody } else { Self::Holders(key.digest()) }
    }

    /// From its text; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" => None,
            EVERYBODY => Some(Self::Everybody),
            digest => Some(Self::Holders(ReaderKeyDigest::from_text(digest))),
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Everybody => EVERYBODY,
            Self::Holders(digest) => digest.as_str(),
        }
    }

    /// Whether it is everybody.
    pub fn is_everybody(&self) -> bool {
        *self == Self::Everybody
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readership_comes_back_from_its_text_and_nothing_is_none() {
        let holders = Readership::Holders(ReaderKeyDigest::of("key"));
        for readership in [Readership::Everybody, holders.clone()] {
            assert_eq!(Readership::parse(readership.as_str()), Some(readership));
        }
        assert_eq!(Readership::parse(""), None);
        assert_eq!([Readership::Everybody, holders].map(|readership| readership.is_everybody()), [true, false]);
        // What is neither is the readership of a key that nobody has.
        assert_eq!(Readership::parse("Everybody").map(|readership| readership.is_everybody()), Some(false));
    }
}
