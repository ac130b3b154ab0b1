//! Reads, whose pages are compared with the ledger.

use anyhow::{Context, Result, bail};
use xtask::http::Connection;

use super::ledger::Ledger;
use super::{ANSWER_LIMIT, STREAM};

/// The seed of the random offsets. It is the same in each run, so that a failure comes again.
const SEED: u64 = 0x5eed;

/// Reads from the start to the tail, page by page.
pub(super) fn read_everything(host: &str, ledger: &Ledger) -> Result<()> {
    let mut connection = Connection::open(host, ANSWER_LIMIT)?;
    let last = ledger.offsets().last().map(|offset| (*offset).to_owned()).context("nothing was acknowledged")?;
    let mut from = String::from("-1");
    loop {
        let (next, up_to_date) = page(&mut connection, ledger, &from)?;
        if up_to_date {
            return if next == last { Ok(()) } else { bail!("the tail is {next}, and the last acknowledged {last}") };
        }
        from = next;
    }
}

/// Reads a page from each of so many random offsets that were acknowledged.
pub(super) fn read_pages(host: &str, ledger: &Ledger, count: usize) -> Result<()> {
    let mut connection = Connection::open(host, ANSWER_LIMIT)?;
    let offsets = ledger.offsets();
    let mut state = SEED;
    for _ in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let offset = offsets[(state >> 33) as usize % offsets.len()];
        page(&mut connection, ledger, offset)?;
    }
    Ok(())
}

/// Reads one page, which must hold exactly what was acknowledged between its ends. Returns its end offset (exclusive),
/// and whether that is the tail.
fn page(connection: &mut Connection, ledger: &Ledger, from: &str) -> Result<(String, bool)> {
    let request = connection.request("GET", &format!("{STREAM}?offset={from}"), &[], b"");
    let reply = connection.send(&request)?;
    if reply.status != 200 {
        bail!("a read from {from} was answered {}: {}", reply.status, String::from_utf8_lossy(&reply.body));
    }
    let next = reply.head.field("stream-next-offset").context("a page without an offset")?.to_owned();
    let up_to_date = reply.head.field("stream-up-to-date") == Some("true");
    // The sentinel of the start sorts before every offset.
    if reply.body != ledger.page(from, &next) {
        bail!("the page from {from} to {next} is not what was acknowledged there");
    }
    if next == from && !up_to_date {
        bail!("a page from {from} that is empty, and not at the tail");
    }
    Ok((next, up_to_date))
}
