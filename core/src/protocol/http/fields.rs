//! Header fields in order, and as the text in which they travel.

use std::borrow::Cow;

/// Header fields: lower-case names in the order in which they were set, so that every host shows the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Cow<'static, str>, String)>);

impl Headers {
    /// No fields.
    pub const NONE: Self = Self(Vec::new());

    /// The value of the first field of that (lower-case) name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Appends a field.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Sets a field, in the place of those of that name.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.remove(&[name]);
        self.push(name, value);
    }

    /// Drops the fields of these (lower-case) names.
    pub fn remove(&mut self, names: &[&str]) {
        self.0.retain(|(name, _)| !names.contains(&name.as_ref()));
    }

    /// As text, in which they travel between edge, object and host: names and values in turn, each ended by a line feed,
    /// which neither can hold.
    pub fn to_lines(&self) -> String {
        let length = self.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let mut lines = String::with_capacity(length);
        for (name, value) in self.iter() {
            lines.extend([name, "\n", value, "\n"]);
        }
        lines
    }

    /// From the lines of that text; a name without a value at the end is left out.
    pub fn from_lines<'a>(mut lines: impl Iterator<Item = &'a str>) -> Self {
        let mut headers = Self::default();
        while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
            headers.push(name.to_owned(), value);
        }
        headers
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_come_back_in_order_with_empty_values_and_without_a_torn_end() {
        let check = |text: &str, fields: &[(&str, &str)]| {
            let headers = Headers::from_lines(text.split_terminator('\n'));
            assert_eq!(headers.iter().collect::<Vec<_>>(), fields, "{text:?}");
        };
        check("", &[]);
        check("etag\n\"1\"\nvary\n\n", &[("etag", "\"1\""), ("vary", "")]);
        check("etag\n\"1\"\nvary", &[("etag", "\"1\"")]);
    }

    proptest! {
        #[test]
        fn what_is_written_as_lines_is_read_back(fields in prop::collection::vec(("[a-z-]{1,9}", "[^\n]{0,9}"), 0..4)) {
            let mut headers = Headers::default();
            fields.into_iter().for_each(|(name, value)| headers.push(name, value));
            prop_assert_eq!(Headers::from_lines(headers.to_lines().split_terminator('\n')), headers);
        }
    }
}
