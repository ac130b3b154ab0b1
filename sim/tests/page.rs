//! The page that `cargo sim bill --html` writes. `cargo xtask test page` has it left where `TAILRACE_PAGE` says, and looks
//! at it in a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Few readers, and messages that fill a segment soon, so that it takes seconds.
const ARGUMENTS: [&str; 10] =
    ["bill", "--compare", "--readers", "20", "--regions", "2", "--message-bytes", "20000", "--seeds", "2"];

#[test]
fn the_page_has_what_the_comparison_has_and_loads_nothing() {
    let path = std::env::var_os("TAILRACE_PAGE")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("bill.html"), PathBuf::from);
    let mut sim = Command::new(env!("CARGO_BIN_EXE_sim"));
    let output = sim.args(ARGUMENTS).arg("--html").arg(&path).output().expect("the simulator runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let comparison = String::from_utf8(output.stdout).expect("text");
    let page = fs::read_to_string(&path).expect("a page");
    // Under its head the comparison has a line of each deployment, up to an empty one.
    let rows = comparison.lines().skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = rows.filter_map(|line| line.split("  ").next()).collect();
    assert_eq!(names.len(), 3, "{comparison}");
    for name in names {
        assert!(page.contains(&format!("<td>{name}</td>")), "{name}");
        assert!(page.contains(&format!(">{name}</text>")), "{name}");
    }
    assert_eq!((page.matches("<figure>").count(), page.matches("</figure>").count()), (4, 4));
    assert!(!page.contains("http") && !page.contains("<script"), "{page}");
}
