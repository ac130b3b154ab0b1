//! A reader, as a record.

use std::rc::Rc;

use super::answer::Answer;
use super::setting::Class;
use crate::front::Browser;

/// A reader.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) class: Class,
    pub(super) stream: u16,
    pub(super) colo: u16,
    /// Decides by which part of its datacenter's cache its requests are served.
    pub(super) part: u32,
    /// The number of the URL that it asks for, or will next.
    pub(super) url: u32,
    /// How many requests it has sent. What concerns an earlier one is outdated.
    pub(super) turn: u32,
    /// How often it has come and gone.
    pub(super) session: u32,
    /// The number of the message that it is to get next, once it has got one.
    pub(super) next_message: Option<u32>,
    /// Whether it has come and not gone.
    pub(super) is_here: bool,
    /// The place of the request at the edge that answers it, if none is shared.
    pub(super) place: Option<u32>,
    /// What is on its way to it.
    pub(super) answer: Option<Answer>,
    /// Its browser's cache, if it reads in one.
    pub(super) browser: Option<Box<BrowserCache>>,
}

/// A reader's browser.
#[derive(Debug, Default)]
pub(super) struct BrowserCache {
    pub(super) kept: Browser<u32, Answer>,
    /// When it has asked, in us.
    pub(super) asked_us: u64,
    /// With which tag.
    pub(super) tag: Option<Rc<str>>,
}

impl Reader {
    /// One that has not come yet.
    pub(super) fn new(class: Class, stream: usize, (colo, part): (usize, u32), url: u32) -> Self {
        Self {
            class,
            stream: stream as u16,
            colo: colo as u16,
            part,
            url,
            turn: 0,
            session: 0,
            next_message: None,
            is_here: false,
            place: None,
            answer: None,
            browser: (class == Class::CatchUp).then(Box::default),
        }
    }
}

/// The number of a reader's request, as caches in front know it.
pub(super) fn visitor(reader: u32, turn: u32) -> u64 {
    u64::from(turn) << 32 | u64::from(reader)
}

/// The reader of that request, and its turn.
pub(super) fn asker(visitor: u64) -> (u32, u32) {
    (visitor as u32, (visitor >> 32) as u32)
}
