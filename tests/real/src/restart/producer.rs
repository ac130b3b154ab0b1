//! One producer: appends one message after another, and repeats each until it is acknowledged.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use xtask::http::{Connection, Reply};

use super::{MESSAGES, STREAM, Site, ledger};

/// The pause between two attempts while the runtime does not answer.
const PAUSE: Duration = Duration::from_millis(20);

/// Appends all messages of a producer.
pub(super) fn run(site: &Site<'_>, producer: u64) -> Result<()> {
    let mut connection = None;
    for seq in 0..MESSAGES {
        let message = ledger::message(producer, seq);
        site.wait_for_quota()?;
        loop {
            match attempt(site, &mut connection, producer, seq, &message) {
                Ok(reply) if [200, 204].contains(&reply.status) => {
                    let next = reply.head.field("stream-next-offset").context("an answer without an offset")?;
                    site.ledger().enter(next, producer, seq)?;
                    break;
                }
                // The runtime was killed, or is about to be: what became of the append is unknown.
                Ok(reply) if reply.status < 500 => {
                    let body = String::from_utf8_lossy(&reply.body).into_owned();
                    bail!("producer {producer}, sequence {seq}, was answered {}: {body}", reply.status);
                }
                Ok(_) | Err(_) => connection = None,
            }
            site.go_on().with_context(|| format!("producer {producer} waits for its answer to sequence {seq}"))?;
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// Sends an append with the same stamp each time.
fn attempt(
    site: &Site<'_>,
    connection: &mut Option<Connection>,
    producer: u64,
    seq: u64,
    message: &[u8],
) -> Result<Reply> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(site.connect()?),
    };
    let (id, seq) = (format!("producer-{producer}"), seq.to_string());
    let headers = [
        ("content-type", "application/json"),
        ("producer-id", id.as_str()),
        ("producer-epoch", "0"),
        ("producer-seq", seq.as_str()),
    ];
    let request = connection.request("POST", STREAM, &headers, message);
    connection.send(&request)
}
