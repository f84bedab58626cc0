//! Puts all reports into one page: what was lost, phantom or double; which planted bugs were caught;
//! what mutations of a log came to; figures; and what each scenario has counted besides.

mod figures;
mod head;
mod mutations;
mod planted;
mod reports;
mod sections;
mod summary;
mod table;

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::error::{During, Error};
use crate::settings::Settings;
use reports::Reports;

/// Where reports are, and where the page goes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The directory with the reports: `*.json`, of which the last line counts, and what failed
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,

    /// The page
    #[arg(long, value_name = "FILE")]
    pub into: PathBuf,

    /// What was built and run
    #[arg(long, value_name = "COMMIT")]
    pub commit: String,

    /// Pages that stand at its end, each as a part of this one
    #[arg(long, value_name = "FILE")]
    pub append: Vec<PathBuf>,
}

/// Writes the page.
///
/// # Errors
///
/// [`Error`] if a report cannot be read or the page not be written.
pub fn run(settings: &Settings, options: &Options) -> Result<(), Error> {
    let reports = Reports::read(&options.from)?;
    let mut page = head::text(settings, &options.commit)?;
    for part in [summary::text, planted::text, mutations::text, figures::text] {
        page.push_str(&part(&reports));
    }
    for file in &options.append {
        let text = fs::read_to_string(file).during(format!("read {}", file.display()))?;
        page.push('\n');
        page.push_str(&one_level_down(&text));
    }
    page.push_str(&sections::text(&reports));
    let into = &options.into;
    fs::write(into, page).during(format!("write {}", into.display()))
}

/// A page as a part of another: its title becomes a heading, and so on.
fn one_level_down(text: &str) -> String {
    let mut in_code = false;
    let lines = text.lines().map(|line| {
        in_code ^= line.starts_with("```");
        let is_heading = line.starts_with('#') && line.trim_start_matches('#').starts_with(' ');
        let mark = if is_heading && !in_code { "#" } else { "" };
        format!("{mark}{line}\n")
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_a_part_of_another() {
        let page = "# Title\n\n## Part\n text\n#no heading\n```sh\n# comment\n```\n";
        let part = "## Title\n\n### Part\n text\n#no heading\n```sh\n# comment\n```\n";
        assert_eq!(one_level_down(page), part);
    }
}
