//! What streams are called, and how clients spell their paths in URLs.

use tailrace_core::protocol::Method;

/// How a client spells a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// All that need not be percent-encoded stands as it is.
    Short,
    /// What is neither a letter, a digit nor a slash is percent-encoded, with small digits.
    Small,
    /// Every byte but slashes is percent-encoded.
    Long,
}

impl Spelling {
    /// How clients spell the paths of requests of this method.
    pub(crate) fn of(method: Method) -> Self {
        match method {
            Method::Get => Self::Small,
            Method::Post | Method::Delete => Self::Long,
            _ => Self::Short,
        }
    }

    /// The path as a URL has it.
    pub(crate) fn spell(self, path: &str) -> String {
        let digits = if self == Self::Small { b"0123456789abcdef" } else { b"0123456789ABCDEF" };
        let digit = |number: u8| char::from(digits[usize::from(number)]);
        let mut spelled = String::with_capacity(3 * path.len());
        for byte in path.bytes() {
            let is_kept = byte == b'/'
                || match self {
                    Self::Short => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte),
                    Self::Small => byte.is_ascii_alphanumeric(),
                    Self::Long => false,
                };
            if is_kept {
                spelled.push(byte.into());
            } else {
                spelled.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
        spelled
    }
}

/// How a stream is called in scenarios and reports.
pub(crate) fn name(stream: usize) -> String {
    format!("s{stream}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_several_spellings() {
        let spelled =
            |path: &str| [Spelling::Short, Spelling::Small, Spelling::Long].map(|spelling| spelling.spell(path));
        assert_eq!(spelled("s0"), ["s0", "s0", "%73%30"]);
        assert_eq!(spelled("a/ü+ %"), ["a/%C3%BC+%20%25", "a/%c3%bc%2b%20%25", "%61/%C3%BC%2B%20%25"]);
    }
}
