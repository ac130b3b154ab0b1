//! The keys of the deployment, and how its operator rotates them: a new key goes second, then first, and then the old one
//! goes.

use super::jwt;
use crate::kernel::random::Random;
use crate::tailrace::KeyRing;

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: [u8; 32],
}

impl Key {
    pub(super) fn draw(random: &Random, number: usize) -> Self {
        let mut secret = [0; 32];
        random.fill(&mut secret);
        Self { id: format!("key-{number}"), secret }
    }

    /// It alone, as core reads it.
    pub(super) fn ring(&self) -> KeyRing {
        KeyRing::parse(&self.text()).expect("a key as a secret has it")
    }

    /// As the deployment's secret has it.
    pub(super) fn text(&self) -> String {
        format!("{}:{}", self.id, jwt::encode(&self.secret))
    }
}

/// The keys of the deployment, the one first that mints.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    all: Vec<Key>,
    /// How many there have been.
    drawn: usize,
    /// Whether the second one is on its way out, and not in.
    is_second_old: bool,
}

impl Keys {
    pub(super) fn draw(random: &Random) -> Self {
        Self { all: vec![Key::draw(random, 0)], drawn: 1, is_second_old: false }
    }

    /// The key that mints.
    pub(super) fn first(&self) -> &Key {
        &self.all[0]
    }

    /// The other key, while there is one.
    pub(super) fn second(&self) -> Option<&Key> {
        self.all.get(1)
    }

    /// The key that goes with the next step: nobody may use its tokens by then.
    pub(super) fn leaving(&self) -> Option<&Key> {
        self.second().filter(|_| self.is_second_old)
    }

    /// The next step of a rotation.
    pub(super) fn step(&mut self, random: &Random) {
        match self.all.len() {
            1 => {
                self.all.push(Key::draw(random, self.drawn));
                self.drawn += 1;
            }
            _ if self.is_second_old => {
                self.all.truncate(1);
                self.is_second_old = false;
            }
            _ => {
                self.all.swap(0, 1);
                self.is_second_old = true;
            }
        }
    }

    /// As core reads them.
    pub(super) fn ring(&self) -> KeyRing {
        let text = self.all.iter().map(Key::text).collect::<Vec<_>>().join(",");
        KeyRing::parse(&text).expect("keys as the deployment's secret has them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_goes_second_then_first_and_then_the_old_one_goes() {
        let random = Random::new(1);
        let mut keys = Keys::draw(&random);
        let mut seen = Vec::new();
        for _ in 0..7 {
            let leaving = keys.leaving().map(|key| key.id.clone());
            seen.push((keys.all.iter().map(|key| key.id.clone()).collect::<Vec<_>>().join(" "), leaving));
            keys.step(&random);
        }
        let expected = [
            ("key-0", None),
            ("key-0 key-1", None),
            ("key-1 key-0", Some("key-0")),
            ("key-1", None),
            ("key-1 key-2", None),
            ("key-2 key-1", Some("key-1")),
            ("key-2", None),
        ];
        assert_eq!(seen, expected.map(|(keys, leaving)| (keys.to_owned(), leaving.map(str::to_owned))));
    }
}
