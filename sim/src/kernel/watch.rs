//! Texts that must be written down nowhere: whoever keeps a text has it looked at.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// How long a secret is at least, in bytes.
const SECRET_BYTES: usize = 32;

/// Sightings after which no more are written down.
const MOST_SIGHTINGS: usize = 20;

/// Secrets, and where they were seen; clones share them. Without secrets nothing is looked at.
#[derive(Clone, Default)]
pub struct Watch(Rc<Watched>);

#[derive(Default)]
struct Watched {
    /// Each of letters, digits, `_` and `-`. Those of one length are looked for together.
    secrets: RefCell<BTreeSet<String>>,
    lengths: RefCell<BTreeSet<usize>>,
    is_on: Cell<bool>,
    sightings: RefCell<Vec<String>>,
}

impl Watch {
    /// From here on this text is a secret: base64url of 32 bytes or more. A shorter one would be seen by chance.
    pub fn expect_nowhere(&self, secret: &str) {
        assert!(secret.len() >= SECRET_BYTES && secret.bytes().all(is_of_secret), "no secret: {secret}");
        self.0.is_on.set(true);
        self.0.lengths.borrow_mut().insert(secret.len());
        self.0.secrets.borrow_mut().insert(secret.to_owned());
    }

    /// Whether there is any secret.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_on.get()
    }

    /// A text is kept, or written down, at a place of that kind.
    pub(crate) fn look(&self, place: &str, text: &str) {
        if !self.is_on() || self.0.sightings.borrow().len() >= MOST_SIGHTINGS {
            return;
        }
        let runs = text.split(|letter: char| !letter.is_ascii() || !is_of_secret(letter as u8));
        if runs.filter(|run| run.len() >= SECRET_BYTES).any(|run| self.is_in(run)) {
            self.0.sightings.borrow_mut().push(format!("{place}: {text}"));
        }
    }

    /// Whether a run of letters that secrets are made of has one in it.
    fn is_in(&self, run: &str) -> bool {
        let secrets = self.0.secrets.borrow();
        self.0.lengths.borrow().iter().any(|length| {
            let last = run.len().checked_sub(*length);
            last.is_some_and(|last| (0..=last).any(|at| secrets.contains(&run[at..at + length])))
        })
    }

    /// Where secrets were seen.
    pub fn sightings(&self) -> Vec<String> {
        self.0.sightings.borrow().clone()
    }
}

fn is_of_secret(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_seen_wherever_it_is_a_part_of_a_text() {
        let (secret, longer) = ("s".repeat(43), "_l-9".repeat(15));
        for (text, is_seen) in [
            (String::new(), false),
            ("s".repeat(42), false),
            (secret.clone(), true),
            (format!("https://a.example/ü?token=x.y.{secret}&offset=-1"), true),
            (format!("{longer}0"), true),
            (longer[1..].to_owned(), false),
            ("0123456789".repeat(20), false),
        ] {
            let watch = Watch::default();
            watch.look("nowhere", &text);
            assert!(watch.sightings().is_empty(), "nothing is secret yet");
            [&secret, &longer].into_iter().for_each(|secret| watch.expect_nowhere(secret));
            watch.look("a key", &text);
            let expected: Vec<String> = is_seen.then(|| format!("a key: {text}")).into_iter().collect();
            assert_eq!(watch.sightings(), expected);
        }
    }
}
