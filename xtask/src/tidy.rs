//! The parts of the house style that a program can check.

use std::fs;
use std::path::{Path, PathBuf};

use crate::test::root;

/// Lines of a source file before its tests.
const FILE_LINES_MAX: usize = 600;
/// Directories that hold nothing of this project.
const SKIPPED: [&str; 3] = ["target", ".git", "forebay-data"];
/// Names that say nothing about what is in a file.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helper", "helpers", "manager"];

/// Pages that name tests.
const NAMING: [&str; 3] = ["guarantees", "known-faults", "track-record"];

/// A file of this project.
struct File {
    path: PathBuf,
    text: String,
}

impl File {
    fn is(&self, ending: &str) -> bool {
        self.path.extension().is_some_and(|found| found == ending)
    }

    fn name(&self) -> &str {
        self.path.file_stem().and_then(|name| name.to_str()).unwrap_or_default()
    }

    fn is_of_tests(&self) -> bool {
        let in_tests = self.path.components().any(|part| part.as_os_str() == "tests");
        in_tests || self.name() == "tests"
    }

    /// The lines before the tests that stand in the same file.
    fn production(&self) -> usize {
        self.text.lines().take_while(|line| *line != "mod tests {").count()
    }
}

fn files(dir: &Path, found: &mut Vec<File>) {
    let entries = fs::read_dir(dir).expect("a directory of the project can be read");
    for entry in entries {
        let path = entry.expect("an entry can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() && !SKIPPED.contains(&&*name) {
            files(&path, found);
        } else if name.ends_with(".rs") || name.ends_with(".md") {
            let text = fs::read_to_string(&path).expect("a source file is text");
            let path = path.strip_prefix(root()).expect("is below the root").to_owned();
            found.push(File { path, text });
        }
    }
}

/// Wants `fault` to find nothing in any file with this ending.
fn check(ending: &str, fault: impl Fn(&File) -> Option<String>) {
    let mut all = Vec::new();
    files(root(), &mut all);
    let told = |file: &File| Some(format!("{}: {}", file.path.display(), fault(file)?));
    let faults: Vec<_> = all.iter().filter(|file| file.is(ending)).filter_map(told).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_source_file_begins_with_its_purpose() {
    check("rs", |file| {
        let first = file.text.lines().next().unwrap_or_default();
        (!first.starts_with("//! ")).then(|| "the first line does not say what it is for".into())
    });
}

#[test]
fn no_source_file_is_long() {
    check("rs", |file| {
        let lines = file.production();
        let long = lines > FILE_LINES_MAX && !file.is_of_tests();
        long.then(|| format!("{lines} lines before its tests are more than {FILE_LINES_MAX}"))
    });
}

#[test]
fn names_of_files_say_something() {
    check("rs", |file| {
        let name = file.name();
        let empty = name == "mod" || EMPTY_NAMES.contains(&name);
        empty.then(|| format!("{name} does not say what is in it"))
    });
}

#[test]
fn nothing_is_left_for_later_and_no_test_is_switched_off() {
    // Put together from halves, so that this file does not hold them.
    let marks = ["TO\u{200b}DO", "FIX\u{200b}ME", "#[ig\u{200b}nore"]
        .map(|mark| mark.replace('\u{200b}', ""));
    check("rs", |file| {
        let found = marks.iter().find(|mark| file.text.contains(mark.as_str()));
        found.map(|mark| format!("has {mark}"))
    });
}

#[test]
fn each_document_has_one_title() {
    check("md", |file| {
        let mut code = false;
        let titles = file.text.lines().filter(|line| {
            code ^= line.starts_with("```");
            !code && line.starts_with("# ")
        });
        let titles = titles.count();
        (titles != 1).then(|| format!("has {titles} titles"))
    });
}

/// The words in backquotes on a line that look like names of tests.
fn named_tests(line: &str) -> impl Iterator<Item = &str> {
    let is_name = |word: &&str| {
        let is_letter =
            |byte: u8| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
        word.matches('_').count() >= 3 && word.bytes().all(is_letter)
    };
    line.split('`').skip(1).step_by(2).filter(is_name)
}

#[test]
fn each_test_that_a_page_names_is_there() {
    let mut all = Vec::new();
    files(root(), &mut all);
    let sources: Vec<_> = all.iter().filter(|file| file.is("rs")).collect();
    let mut named = 0;
    let mut missing = Vec::new();
    for page in all.iter().filter(|file| NAMING.contains(&file.name())) {
        for test in page.text.lines().flat_map(named_tests) {
            named += 1;
            let function = format!("fn {test}(");
            if !sources.iter().any(|source| source.text.contains(&function)) {
                missing.push(format!("{}: {test}", page.path.display()));
            }
        }
    }
    assert!(named > 0, "the pages name tests");
    assert!(missing.is_empty(), "there is no test\n{}", missing.join("\n"));
}
