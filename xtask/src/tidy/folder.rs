//! No folder holds too many files.

use std::collections::BTreeMap;

use super::Finding;

/// The most files of one folder, which should hold at most some fifteen.
const LIMIT: usize = 20;

/// Folders that are collections of data, and why they may hold any number of files.
const COLLECTIONS: &[(&str, &str)] = &[
    ("fuzz/corpus/", "an input a file, named by what reads them: nobody looks for one by its name"),
    ("tests/scenarios/", "a kept scenario a file, which docs/findings.md names"),
];

/// Checks every folder of these files.
pub(super) fn check<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<Finding> {
    let mut folders = BTreeMap::<&str, usize>::new();
    for path in paths.filter(|path| COLLECTIONS.iter().all(|(folder, _)| !path.starts_with(folder))) {
        *folders.entry(path.rsplit_once('/').map_or(".", |(folder, _)| folder)).or_default() += 1;
    }
    let full = folders.into_iter().filter(|(_, files)| *files > LIMIT);
    full.map(|(folder, files)| Finding {
        path: folder.to_owned(),
        line: 0,
        message: format!("{files} files, of {LIMIT} at the most: take a folder out of it"),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(folder: &str, files: usize, count: usize) {
        let paths: Vec<String> = (0..files).map(|number| format!("{folder}{number}.rs")).collect();
        assert_eq!(check(paths.iter().map(String::as_str)).len(), count, "{folder}: {files}");
    }

    #[test]
    fn a_folder_holds_twenty_files_at_the_most() {
        finds("core/src/", LIMIT, 0);
        finds("core/src/", LIMIT + 1, 1);
        finds("", LIMIT + 1, 1);
        finds("tests/scenarios/", LIMIT + 1, 0);
        finds("fuzz/corpus/json/", LIMIT + 1, 0);
        finds("fuzz/", LIMIT + 1, 1);
    }
}
