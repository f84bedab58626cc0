//! A file system of its own in a file, mounted through a loop device.

mod drive;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{During, Error};
use crate::program;
use crate::report::tell;
use crate::work_dir::{PREFIX, WorkDir, is_kept};

pub(crate) use drive::Drive;

static ZEROS: [u8; 1 << 20] = [0; 1 << 20];

/// How long a file system may be busy after the last process in it has ended.
const BUSY_MAX: Duration = Duration::from_secs(20);
const BUSY_PACE: Duration = Duration::from_millis(5);

/// A mounted file system; unmounted and removed when it is dropped.
#[derive(Debug)]
pub(crate) struct LoopMount {
    dir: WorkDir,
    mounted: bool,
}

impl LoopMount {
    /// Makes and mounts one of `size` bytes whose image lies in `parent`.
    pub(crate) fn new(parent: &Path, size: u64, file_system: &str) -> Result<Self, Error> {
        Self::with_options(parent, size, (file_system, &[]))
    }

    /// The same, with more options for who makes the file system.
    fn with_options(
        parent: &Path,
        size: u64,
        (file_system, options): (&str, &[&str]),
    ) -> Result<Self, Error> {
        let mount = Self { dir: WorkDir::within(parent)?, mounted: false };
        let image = fs::File::create(mount.image()).during("make an image")?;
        image.set_len(size).during("make an image")?;
        drop(image);
        mount.made(file_system, options)
    }

    /// The same, with all blocks of the image written.
    fn written(parent: &Path, size: u64, file_system: &str) -> Result<Self, Error> {
        let mount = Self { dir: WorkDir::within(parent)?, mounted: false };
        let mut image = fs::File::create(mount.image()).during("make an image")?;
        for _ in 0..size / ZEROS.len() as u64 {
            image.write_all(&ZEROS).during("write an image")?;
        }
        image.sync_all().during("write an image")?;
        drop(image);
        mount.made(file_system, &[])
    }

    fn made(mut self, file_system: &str, options: &[&str]) -> Result<Self, Error> {
        fs::create_dir(self.path()).during("make a mount point")?;
        // The image is new: nothing is asked before it is written.
        let force = if file_system == "xfs" { "-f" } else { "-F" };
        let mut maker = Command::new(format!("mkfs.{file_system}"));
        program::run(maker.args(["-q", force]).args(options).arg(self.image()))?;
        self.mount()?;
        Ok(self)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    /// Mounts it; recovers its journal, as a machine does that starts again.
    pub(crate) fn mount(&mut self) -> Result<(), Error> {
        let mut command = Command::new("mount");
        program::run(command.args(["-o", "loop"]).arg(self.image()).arg(self.path()))?;
        self.mounted = true;
        Ok(())
    }

    /// Unmounts it; all who used it have ended.
    pub(crate) fn unmount(&mut self) -> Result<(), Error> {
        let path = self.path();
        patiently(|| program::run(Command::new("umount").arg(&path)))?;
        self.mounted = false;
        Ok(())
    }

    /// Lets nobody write to it any more, or lets them again. Who is writing just now ends first.
    pub(crate) fn set_read_only(&self, read_only: bool) -> Result<(), Error> {
        let options = if read_only { "remount,ro" } else { "remount,rw" };
        let path = self.path();
        patiently(|| program::run(Command::new("mount").args(["-o", options]).arg(&path)))
    }

    /// Has everybody wait who writes to it, until it is thawed.
    pub(crate) fn freeze(&self) -> Result<Frozen, Error> {
        let path = self.path();
        program::run(Command::new("fsfreeze").arg("-f").arg(&path))?;
        Ok(Frozen { path, thawed: false })
    }

    /// Keeps what is in it, mounted, for whoever looks into what went wrong.
    pub(crate) fn keep(&mut self) {
        self.dir.keep();
        self.mounted = false;
    }
}

impl Drop for LoopMount {
    fn drop(&mut self) {
        if self.mounted {
            detach(&self.path());
        }
    }
}

/// A frozen file system; thawed when this is dropped. A process that waits for it cannot even be
/// killed, so whoever has one lets go of it before waiting for the end of a server.
#[derive(Debug)]
pub(crate) struct Frozen {
    path: PathBuf,
    thawed: bool,
}

impl Frozen {
    pub(crate) fn thaw(mut self) -> Result<(), Error> {
        thaw(&self.path)?;
        self.thawed = true;
        Ok(())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if !self.thawed
            && let Err(error) = thaw(&self.path)
        {
            tell(&format!("{error}"));
        }
    }
}

fn thaw(path: &Path) -> Result<(), Error> {
    program::run(Command::new("fsfreeze").arg("-u").arg(path)).map(|_| ())
}

/// Tries again for as long as it may be busy.
fn patiently<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> Result<(), Error> {
    let deadline = Instant::now() + BUSY_MAX;
    loop {
        match attempt() {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(BUSY_PACE),
        }
    }
}

/// Unmounts a file system whoever uses it; it goes when they have.
fn detach(path: &Path) {
    if let Err(error) = program::run(Command::new("umount").arg("-l").arg(path)) {
        tell(&format!("{error}"));
    }
}

/// Removes what runs of this program have left that were killed: mounts, with their loop devices,
/// and directories.
pub(crate) fn sweep(parent: &Path) -> Result<(), Error> {
    sweep_mounts(parent)?;
    drive::sweep();
    Ok(())
}

fn sweep_mounts(parent: &Path) -> Result<(), Error> {
    let what = || format!("list {}", parent.display());
    for entry in fs::read_dir(parent).during(what())? {
        let path = entry.during(what())?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let is_left = |process: &str| {
            process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists()
        };
        if process.is_some_and(is_left) && !is_kept(&path) {
            if path.join("mnt").exists() {
                // It may not be frozen or mounted any more. Of one that is unmounted while it is
                // frozen whoever waits for it never comes free.
                let _ = Command::new("fsfreeze").arg("-u").arg(path.join("mnt")).output();
                let _ = Command::new("umount").arg("-l").arg(path.join("mnt")).output();
            }
            fs::remove_dir_all(&path).during(format!("remove {}", path.display()))?;
        }
    }
    Ok(())
}
