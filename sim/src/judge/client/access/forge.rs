//! What strangers show in place of a token that grants what they ask.

use super::issuer::{HEADER, Issuer, payload};
use super::jwt;
use super::keys::Key;
use crate::judge::history::Forgery;
use crate::judge::tenancy::Tenancy;
use crate::tailrace::{Claims, Scope, StreamPattern};

/// How long a token lasts that grants something, and how far a time is that has not come or is over, in s.
const LASTS_S: u64 = 3_600;

impl Issuer {
    /// What a stranger has that wants to read a stream, or to change it.
    pub(super) fn draw_forgery(&self, reads: bool) -> Forgery {
        loop {
            let drawn = self.random.among(Forgery::ALL);
            // A token for reading is one.
            if !(reads && drawn == Forgery::ReadOnly) {
                return drawn;
            }
        }
    }

    /// The text that stands for a token. `Nothing` has none.
    pub(super) fn forge(&self, forgery: Forgery, stream: usize, now_ms: u64) -> Option<String> {
        let (tenancy, path) = (self.tenancy(), self.tenancy().path(stream));
        // By every clock.
        let (now_s, off_s) = (now_ms / 1_000, self.off_ms.div_ceil(1_000) + 1);
        let right = self.claims(Scope::Manage, stream, now_s + off_s + LASTS_S);
        let first = self.key_of(stream);
        Some(match forgery {
            Forgery::Nothing => return None,
            Forgery::Unsigned => {
                let signature = if self.random.chance(500) { jwt::encode(&[7; 32]) } else { String::new() };
                format!("{}.{signature}", jwt::unsigned(r#"{"alg":"none"}"#, &payload(&right)))
            }
            Forgery::ForeignKey => {
                let header = if self.random.chance(500) { with_kid(&first.id) } else { HEADER.to_owned() };
                let foreign = Key::draw(&self.random, 0);
                match tenancy {
                    Tenancy::One => jwt::signed(&foreign.secret, &header, &payload(&right)),
                    // What is right for the other project's stream of the same path.
                    Tenancy::Two if self.random.chance(500) => {
                        let project = tenancy.other_project(stream).to_owned();
                        self.mint(stream + 1, &Claims { project, ..right })
                    }
                    Tenancy::Two => jwt::signed(&self.key_of(stream + 1).secret, &header, &payload(&right)),
                }
            }
            Forgery::OtherKid => {
                let second =
                    self.keys.borrow().second().filter(|_| tenancy.index(stream) == 0).map(|key| key.id.clone());
                jwt::signed(&first.secret, &with_kid(second.as_deref().unwrap_or("another")), &payload(&right))
            }
            Forgery::Tampered => {
                let signed =
                    self.mint(stream, &Claims { stream: pattern("another"), stream_id: None, ..right.clone() });
                let header = signed.split('.').next().unwrap_or_default();
                let payload = jwt::encode(payload(&right).as_bytes());
                format!("{header}.{payload}.{}", jwt::signature(&signed))
            }
            Forgery::Cut => {
                let signed = self.mint(stream, &right);
                // What is left is whole bytes.
                signed[..signed.len() - 3 - 4 * self.random.between(0, 9) as usize].to_owned()
            }
            Forgery::NotYet => self.mint(stream, &Claims { begins_s: Some(now_s + off_s + LASTS_S / 2), ..right }),
            Forgery::Expired => {
                let ago_s = off_s + self.random.between(0, LASTS_S);
                self.mint(stream, &Claims { expires_s: now_s.saturating_sub(ago_s), ..right })
            }
            Forgery::OtherProject => {
                self.mint(stream, &Claims { project: tenancy.other_project(stream).to_owned(), ..right })
            }
            Forgery::OtherStream => {
                let other = self.random.among(&[0, 1, 2]);
                let others = [format!("{path}x"), format!("{path}/*"), tenancy.path(stream + tenancy.count())];
                self.mint(stream, &Claims { stream: pattern(&others[other as usize]), stream_id: None, ..right })
            }
            Forgery::ReadOnly => self.mint(stream, &Claims { scope: Scope::Read, ..right }),
            Forgery::Twice => self.mint(stream, &right),
        })
    }
}

fn pattern(text: &str) -> Option<StreamPattern> {
    StreamPattern::parse(text)
}

fn with_kid(id: &str) -> String {
    format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{id}"}}"#)
}
