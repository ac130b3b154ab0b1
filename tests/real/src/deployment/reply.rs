//! Answers as `curl -i` prints them, one after the other.

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply<'a> {
    /// The status code.
    pub(super) status: &'a str,
    /// The header fields, as they came.
    fields: &'a str,
    /// The body, without the line ends around it.
    pub(super) body: &'a str,
}

impl<'a> Reply<'a> {
    /// All answers of a text.
    pub(super) fn all(printed: &'a str) -> Vec<Self> {
        let answers = printed.split("HTTP/1.1 ").skip(1);
        let parsed = answers.map(|answer| {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
            let (first, fields) = head.split_once("\r\n").unwrap_or((head, ""));
            Reply { status: first.split(' ').next().unwrap_or_default(), fields, body: body.trim_matches(['\r', '\n']) }
        });
        parsed.collect()
    }

    /// The value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&'a str> {
        let mut fields = self.fields.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let printed = "HTTP/1.1 201 Created\r\nA: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\na-b: c:d \r\n\r\ne\r\n\r\nf";
        let replies = Reply::all(printed);
        let told: Vec<_> = replies.iter().map(|reply| (reply.status, reply.body)).collect();
        assert_eq!(told, [("201", ""), ("204", ""), ("200", "e\r\n\r\nf")]);
        assert_eq!(
            (replies[0].field("a"), replies[2].field("A-B"), replies[1].field("a")),
            (Some("b"), Some("c:d"), None)
        );
        assert_eq!(Reply::all("nothing"), []);
    }
}
