//! Parameters by their names, as files set them: a line each, `name value`. Lines that begin with `#` are comments.

use std::fs;
use std::path::Path;

use crate::crowd::knobs::Knobs;

/// A parameter.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// Its name in files.
    pub name: &'static str,
    /// Whether it is inferred or assumed, and not measured.
    pub is_guess: bool,
    get: fn(&Knobs) -> u64,
    set: fn(&mut Knobs, u64),
}

macro_rules! parameters {
    ($($name:literal, $guess:literal, $($field:ident).+, $unit:literal;)*) => {
        /// All parameters.
        pub const PARAMETERS: &[Parameter] = &[$(Parameter {
            name: $name,
            is_guess: $guess,
            get: |knobs| knobs.$($field).+ as u64 / $unit,
            set: |knobs, value| knobs.$($field).+ = (value * $unit) as _,
        },)*];
    };
}

// Name, whether it is a guess, the knob, and how many of the knob's units one of the file's is.
parameters! {
    "cache.partitions", true, partitions, 1;
    "reconnects_ms.max", true, reconnects.max_us, 1_000;
    "cache.visible_ms.min", false, visible.min_us, 1_000;
    "cache.visible_ms.max", false, visible.max_us, 1_000;
    "cache.look_up_ms.min", true, look_up.min_us, 1_000;
    "cache.look_up_ms.max", true, look_up.max_us, 1_000;
    "cache.put_ms.min", true, put.min_us, 1_000;
    "cache.put_ms.max", true, put.max_us, 1_000;
    "client_ms.min", true, client.min_us, 1_000;
    "client_ms.max", true, client.max_us, 1_000;
    "worker_ms.min", true, worker.min_us, 1_000;
    "worker_ms.max", true, worker.max_us, 1_000;
    "object_ms.min", true, object.min_us, 1_000;
    "object_ms.max", true, object.max_us, 1_000;
    "origin_ms.max", true, origin.max_us, 1_000;
    "inner_ms.max", true, inner.max_us, 1_000;
    "front.unresolved_permille", true, unresolved_permille, 1;
    "front.unresolved_ms.max", true, unresolved.max_us, 1_000;
    "front.unresolved_ms.min", true, unresolved.min_us, 1_000;
    "front.nodes", false, zone.nodes, 1;
    "front.lock_wait_ms", true, zone.lock.wait_ms, 1;
    "front.lock_age_ms", true, zone.lock.age_ms, 1;
    "front.predicts", true, zone.lock.predicts, 1;
    "front.affinity_permille", true, zone.affinity_permille, 1;
}

/// Outcomes of a deployment that a file may tell, to be printed beside ours.
pub const OUTCOMES: &[&str] =
    &["delivery_ms.p50", "delivery_ms.p99", "hit_permille.outside", "hit_permille.sub_request"];

impl Parameter {
    /// Its value.
    pub fn of(&self, knobs: &Knobs) -> u64 {
        (self.get)(knobs)
    }

    /// The same knobs with another value of it.
    pub fn with(&self, knobs: &Knobs, value: u64) -> Knobs {
        let mut knobs = *knobs;
        (self.set)(&mut knobs, value);
        knobs
    }
}

/// What a file says: the knobs as they are with it, and outcomes of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The knobs.
    pub knobs: Knobs,
    /// Outcomes, each with its name.
    pub outcomes: Vec<(&'static str, u64)>,
}

/// What that file tells; without one, nothing. Fails with a sentence that names the file.
pub fn of_file(path: Option<&Path>) -> Result<Told, String> {
    let knobs = Knobs::default();
    let Some(path) = path else { return Ok(Told { knobs, outcomes: Vec::new() }) };
    let text = fs::read_to_string(path).map_err(|error| error.to_string());
    text.and_then(|text| read(&text, &knobs)).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads a file's text. Fails with a sentence that names the line.
pub fn read(text: &str, knobs: &Knobs) -> Result<Told, String> {
    let mut told = Told { knobs: *knobs, outcomes: Vec::new() };
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let value = line.split_once(char::is_whitespace).and_then(|(name, value)| {
            let value: f64 = value.trim().parse().ok()?;
            ((0.0..1e12).contains(&value)).then_some((name, value.round() as u64))
        });
        let Some((name, value)) = value else {
            return Err(format!("line {}: no name and number: {line}", number + 1));
        };
        if let Some(parameter) = PARAMETERS.iter().find(|parameter| parameter.name == name) {
            told.knobs = parameter.with(&told.knobs, value);
        } else if let Some(name) = OUTCOMES.iter().find(|outcome| **outcome == name) {
            told.outcomes.push((name, value));
        } else {
            return Err(format!("line {}: no parameter is called {name}", number + 1));
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_is_what_it_was_set_to_and_changes_no_other() {
        let knobs = Knobs::default();
        for parameter in PARAMETERS {
            let value = parameter.of(&knobs) * 2 + 2;
            let changed = parameter.with(&knobs, value);
            for other in PARAMETERS {
                let expected = if other.name == parameter.name { value } else { other.of(&knobs) };
                assert_eq!(other.of(&changed), expected, "{} by {}", other.name, parameter.name);
            }
        }
    }

    #[test]
    fn a_file_sets_parameters_by_their_names_and_tells_outcomes() {
        let knobs = Knobs::default();
        let text =
            "# measured\ncache.visible_ms.max 14.6\nfront.nodes\t7\n\ndelivery_ms.p50 87\n# front.lock_wait_ms: no\n";
        let told = read(text, &knobs).expect("it is well-formed");
        assert_eq!((told.knobs.visible.max_us, told.knobs.zone.nodes), (15_000, 7));
        assert_eq!(told.knobs.zone.lock, knobs.zone.lock);
        assert_eq!(told.outcomes, [("delivery_ms.p50", 87)]);
        for text in ["front.nodes", "front.nodes many", "nodes 7", "front.nodes -1", "ok\n"] {
            let error = read(text, &knobs).expect_err(text);
            assert!(error.starts_with("line 1: "), "{error}");
        }
    }
}
