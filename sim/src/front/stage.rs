//! Caches in front on a stage: what tests do with them, and what comes of it, is text. The time is in ms. An answer is the
//! number of the request that has brought it: each fetch's own, plus 100.

use super::arrival::{Arrival, Failed, Fetch, How, Served, Tier, Verdict};
use super::asking::{Asking, Fields, Kind};
use super::head::Head;
use super::machine::Front;

/// A cache in front, and the text of each thing that is done with it.
pub(super) struct Stage<F>(pub(super) F);

impl<F: Front<&'static str, u64>> Stage<F> {
    /// Does what each line says, and holds what comes of it against the line's second half. A line is `MS WHAT`:
    ///
    /// - `ask KEY V [client C] [worker N] [colo C] [auth] [no-cache] [lang L]`: visitor V asks
    /// - `head F STATUS CONTROL`, `whole F`, `broken F`: a fetch's head comes, its body ends
    /// - `end F STATUS CONTROL`: a fetch ends; `lost F`: without an answer
    /// - `over V`: it has waited long enough; `leave V`
    ///
    /// In `CONTROL`, `tag=T`, `age=S` and `vary=FIELDS` are told apart from directives, blanks between them.
    pub(super) fn check(&mut self, script: &[(&'static str, &str)]) {
        for (line, expected) in script {
            assert_eq!(self.act(line), *expected, "{line}");
        }
    }

    fn act(&mut self, line: &'static str) -> String {
        let words: Vec<&'static str> = line.split(' ').collect();
        let number = |word: &str| word.parse::<u64>().unwrap_or_else(|_| panic!("{line}: {word}"));
        let (now_us, rest) = (number(words[0]) * 1_000, &words[2..]);
        match words[1] {
            "ask" => arrival(self.0.arrive(now_us, asking(rest))),
            "head" => {
                let (fetch, head) = (number(rest[0]), head(&rest[1..]));
                verdicts(self.0.began(now_us, fetch, head, 100 + fetch, 100 + fetch))
            }
            "whole" => verdicts(self.0.ended(now_us, number(rest[0]), Ok(()))),
            "broken" => verdicts(self.0.ended(now_us, number(rest[0]), Err(Failed))),
            "end" => {
                let (fetch, head) = (number(rest[0]), head(&rest[1..]));
                verdicts(self.0.fetched(now_us, fetch, Ok((head, 100 + fetch, 100 + fetch))))
            }
            "lost" => verdicts(self.0.fetched(now_us, number(rest[0]), Err(Failed))),
            "over" => verdicts(self.0.wait_over(now_us, number(rest[0]))),
            "leave" => match self.0.left(now_us, number(rest[0])) {
                None => String::new(),
                Some(abandoned) => {
                    let ends = abandoned.fetch.map_or("ends nothing".to_owned(), |fetch| format!("ends {fetch}"));
                    join([ends, verdicts(abandoned.others)])
                }
            },
            other => panic!("{other}"),
        }
    }
}

fn asking(words: &[&'static str]) -> Asking<&'static str> {
    let number = |word: &str| word.parse::<u64>().expect("a number");
    let mut asking = Asking::new(words[0], number(words[1]), 0);
    let mut words = words[2..].iter();
    while let Some(word) = words.next() {
        let mut next = || *words.next().expect("a value");
        match *word {
            "client" => asking.kind = Kind::Outside { client: number(next()) },
            "worker" => (asking.kind, asking.drawn) = (Kind::SubRequest, number(next())),
            "colo" => asking.colo = number(next()) as usize,
            "auth" => asking.has_authorization = true,
            "no-cache" => asking.no_cache = true,
            "lang" => asking.fields = Some(Fields::from([("accept-language".into(), next().into())])),
            other => panic!("{other}"),
        }
    }
    asking
}

fn head(words: &[&str]) -> Head {
    let status = words[0].parse().expect("a status");
    let of = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    let control = words[1..].iter().filter(|word| !word.contains("tag=") && !word.starts_with("age="));
    let control: Vec<&str> = control.copied().filter(|word| !word.starts_with("vary=")).collect();
    let head = Head::new(status, &control.join(" ")).with_vary(of("vary=").unwrap_or_default());
    let head = head.with_age_s(of("age=").map_or(0, |age| age.parse().expect("seconds")));
    of("tag=").map_or(head.clone(), |tag| head.with_tag(tag))
}

fn fetch(fetch: Fetch) -> String {
    let tag = fetch.tag.map_or(String::new(), |tag| format!(" if {tag}"));
    let alone = if fetch.holds_lock { "" } else { " alone" };
    let past = if fetch.passes { " past" } else { "" };
    format!("fetch {}{tag}{alone}{past}", fetch.number)
}

fn served(served: Served<u64>) -> String {
    let Served { answer, age_s, by, how, tier } = served;
    let how = match how {
        How::Hit => "hit",
        How::Stale => "stale",
        How::Joined => "joined",
        How::Revalidated => "revalidated",
        How::Fetched => "fetched",
        How::Passed => "passed",
    };
    assert_eq!(answer, by);
    format!("{how} {by} age {age_s}{}", if tier == Tier::Upper { " upper" } else { "" })
}

fn arrival(arrival: Arrival<u64>) -> String {
    match arrival {
        Arrival::Serve { served: what, refresh } => join([served(what), refresh.map_or(String::new(), fetch)]),
        Arrival::Fetch(what) => fetch(what),
        Arrival::Wait { until_us } => format!("wait {}", until_us / 1_000),
    }
}

fn verdicts(verdicts: Vec<(u64, Verdict<u64>)>) -> String {
    let text = |(who, verdict)| {
        let what = match verdict {
            Verdict::Serve(what) => served(what),
            Verdict::Fetch(what) => fetch(what),
            Verdict::Wait { until_us } => format!("wait {}", until_us / 1_000),
            Verdict::Failed => "failed".to_owned(),
        };
        format!("{who}: {what}")
    };
    join(verdicts.into_iter().map(text))
}

fn join(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// A zone on the stage: one node, whose visitors wait for 5 s, and whose locks last for 8 s.
pub(super) mod zone {
    use super::Stage;
    use crate::front::{FrontBug, Zone, ZoneKnobs};

    pub(in crate::front) fn stage(
        turn: impl FnOnce(&mut ZoneKnobs),
        bug: Option<FrontBug>,
    ) -> Stage<Zone<&'static str, u64>> {
        let mut knobs = ZoneKnobs { nodes: 1, ..ZoneKnobs::default() };
        (knobs.lock.wait_ms, knobs.lock.age_ms) = (5_000, 8_000);
        turn(&mut knobs);
        Stage(Zone::new(knobs, bug))
    }

    pub(in crate::front) fn check(turn: impl FnOnce(&mut ZoneKnobs), script: &[(&'static str, &str)]) {
        stage(turn, None).check(script);
    }

    /// With the bug, the last line of the script comes to something else.
    pub(in crate::front) fn breaks(
        bug: FrontBug,
        turn: impl FnOnce(&mut ZoneKnobs),
        script: &[(&'static str, &str)],
        last: (&'static str, &str),
    ) {
        stage(turn, Some(bug)).check(&[script, &[last]].concat());
    }
}
