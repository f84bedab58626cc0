//! Programs that the tests of real faults need, from Debian's packages.

use std::process::Command;

use crate::error::Error;
use crate::program;

/// Each program with the package that has it. All of them tell their version when asked by `-V`.
const NEEDED: [(&str, &str); 4] = [
    ("strace", "strace"),
    ("mkfs.ext4", "e2fsprogs"),
    ("losetup", "mount"),
    ("fsfreeze", "util-linux"),
];

/// Installs what is missing, which needs root.
pub(crate) fn install_missing() -> Result<(), Error> {
    let is_missing = |name: &str| !program::works(Command::new(name).arg("-V"));
    let missing: Vec<_> = NEEDED
        .into_iter()
        .filter(|(name, _)| is_missing(name))
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    program::run(Command::new("apt-get").args(["update", "-qq"]))?;
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    program::run(Command::new("apt-get").args(install).args(missing))
}
