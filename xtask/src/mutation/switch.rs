//! Many mutants in one build, because to build each takes longer than to try it. A function holds its changed bodies
//! beside its own, and a variable of the environment says which one runs. A mutant that does not compile so is built by
//! itself.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::Result;

use xtask::project::say;

use super::mutant::Mutant;
use super::tree::Tree;
use super::trial::Trial;

/// The variable that holds the number of the mutant that is on.
pub(super) const VARIABLE: &str = "TAILRACE_CHANGE";
/// The file to which [`MODULE`] is added.
const ROOT: &str = "core/src/lib.rs";
/// What tells which mutant is on.
const MODULE: &str = "
/// Which change is on.
mod switch {
    static ON: std::sync::LazyLock<usize> = std::sync::LazyLock::new(|| {
        std::env::var(\"TAILRACE_CHANGE\").ok().and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
    });
    pub(crate) fn on() -> usize {
        *ON
    }
}
";
/// Builds until one succeeds: the compiler finds some errors only after others are gone.
const MOST_BUILDS: usize = 12;

const CHANGED: &str = "/* changed ";
const UNCHANGED: &str = "/* unchanged */";
const END: &str = "/* end of changes */";

/// Builds the tree with as many of these as compile together. Returns their numbers, which are those of the list.
pub(super) fn build(tree: &Tree, trial: &Trial<'_>, mutants: &[&Mutant]) -> Result<Vec<usize>> {
    let mut numbers: Vec<usize> = separate(mutants);
    for _ in 0..MOST_BUILDS {
        if numbers.is_empty() {
            break;
        }
        say(&format!("building {} mutants together", numbers.len()));
        let mut texts = BTreeMap::new();
        for path in numbers.iter().map(|number| mutants[*number].path.as_str()) {
            if !texts.contains_key(path) {
                let own: Vec<_> = numbers.iter().copied().filter(|number| mutants[*number].path == path).collect();
                texts.insert(path, switched(&tree.original(path)?, mutants, &own));
            }
        }
        tree.restore()?;
        tree.change(ROOT, |text| format!("{text}{MODULE}"))?;
        for (path, text) in &texts {
            tree.change(path, |_| text.clone())?;
        }
        let Some(errors) = trial.errors()? else { return Ok(numbers) };
        let before = numbers.len();
        for (path, line) in places(&errors) {
            let culprits = texts.get(path).map(|text| culprits(text, line)).unwrap_or_default();
            numbers.retain(|number| !culprits.contains(number));
        }
        if numbers.len() == before {
            say(&format!("mutants do not build together:\n{errors}"));
            break;
        }
    }
    tree.restore()?;
    Ok(Vec::new())
}

/// The numbers of those that are inside of a function, and whose function is not inside of another that changes.
fn separate(mutants: &[&Mutant]) -> Vec<usize> {
    let is_inside = |mutant: &Mutant, other: &Mutant| match (&mutant.body, &other.body) {
        (Some(body), Some(outer)) => {
            mutant.path == other.path && body != outer && outer.start <= body.start && body.end <= outer.end
        }
        _ => false,
    };
    let is_separate = |mutant: &Mutant| mutant.body.is_some() && !mutants.iter().any(|other| is_inside(mutant, other));
    (0..mutants.len()).filter(|number| is_separate(mutants[*number])).collect()
}

/// The text of a file with the changed bodies of these numbers.
fn switched(text: &str, mutants: &[&Mutant], numbers: &[usize]) -> String {
    let mut bodies = BTreeMap::<usize, (Range<usize>, Vec<usize>)>::new();
    for number in numbers {
        if let Some(body) = &mutants[*number].body {
            bodies.entry(body.start).or_insert_with(|| (body.clone(), Vec::new())).1.push(*number);
        }
    }
    let (mut out, mut done) = (String::new(), 0);
    for (body, numbers) in bodies.into_values() {
        out += &text[done..body.start];
        out += "{ match crate::switch::on() {\n";
        for number in numbers {
            let changed = mutants[number].apply(text);
            let end = changed.len() - (text.len() - body.end);
            out += &format!("{CHANGED}{number} */ {number} => {}\n", &changed[body.start..end]);
        }
        out += &format!("{UNCHANGED} _ => {}\n}}\n{END} }}", &text[body.clone()]);
        done = body.end;
    }
    out + &text[done..]
}

/// File and line of each error, as the compiler prints them in short.
fn places(errors: &str) -> impl Iterator<Item = (&str, usize)> {
    errors.lines().filter_map(|line| {
        let mut fields = line.splitn(4, ':');
        let (path, line, _, what) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        what.trim_start().starts_with("error").then_some((path, line.parse().ok()?))
    })
}

/// The numbers of the body that holds the line: one, or all of the function. Of the next function, if it is in none:
/// that is where a signature stands.
fn culprits(text: &str, line: usize) -> Vec<usize> {
    let (mut all, mut current) = (Vec::new(), Vec::new());
    for (index, text) in text.lines().enumerate() {
        if let Some((number, _)) = text.strip_prefix(CHANGED).and_then(|rest| rest.split_once(' ')) {
            current = number.parse().into_iter().collect();
            all.extend(current.iter().copied());
        } else if text.starts_with(UNCHANGED) {
            current = Vec::new();
        } else if text.starts_with(END) {
            if index + 1 >= line {
                return all;
            }
            (all, current) = (Vec::new(), Vec::new());
        }
        if index + 1 == line && !current.is_empty() {
            return current;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fn f() -> bool {\n    a < b\n}\n\nfn g() {}\n\nfn h() -> bool { c }\n";

    fn mutant(what: &str, replacement: &str, body: &str) -> Mutant {
        let start = TEXT.find(what).unwrap();
        let body = TEXT.find(body).map(|start| start..start + body.len());
        let (name, path) = (what.to_owned(), "a.rs".to_owned());
        let range = start..start + what.len();
        Mutant { name, path, range, replacement: replacement.to_owned(), function: String::new(), body }
    }

    fn mutants() -> Vec<Mutant> {
        let f = "{\n    a < b\n}";
        vec![mutant("<", ">", f), mutant("c", "d", "{ c }"), mutant("a < b", "true", f), mutant("fn", "", "absent")]
    }

    #[test]
    fn a_function_holds_its_changed_bodies_and_its_own() {
        let mutants = mutants();
        let mutants: Vec<&Mutant> = mutants.iter().collect();
        assert_eq!(separate(&mutants), [0, 1, 2], "one is in no function");
        let text = switched(TEXT, &mutants, &[0, 1, 2]);
        let expected = "fn f() -> bool { match crate::switch::on() {\n\
                        /* changed 0 */ 0 => {\n    a > /* changed */ b\n}\n\
                        /* changed 2 */ 2 => {\n    true /* changed */\n}\n\
                        /* unchanged */ _ => {\n    a < b\n}\n\
                        }\n\
                        /* end of changes */ }\n\nfn g() {}\n\nfn h() -> bool { match crate::switch::on() {\n\
                        /* changed 1 */ 1 => { d /* changed */ }\n\
                        /* unchanged */ _ => { c }\n\
                        }\n\
                        /* end of changes */ }\n";
        assert_eq!(text, expected);
        assert!(MODULE.contains(VARIABLE));
    }

    #[test]
    fn an_error_is_due_to_the_body_it_is_in_or_to_its_function() {
        let mutants = mutants();
        let text = switched(TEXT, &mutants.iter().collect::<Vec<_>>(), &[0, 1, 2]);
        let of = |what: &str| culprits(&text, text[..text.find(what).unwrap()].lines().count());
        assert_eq!(of("a > /*"), [0]);
        assert_eq!(of("true"), [2]);
        assert_eq!(of("a < b"), [0, 2], "no body of a mutant");
        assert_eq!(of("fn g"), [1], "a signature");
        let errors = "core/src/a.rs:12:5: error[E0308]: mismatched types\ncore/src/a.rs:13:5: warning: unused\n";
        assert_eq!(places(errors).collect::<Vec<_>>(), [("core/src/a.rs", 12)]);
    }
}
