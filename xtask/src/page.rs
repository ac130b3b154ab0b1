//! The page that `cargo sim bill --html` writes, in a browser.

use anyhow::Result;

use xtask::project::{Project, create_dir};
use xtask::setup::node::Node;
use xtask::worker::TOOLS;
use xtask::{process, setup};

/// What is looked at, on which screens, and what is complained about.
const SUITE: &str = "tests/page/page.test.mjs";

/// Writes a page, and looks at it.
pub(crate) fn run(project: &Project, node: &Node) -> Result<()> {
    let browser = setup::chromium::ensure(project)?;
    create_dir(&project.generated("page"))?;
    let page = project.generated("page/bill.html");
    let mut write = project.cargo();
    // The same packages are selected as by the step `native`, so that nothing is compiled again.
    write.args(["test", "--quiet", "--workspace", "--test", "page"]);
    write.args(TOOLS.iter().flat_map(|tools| *tools).flat_map(|tool| ["--exclude", tool]));
    process::run(write.env("TAILRACE_PAGE", &page))?;
    process::run(node.test(project, SUITE)?.env("TAILRACE_PAGE", &page).env("TAILRACE_CHROMIUM", browser))
}
