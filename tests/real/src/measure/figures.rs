//! The file of figures: lines `name value`, and comments, which begin with `#`.

use std::fmt;

/// The names that a file has, each with its value or with a comment that says why there is none.
pub(crate) const NAMES: [&str; 8] = [
    "cache.visible_ms.min",
    "cache.visible_ms.max",
    "front.nodes",
    "front.lock_wait_ms",
    "delivery_ms.p50",
    "delivery_ms.p99",
    "hit_permille.outside",
    "hit_permille.sub_request",
];

/// What was seen of a deployment.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<(&'static str, Result<u64, String>)>);

impl Figures {
    /// What a name stands for was seen.
    pub(super) fn see(&mut self, name: &'static str, value: u64) {
        self.0.push((name, Ok(value)));
    }

    /// What a name stands for could not be seen, for this reason.
    pub(super) fn miss(&mut self, name: &'static str, why: impl Into<String>) {
        self.0.push((name, Err(why.into())));
    }

    /// The value of a name, if there is one.
    #[cfg(test)]
    pub(super) fn value(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(known, _)| *known == name)?.1.as_ref().ok().copied()
    }
}

/// All names, in their order. What nobody has looked for was not seen.
impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in NAMES {
            match self.0.iter().find(|(known, _)| *known == name) {
                Some((_, Ok(value))) => writeln!(formatter, "{name} {value}")?,
                Some((_, Err(why))) => writeln!(formatter, "# {name}: {why}")?,
                None => writeln!(formatter, "# {name}: not looked for")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_a_line_with_a_value_or_a_reason() {
        let mut figures = Figures::default();
        figures.see("delivery_ms.p50", 12);
        figures.miss("front.nodes", "no cache stands in front");
        let text = figures.to_string();
        assert_eq!(text.lines().count(), NAMES.len());
        assert!(text.contains("\ndelivery_ms.p50 12\n"));
        assert!(text.contains("\n# front.nodes: no cache stands in front\n"));
        assert!(text.contains("# delivery_ms.p99: not looked for\n"));
        assert_eq!((figures.value("delivery_ms.p50"), figures.value("front.nodes")), (Some(12), None));
    }
}
