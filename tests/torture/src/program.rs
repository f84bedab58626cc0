//! Other programs: mounts, file systems, the client commands.

use std::process::{Command, Output};

use crate::error::{During, Error};

/// Runs a program that has to succeed.
pub(crate) fn run(command: &mut Command) -> Result<Output, Error> {
    let line = line(command);
    let output = command.output().during(format!("run {line}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Program { program: line, told })
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_told_with_its_command_line() {
        let mut failing = Command::new("sh");
        failing.args(["-c", "echo no >&2; exit 3"]);
        let error = run(&mut failing).expect_err("fails");
        assert_eq!(error.to_string(), "sh -c echo no >&2; exit 3 failed: no");
    }
}
