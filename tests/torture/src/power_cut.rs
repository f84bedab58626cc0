//! Cuts the power of a file system: nothing reaches its disk any more, and its journal is recovered
//! at the next mount, as after a reboot.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::error::{During, Error};

/// Opens the file system, says so, waits for a line, and shuts the file system down at once. The
/// number is `_IOR('X', 125, __u32)`, `EXT4_IOC_SHUTDOWN` and `XFS_IOC_GOINGDOWN` alike. It is in
/// Python because a call of this kind is `unsafe` in Rust.
const SCRIPT: &str = "\
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
sys.stdin.readline()
fcntl.ioctl(fd, 0x8004587D, struct.pack('I', int(sys.argv[2])))
print('cut', flush=True)
";

/// What becomes of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Journal {
    /// It is written first.
    Flushed,
    /// It stays as it is.
    Lost,
}

impl Journal {
    const fn flag(self) -> &'static str {
        match self {
            Self::Flushed => "1",
            Self::Lost => "2",
        }
    }
}

/// Somebody with a hand at the switch.
#[derive(Debug)]
pub(crate) struct Cutter {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Cutter {
    /// Gets ready; the cut itself will take no time.
    pub(crate) fn ready(mount: &Path, journal: Journal) -> Result<Self, Error> {
        // Not another one that would take longer to start.
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", SCRIPT]).arg(mount).arg(journal.flag());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().during("start python3")?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stdout = stdout.ok_or_else(|| Error::answer("python3", &"has no output"))?;
        let mut cutter = Self { child, stdin, stdout: BufReader::new(stdout) };
        cutter.hear("ready")?;
        Ok(cutter)
    }

    /// Cuts the power.
    pub(crate) fn cut(mut self) -> Result<(), Error> {
        if let Some(mut stdin) = self.stdin.take() {
            stdin.write_all(b"now\n").during("cut the power")?;
        }
        self.hear("cut")
    }

    fn hear(&mut self, expected: &str) -> Result<(), Error> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).during("hear python3")?;
        if line.trim() == expected {
            return Ok(());
        }
        Err(Error::answer("python3", &format!("{line:?} instead of {expected}")))
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        // It holds the file system open, so it has to be gone before that is unmounted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
