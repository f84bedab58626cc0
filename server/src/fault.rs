//! The fault that a test asks this process to have, in builds that have faults at all.
//!
//! It is no flag and stands in no help: whoever runs a server has no use for it.

use std::env;
use std::ffi::OsStr;

use types::fault::{self, Switch, SwitchError};

use crate::error::Error;

/// The variable that names the fault.
const VARIABLE: &str = "FOREBAY_FAULT";

/// Switches on what the environment asks for, and returns how it was written. Without faults in the
/// program the variable is anybody's.
///
/// # Errors
///
/// [`Error::BadFlags`] if there is no such fault.
pub(crate) fn switch_on() -> Result<Option<String>, Error> {
    if !fault::COMPILED_IN {
        return Ok(None);
    }
    let Some(value) = env::var_os(VARIABLE) else {
        return Ok(None);
    };
    let switch = read(&value)?;
    fault::set(switch).map_err(|error| bad(&error))?;
    Ok(Some(value.to_string_lossy().into_owned()))
}

fn read(value: &OsStr) -> Result<Switch, Error> {
    value.to_string_lossy().parse::<Switch>().map_err(|error| bad(&error))
}

fn bad(error: &SwitchError) -> Error {
    Error::BadFlags { faults: vec![format!("{VARIABLE}: {error}")] }
}

#[cfg(test)]
mod tests {
    use types::fault::{Bug, Point};

    use super::*;
    use crate::exit::Code;

    #[test]
    fn a_fault_is_read_by_its_name() {
        let planted = read(OsStr::new("bug:ack-before-fsync")).expect("there is such a bug");
        assert_eq!(planted, Switch::Plant(Bug::AckBeforeFsync));
        let end = read(OsStr::new("end:put-after:2")).expect("there is such a point");
        assert_eq!(end, Switch::End { point: Point::PutAfter, count: 2 });
    }

    #[test]
    fn a_fault_that_is_not_there_is_wrong_usage() {
        for text in ["", "bug:none", "end:put-after:0"] {
            let error = read(OsStr::new(text)).expect_err("there is no such fault");
            assert_eq!(error.code(), Code::Usage);
            assert!(error.to_string().starts_with("FOREBAY_FAULT: no fault is called"), "{error}");
        }
    }
}
