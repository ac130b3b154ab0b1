//! A stranger, who has found the URL of a client's request and asks the same, or something worse, without a token that would
//! do.

use std::rc::Rc;

use tailrace_core::protocol::{Headers, Method, Response};

use super::issuer::Issuer;
use crate::judge::client::context::{ClientContext, Seen};
use crate::judge::history::{Forgery, Trespass};
use crate::kernel::rt;
use crate::world::{Opened, Piece, Request, RequestBody};

/// How long after a client's request a stranger comes, in ms: at the same time, while it is under way, or when its answer is
/// in a cache.
const AFTER_MS: [u64; 5] = [0, 1, 20, 300, 5_000];

/// How long a stranger waits longer than a long-poll lasts, in ms.
const PATIENCE_MS: u64 = 8_000;

/// For how long it reads what is written piece by piece, in ms.
const READS_MS: u64 = 2_000;

/// What tells strangers apart from clients, to caches in front. Any number of datacenters up to ten divides it, so that a
/// stranger is near the same one as its client.
const STRANGERS: usize = 2_520;

/// Has a stranger repeat what was seen of a client's request.
pub(crate) fn send_stranger(context: &Rc<ClientContext>, issuer: &Rc<Issuer>, seen: Seen) {
    context.run_along(trespass(context.clone(), issuer.clone(), seen));
}

async fn trespass(context: Rc<ClientContext>, issuer: Rc<Issuer>, Seen { client, stream, url, passes_by }: Seen) {
    let random = if passes_by { &issuer.passers } else { &issuer.random };
    rt::sleep_ms(random.among(&AFTER_MS)).await;
    let world = context.near(client + STRANGERS);
    let (number, now_ms) = (world.number(), world.now_ms());
    let method = match random.between(0, 9) {
        0..6 => Method::Get,
        6 => Method::Head,
        _ if passes_by => Method::Get,
        7 => Method::Post,
        8 => Method::Put,
        _ => Method::Delete,
    };
    let (url, stream, is_at_a_copy) = match method {
        // Most of those who pass by ask what they have seen asked, while that is under way.
        Method::Get if passes_by && random.chance(600) => (url, stream, false),
        Method::Get => context.url_of_a_copy(client, random).map_or_else(
            || (asked_otherwise(&url, random.between(0, 9)), stream, false),
            |(url, stream)| (url, stream, true),
        ),
        _ => (url.split('?').next().unwrap_or_default().to_owned(), stream, false),
    };
    let forgery = match passes_by {
        true => Forgery::Nothing,
        false => issuer.draw_forgery(matches!(method, Method::Get | Method::Head)),
    };
    let token = if passes_by { None } else { issuer.forge(forgery, stream, now_ms) };
    issuer.begin_stranger(number);
    let is_in_url = method == Method::Get && token.is_some() && (forgery == Forgery::Twice || random.chance(300));
    let mut headers = Headers::default();
    let bearer = token.as_deref().filter(|_| !is_in_url || forgery == Forgery::Twice);
    bearer.into_iter().for_each(|token| headers.push("authorization", format!("Bearer {token}")));
    if forgery == Forgery::Twice && !is_in_url {
        bearer.into_iter().for_each(|token| headers.push("authorization", format!("Bearer {token}")));
    }
    let body = match method {
        Method::Post | Method::Put => {
            headers.push("content-type", context.content_type(stream));
            RequestBody::of("[\"a stranger's\"]")
        }
        _ => RequestBody::Empty,
    };
    let asked = match token.filter(|_| is_in_url) {
        Some(token) => format!("{url}{}token={token}", if url.contains('?') { '&' } else { '?' }),
        None => url.clone(),
    };
    let invoked = context.history.borrow_mut().moment(now_ms);
    let request = Request { method, url: asked, headers, body };
    let opened = world.open(number, request, context.long_poll_ms + PATIENCE_MS).await;
    let answer = match opened {
        Ok(opened) => Some(whole(opened).await),
        Err(_) => None,
    };
    issuer.end_stranger(number);
    let trespass =
        Trespass { client, request: number, stream, method, url, forgery, is_in_url, is_at_a_copy, invoked, answer };
    context.history.borrow_mut().strangers.push(trespass);
}

/// The same question, or another one about the stream: who waits might share what others are told.
fn asked_otherwise(url: &str, drawn: u64) -> String {
    let path = url.split('?').next().unwrap_or_default();
    match drawn {
        0..6 => url.to_owned(),
        6 => format!("{path}?offset=now"),
        7 => format!("{path}?offset=-1&live=long-poll"),
        8 => format!("{path}?offset=-1&live=sse"),
        _ => path.to_owned(),
    }
}

/// An answer with what comes of it for a while.
async fn whole(opened: Opened) -> Response {
    let Opened { mut response, body } = opened;
    let Some(body) = body else { return response };
    let mut read = Vec::new();
    let reading = async {
        while let Piece::Bytes(bytes) | Piece::Part(bytes) = body.next().await {
            read.extend_from_slice(&bytes);
        }
    };
    rt::within_ms(READS_MS, reading).await;
    response.body = read.into();
    response
}
