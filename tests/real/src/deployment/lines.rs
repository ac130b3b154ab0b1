//! The lines by which the README deploys.

use anyhow::{Context, Result, ensure};

/// The heading above them.
const HEADING: &str = "\n## Deploy it\n";
/// The one line that its reader has to change.
const URL: &str = "URL=";

/// The lines of the section's first block, as they stand there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lines {
    /// Up to the deployment, each with its end.
    pub(super) deploying: String,
    /// After the line that says where it serves, each with its end.
    pub(super) asking: String,
}

impl Lines {
    /// Reads them from the README.
    pub(super) fn of(readme: &str) -> Result<Self> {
        let (_, section) = readme.split_once(HEADING).context("README.md has no section \"Deploy it\"")?;
        let section = section.split("\n## ").next().unwrap_or_default();
        let (_, block) =
            section.split_once("\n```sh\n").context("its section \"Deploy it\" has no block of commands")?;
        let (block, _) = block.split_once("\n```").context("the block of commands does not end")?;
        let (deploying, rest) = block.split_once(&format!("\n{URL}")).context("no line sets URL after the first")?;
        let (_, asking) = rest.split_once('\n').context("nothing is asked at the URL")?;
        ensure!(!asking.lines().any(|line| line.starts_with(URL)), "two lines set URL");
        Ok(Self { deploying: format!("{deploying}\n"), asking: format!("{asking}\n") })
    }

    /// The same lines with another file in the place of one.
    pub(super) fn with_file(&self, file: &str, instead: &str) -> Self {
        Self { deploying: self.deploying.replace(file, instead), asking: self.asking.replace(file, instead) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_is_divided_where_its_reader_says_the_url() {
        let readme = "# A\n## Deploy it\nb\n```sh\nc a.env\nd\nURL=e  # f\ng a.env\n```\n```sh\nh\n```\n## Other\n```sh\ni\n```\n";
        let lines = Lines::of(readme).unwrap();
        assert_eq!(lines, Lines { deploying: "c a.env\nd\n".to_owned(), asking: "g a.env\n".to_owned() });
        let other = lines.with_file("a.env", "b/c.env");
        assert_eq!(other, Lines { deploying: "c b/c.env\nd\n".to_owned(), asking: "g b/c.env\n".to_owned() });
    }

    #[test]
    fn a_readme_that_deploys_nothing_is_refused() {
        for readme in [
            "",
            "# A\n## Deploy it\nb\n## Other\n```sh\na\nURL=b\nc\n```\n",
            "# A\n## Deploy it\n\n```sh\na\nb\n```\n",
            "# A\n## Deploy it\n\n```sh\na\nURL=b\n```\n",
            "# A\n## Deploy it\n\n```sh\na\nURL=b\nc\nURL=d\n```\n",
        ] {
            assert!(Lines::of(readme).is_err(), "{readme}");
        }
    }
}
