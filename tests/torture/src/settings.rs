//! What all scenarios are told.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::error::{During, Error};
use crate::loop_mount;

/// The binary under test, chance, and where to work.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// The binary under test [default: `forebay` beside this program]
    #[arg(long, value_name = "PATH", env = "FOREBAY_BIN", global = true)]
    pub forebay: Option<PathBuf>,

    /// Where chance begins
    #[arg(long, value_name = "NUMBER", default_value_t = 1, global = true)]
    pub seed: u64,

    /// Where data directories are made
    #[arg(long, value_name = "DIR", default_value = "/tmp", global = true)]
    pub work_dir: PathBuf,

    /// Where images of file systems are made
    #[arg(long, value_name = "DIR", default_value = "/dev/shm", global = true)]
    pub image_dir: PathBuf,

    /// Judge how long things took, too: for a release build with the machine to itself
    #[arg(long, global = true)]
    pub strict: bool,
}

impl Settings {
    /// The settings of a test, with chance beginning at `seed`. Tests judge no times.
    pub fn of_test(seed: u64) -> Self {
        Self {
            forebay: env::var_os("FOREBAY_BIN").map(PathBuf::from),
            seed,
            work_dir: env::temp_dir(),
            image_dir: PathBuf::from("/dev/shm"),
            strict: false,
        }
    }

    /// The binary under test.
    pub(crate) fn binary(&self) -> Result<PathBuf, Error> {
        let path = match &self.forebay {
            Some(path) => path.clone(),
            None => beside(&env::current_exe().during("find this program")?),
        };
        if path.is_file() {
            return Ok(path);
        }
        let reason = "there is none; build it, or name another by --forebay or FOREBAY_BIN";
        Err(Error::answer(path.display().to_string(), &reason))
    }

    pub(crate) fn random(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }

    /// Removes what earlier runs have left that were killed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a directory cannot be listed or removed.
    pub fn sweep(&self) -> Result<(), Error> {
        loop_mount::sweep(&self.work_dir)?;
        loop_mount::sweep(&self.image_dir)
    }
}

/// Where cargo puts the binary of this build: beside a program, and above a test in `deps`.
fn beside(program: &Path) -> PathBuf {
    let dir = program.parent().unwrap_or(program);
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    dir.join("forebay")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_beside_a_program_and_above_a_test() {
        let forebay = Path::new("/target/release/forebay");
        assert_eq!(beside(Path::new("/target/release/torture")), forebay);
        assert_eq!(beside(Path::new("/target/release/deps/fast-0123")), forebay);
    }
}
