//! The tokens that clients hold, and when they want new ones.

use super::issuer::Issuer;
use super::pass::{Need, Pass};
use crate::tailrace::Scope;

/// How long a brief token lasts at most, in s, and one that is not, and one that outlasts every run.
const BRIEF_S: u64 = 20;
const USUAL_S: u64 = 900;
const LONG_S: u64 = 30 * 24 * 60 * 60;

/// How long before its end a careful client renews a token, in ms.
const MARGIN_MS: u64 = 2_000;

impl Issuer {
    /// The token that a client shows for a stream now: the one that it has, or a new one.
    pub(in crate::judge::client) fn pass(&self, client: usize, stream: usize, need: Need, now_ms: u64) -> Pass {
        let held = self.wallet.borrow().get(&(client, stream, need)).cloned();
        if let Some(held) = held.filter(|held| self.will_do(client, held, now_ms)) {
            return held;
        }
        let pass = self.issue(stream, need, now_ms);
        self.wallet.borrow_mut().insert((client, stream, need), pass.clone());
        pass
    }

    /// Whether a client goes on showing a token. Every other client is careful, and renews it before the first clock says
    /// that it has expired; the others wait until their own says so, or they are told.
    fn will_do(&self, client: usize, pass: &Pass, now_ms: u64) -> bool {
        let margin_ms = if client.is_multiple_of(2) { self.off_ms + MARGIN_MS } else { 0 };
        now_ms + margin_ms < pass.until_ms && !self.is_retired(&pass.key)
    }

    /// A client was told that its token will not do.
    pub(in crate::judge::client) fn drop_pass(&self, client: usize, stream: usize, need: Need) {
        self.wallet.borrow_mut().remove(&(client, stream, need));
    }

    fn issue(&self, stream: usize, need: Need, now_ms: u64) -> Pass {
        let lasts_s = match self.random.chance(self.plan.brief_permille) {
            true => self.random.between(1, BRIEF_S),
            false => self.random.among(&[USUAL_S, LONG_S]),
        };
        // The service grants no leeway, so whoever mints does.
        let expires_s = (now_ms + self.off_ms).div_ceil(1_000) + lasts_s;
        let scopes = match need {
            Need::Read => &[Scope::Read, Scope::Read, Scope::Read, Scope::Write, Scope::Manage][..],
            Need::Write => &[Scope::Write, Scope::Write, Scope::Manage],
            Need::Manage => &[Scope::Manage],
        };
        let scope = self.random.among(scopes);
        let claims = self.claims(scope, stream, expires_s);
        let key = self.name_of_key(stream);
        Pass { token: self.mint(stream, &claims), until_ms: expires_s * 1_000, manages: scope == Scope::Manage, key }
    }
}
