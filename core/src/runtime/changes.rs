//! How the header fields of an answer change on its way to the client.

use crate::protocol::{Headers, Response};

/// How the header fields of an answer change on its way to the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Fields that are set, whatever the answer says.
    pub set: Headers,
    /// Fields that are left out.
    pub left_out: &'static [&'static str],
}

impl Changes {
    /// Nothing changes.
    pub const NONE: &Self = &Self { set: Headers::NONE, left_out: &[] };

    /// An answer with changed fields.
    pub fn of(&self, mut answer: Response) -> Response {
        self.apply(&mut answer.headers);
        answer
    }

    /// The changed fields.
    pub fn apply(&self, fields: &mut Headers) {
        fields.remove(self.left_out);
        for (name, value) in self.set.iter() {
            fields.remove(&[name]);
            fields.push(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_set_in_the_place_of_others_and_left_out() {
        let fields = |pairs: &[(&'static str, &str)]| {
            let mut fields = Headers::default();
            pairs.iter().for_each(|(name, value)| fields.push(*name, *value));
            fields
        };
        for (changes, expected) in [
            (Changes::NONE.clone(), fields(&[("a", "1"), ("b", "2")])),
            (Changes { set: fields(&[("a", "3"), ("c", "4")]), left_out: &["b"] }, fields(&[("a", "3"), ("c", "4")])),
        ] {
            let mut changed = fields(&[("a", "1"), ("b", "2")]);
            changes.apply(&mut changed);
            assert_eq!(changed, expected);
        }
    }
}
