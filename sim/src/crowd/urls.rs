//! The URLs that readers ask for, each with a number.

use std::collections::HashMap;

use tailrace_core::protocol::Method;

use super::answer::Told;
use super::setting::Class;
use crate::bill::Cause;
use crate::tailrace::Tailrace;
use crate::world::Program as _;

/// The origin of all streams.
const ORIGIN: &str = "https://tailrace.test";

/// The URLs that were asked for.
#[derive(Default)]
pub(super) struct Urls {
    texts: Vec<String>,
    /// What a request for each is billed for.
    causes: Vec<Cause>,
    numbers: HashMap<String, u32>,
}

impl Urls {
    /// The URL of a stream.
    pub(super) fn stream(stream: usize) -> String {
        format!("{ORIGIN}/v1/stream/s{stream}")
    }

    /// The number of the URL under which a reader of a class reads on from there.
    pub(super) fn number(&mut self, stream: usize, class: Class, next: &str, cursor: Option<&str>) -> u32 {
        let live = match class {
            Class::LongPoll | Class::Idle => "&live=long-poll",
            Class::Events => "&live=sse",
            Class::CatchUp => "",
        };
        let mut text = format!("{}?offset={next}{live}", Self::stream(stream));
        if let Some(cursor) = cursor.filter(|_| !live.is_empty()) {
            text.extend(["&cursor=", cursor]);
        }
        self.number_of(text)
    }

    /// The number of a URL.
    pub(super) fn number_of(&mut self, text: String) -> u32 {
        if let Some(number) = self.numbers.get(&text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.causes.push(Tailrace::cause(Method::Get, &text));
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        number
    }

    /// The number of the URL under which a reader reads on that has been told this; `None` if it was told nothing.
    pub(super) fn after(&mut self, stream: usize, class: Class, told: &Told) -> Option<u32> {
        Some(self.number(stream, class, told.next.as_deref()?, told.cursor.as_deref()))
    }

    /// Whether those who ask for that URL wait for messages.
    pub(super) fn is_live(&self, number: u32) -> bool {
        self.text(number).contains("&live=")
    }

    /// What a request for that URL is billed for.
    pub(super) fn cause(&self, number: u32) -> Cause {
        self.causes[number as usize]
    }

    /// The URL of that number.
    pub(super) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }
}
