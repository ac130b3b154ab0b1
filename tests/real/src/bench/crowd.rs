//! Many live readers on one thread, which sleeps until one of them has something to read, so that their own cost does
//! not disturb the measurement.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::reader::{Mode, Reader};

/// How often readers that have nothing to read check whether they are to stop.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// What the writer and its readers share.
pub(super) struct Board {
    start: Instant,
    /// When each message was sent, in ns since the start.
    sent: Vec<AtomicU64>,
    greeted: AtomicUsize,
    delivered: AtomicUsize,
    stop: AtomicBool,
}

impl Board {
    /// A board for this many messages.
    pub(super) fn new(messages: usize) -> Self {
        let sent = (0..messages).map(|_| AtomicU64::new(0)).collect();
        let (greeted, delivered) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { start: Instant::now(), sent, greeted, delivered, stop: AtomicBool::new(false) }
    }

    /// Notes that a message is sent now.
    pub(super) fn send(&self, number: usize) {
        if let Some(sent) = self.sent.get(number) {
            sent.store(self.now_ns(), Ordering::Release);
        }
    }

    /// How many readers wait for messages.
    pub(super) fn greeted(&self) -> usize {
        self.greeted.load(Ordering::Acquire)
    }

    /// How many messages have arrived at all readers together.
    pub(super) fn delivered(&self) -> usize {
        self.delivered.load(Ordering::Acquire)
    }

    /// Tells the readers to stop.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A message that has arrived at one of the readers.
pub(super) struct Delivery {
    /// The message's number.
    pub(super) number: usize,
    /// The time since it was sent.
    pub(super) took: Duration,
}

/// The readers, connected.
pub(super) struct Crowd {
    streams: Vec<TcpStream>,
    readers: Vec<Reader>,
}

impl Crowd {
    /// Connects this many readers to a stream.
    pub(super) fn open(mode: Mode, host: &str, path: &str, count: usize) -> Result<Self> {
        let (mut streams, mut readers) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            let stream = TcpStream::connect(host).with_context(|| format!("cannot connect to {host}"))?;
            stream.set_nodelay(true)?;
            readers.push(Reader::begin(mode, host, path, &stream)?);
            stream.set_nonblocking(true)?;
            streams.push(stream);
        }
        Ok(Self { streams, readers })
    }

    /// Reads until told to stop. Returns what has arrived.
    pub(super) fn run(mut self, board: &Board) -> Result<Vec<Delivery>> {
        let mut polled: Vec<_> = self.streams.iter().map(|stream| PollFd::new(stream, PollFlags::IN)).collect();
        let mut deliveries = Vec::with_capacity(self.readers.len() * board.sent.len());
        let mut buffer = vec![0; 1 << 16];
        board.greeted.store(self.readers.iter().filter(|reader| reader.is_greeted()).count(), Ordering::Release);
        while !board.stop.load(Ordering::Acquire) {
            match poll(&mut polled, Some(&TICK)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("the readers cannot be waited for"),
            }
            let ready = polled.iter().zip(&self.streams).zip(&mut self.readers);
            for ((_, stream), reader) in ready.filter(|((polled, _), _)| !polled.revents().is_empty()) {
                let was_greeted = reader.is_greeted();
                let before = deliveries.len();
                reader.read(stream, &mut buffer, &mut |number| {
                    let sent = board.sent.get(number).map_or(0, |sent| sent.load(Ordering::Acquire));
                    let took = Duration::from_nanos(board.now_ns().saturating_sub(sent));
                    deliveries.push(Delivery { number, took });
                })?;
                board.delivered.fetch_add(deliveries.len() - before, Ordering::AcqRel);
                board.greeted.fetch_add(usize::from(reader.is_greeted() && !was_greeted), Ordering::AcqRel);
            }
        }
        Ok(deliveries)
    }
}
