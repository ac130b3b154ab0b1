//! What the edge sends to a project's object.
//!
//! A message is a text: the version, a letter for the operation, a digit, and what the operation needs.

use crate::protocol::limits::KEY_ID_LIMIT;

/// The version of the format. An edge and an object of two releases may meet while one is deployed.
const VERSION: char = '1';

/// What is asked of a project's object. The client's body comes along where the operation says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectOperation {
    /// Creates the project, with a first key.
    Create,
    /// Tells what there is, but no secret.
    Show,
    /// Removes the project.
    Delete,
    /// Adds a key, the newest.
    AddKey,
    /// Removes the key of that id.
    RemoveKey(String),
    /// Replaces the origins by those of the body, a JSON list of texts.
    SetOrigins,
}

/// A message to a project's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectMessage {
    /// The project's name.
    pub project: String,
    /// What is asked.
    pub operation: ProjectOperation,
    /// Whether the client's body was larger than it may be, and was dropped.
    pub body_too_large: bool,
}

impl ProjectMessage {
    /// As it is sent.
    pub fn encode(&self) -> String {
        let (letter, id) = match &self.operation {
            ProjectOperation::Create => ('C', ""),
            ProjectOperation::Show => ('S', ""),
            ProjectOperation::Delete => ('D', ""),
            ProjectOperation::AddKey => ('K', ""),
            ProjectOperation::RemoveKey(id) => ('R', id.as_str()),
            ProjectOperation::SetOrigins => ('O', ""),
        };
        format!("{VERSION}{letter}{}{} {id}", u8::from(self.body_too_large), self.project)
    }

    /// `None` if it is none that this version knows.
    pub fn decode(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(VERSION)?;
        let letter = rest.chars().next()?;
        let (flag, rest) = rest.get(1..)?.split_at_checked(1)?;
        let body_too_large = match flag {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        let (project, id) = rest.split_once(' ')?;
        let operation = match (letter, id) {
            ('C', "") => ProjectOperation::Create,
            ('S', "") => ProjectOperation::Show,
            ('D', "") => ProjectOperation::Delete,
            ('K', "") => ProjectOperation::AddKey,
            ('O', "") => ProjectOperation::SetOrigins,
            ('R', id) if (1..=KEY_ID_LIMIT).contains(&id.len()) => ProjectOperation::RemoveKey(id.to_owned()),
            _ => return None,
        };
        Some(Self { project: project.to_owned(), operation, body_too_large })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_sent() {
        for operation in [
            ProjectOperation::Create,
            ProjectOperation::Show,
            ProjectOperation::Delete,
            ProjectOperation::AddKey,
            ProjectOperation::RemoveKey("a-B_9".to_owned()),
            ProjectOperation::SetOrigins,
        ] {
            for body_too_large in [false, true] {
                let (project, operation) = ("p-1".to_owned(), operation.clone());
                let message = ProjectMessage { project, operation, body_too_large };
                assert_eq!(ProjectMessage::decode(&message.encode()), Some(message));
            }
        }
    }

    #[test]
    fn what_is_no_message_is_none() {
        let long = format!("1R0p {}", "a".repeat(KEY_ID_LIMIT + 1));
        for text in ["", "1", "1C", "1C0", "1C0p", "2C0p ", "1X0p ", "1C2p ", "1C0p x", "1R0p ", "1é0p ", &long] {
            assert_eq!(ProjectMessage::decode(text), None, "{text}");
        }
    }
}
