//! The logs that are read from the start: how many messages, how large, and how they were appended.

use clap::ValueEnum;

/// A log to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Filling {
    /// 10 MB in messages of 10 KB, appended one by one.
    Large,
    /// 10 MB in messages of 100 bytes, each appended by itself.
    Small,
    /// 100 MB in messages of 100 bytes, appended in batches of a thousand.
    Batches,
}

impl Filling {
    /// The name in tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Large => "large",
            Self::Small => "small",
            Self::Batches => "batches",
        }
    }

    /// How many messages.
    pub(super) fn messages(self) -> usize {
        match self {
            Self::Large => 1_000,
            Self::Small => 100_000,
            Self::Batches => 1_000_000,
        }
    }

    /// Bytes of a message.
    pub(super) fn message_bytes(self) -> usize {
        match self {
            Self::Large => 10_000,
            Self::Small | Self::Batches => 100,
        }
    }

    /// Messages of an append.
    pub(super) fn batch(self) -> usize {
        match self {
            Self::Large | Self::Small => 1,
            Self::Batches => 1_000,
        }
    }

    /// How many connections append at a time, so that it does not take too long.
    pub(super) fn connections(self) -> usize {
        match self {
            Self::Large | Self::Batches => 1,
            Self::Small => 16,
        }
    }

    /// How often more it is read in a round than the largest one, so that each takes about as long.
    pub(super) fn repeats(self) -> usize {
        match self {
            Self::Large | Self::Small => 10,
            Self::Batches => 1,
        }
    }

    /// Bytes of all messages.
    pub(super) fn bytes(self) -> usize {
        self.messages() * self.message_bytes()
    }

    /// The bodies of its appends, each an array where it holds several messages.
    pub(super) fn bodies(self) -> impl Iterator<Item = Vec<u8>> {
        (0..self.messages() / self.batch()).map(move |number| {
            let messages = number * self.batch()..(number + 1) * self.batch();
            let joined = messages.map(|number| self.message(number)).collect::<Vec<_>>().join(",");
            if self.batch() > 1 { format!("[{joined}]").into_bytes() } else { joined.into_bytes() }
        })
    }

    /// A message as applications send them, filled up to its length.
    fn message(self, number: usize) -> String {
        let head = format!("{{\"type\":\"reading\",\"count\":{number},\"text\":\"");
        let text = "the channel behind a mill wheel ".chars().cycle().take(self.message_bytes() - head.len() - 2);
        head.chars().chain(text).chain("\"}".chars()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_json_of_one_length() {
        for filling in Filling::value_variants() {
            for number in [0, filling.messages() - 1] {
                let message = filling.message(number);
                assert_eq!(message.len(), filling.message_bytes());
                let json: serde_json::Value = serde_json::from_str(&message).unwrap();
                assert_eq!(json["count"].as_u64(), Some(number as u64));
            }
        }
    }

    #[test]
    fn a_batch_is_an_array_of_its_messages() {
        let first = Filling::Batches.bodies().next().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&first).unwrap();
        assert_eq!(json.as_array().map(Vec::len), Some(1_000));
        assert_eq!(Filling::Large.bodies().next().unwrap(), Filling::Large.message(0).into_bytes());
    }
}
