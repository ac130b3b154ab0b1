//! The debug header in which an object tells how many of its segments are in the bucket.

use anyhow::{Context, Result, bail};
use xtask::http::Connection;

/// The counts of `Tailrace-Cold`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cold {
    /// Segments that are read from the bucket.
    pub(crate) segments: usize,
    /// Sealed segments that are not in the bucket yet.
    pub(crate) waiting: usize,
    /// Bytes that are still in the object's own rows.
    pub(crate) hot_bytes: u64,
    /// Orphans of the bucket that are about to be removed.
    pub(crate) unswept: usize,
    /// Orphans that were removed: objects that no segment names.
    pub(crate) swept: usize,
}

impl Cold {
    /// Asks for the counts of a stream.
    pub(crate) fn of(connection: &mut Connection, path: &str) -> Result<Self> {
        let request = connection.request("HEAD", path, &[("tailrace-debug", "1")], b"");
        let reply = connection.send(&request)?;
        match reply.head.field("tailrace-cold") {
            Some(text) => Self::parse(text),
            None => bail!("HEAD {path} was answered {} without Tailrace-Cold", reply.status),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let count = |name: &str| -> Result<u64> {
            let mut pairs = text.split("; ").filter_map(|pair| pair.split_once('='));
            let value = pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok());
            value.with_context(|| format!("Tailrace-Cold has no {name}: {text}"))
        };
        let small = |name| Ok::<_, anyhow::Error>(usize::try_from(count(name)?)?);
        Ok(Self {
            segments: small("segments")?,
            waiting: small("waiting")?,
            hot_bytes: count("hot-bytes")?,
            unswept: small("unswept")?,
            swept: small("swept")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_by_name() {
        let cold = Cold::parse("segments=3; waiting=1; hot-bytes=2000000; sweeps=2; unswept=4; swept=5").unwrap();
        assert_eq!(cold, Cold { segments: 3, waiting: 1, hot_bytes: 2_000_000, unswept: 4, swept: 5 });
        assert!(Cold::parse("segments=3; waiting=1; hot-bytes=1; unswept=x; swept=5").is_err());
        assert!(Cold::parse("").is_err());
    }
}
