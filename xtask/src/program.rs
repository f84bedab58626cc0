//! Other programs.

use std::io::{self, Write};
use std::process::{Command, ExitStatus, Stdio};

use crate::error::Error;

/// Says what is run, runs it, and wants it to succeed.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    match status(command)? {
        status if status.success() => Ok(()),
        _ => Err(Error::Failed { program: line(command) }),
    }
}

/// Tells a person how it goes.
pub(crate) fn say(text: &str) {
    // There is nobody left to hear that standard error cannot be written.
    let _ = writeln!(io::stderr(), "{text}");
}

/// What a program that has to succeed says on its standard output.
pub(crate) fn said(command: &mut Command) -> Result<String, Error> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|reason| Error::Start { program: line(command), reason })?;
    if !output.status.success() {
        return Err(Error::Failed { program: line(command) });
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Says what is run, and runs it.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, Error> {
    say(&format!("+ {}", line(command)));
    let started = command.status();
    started.map_err(|reason| Error::Start { program: line(command), reason })
}

/// True if the program is there and succeeds; it is not heard.
pub(crate) fn works(command: &mut Command) -> bool {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
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
        let error = run(Command::new("sh").args(["-c", "exit 3"])).expect_err("fails");
        assert_eq!(error.to_string(), "sh -c exit 3 failed");
        assert!(run(&mut Command::new("no-such-program")).is_err());
        assert!(!works(&mut Command::new("no-such-program")));
    }
}
