//! A disk with a file system on it, and a switch that cuts its power.
//!
//! ```text
//!   quick    file system ── loop ── image                        the file system is shut down
//!
//!   slow     file system ── loop ── image, on a file system below ── loop ── image
//!                         a page at a time,                      that one is shut down
//!                         so many a second
//! ```
//!
//! A file system that is shut down still ends the write-out that it has begun, so a quick disk has
//! a group whole or not at all. Below a slow one the power goes between two pages of a write-out:
//! what was written stays, all the rest fails, and nothing is reordered beyond what the kernel does.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::LoopMount;
use crate::error::{During, Error};
use crate::program;
use crate::report::tell;

/// Without a journal of its own: what is in the image is all that it has to keep, and those blocks
/// are there from the beginning.
const BELOW: &str = "ext4";
const BELOW_OPTIONS: [&str; 4] = ["-O", "^has_journal", "-m", "0"];

/// Limits of each disk: its number, and writes a second; 0 is none.
const LIMITS: &str = "/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device";
/// The major number of loop devices.
const LOOP: &str = "7:";
/// One page, below which no device goes.
const REQUEST_KIB: u32 = 4;

/// The disk.
#[derive(Debug)]
pub(crate) struct Drive {
    // Before the one below it, so that it is unmounted first.
    top: LoopMount,
    below: Option<LoopMount>,
}

impl Drive {
    /// One that does at once what it is told.
    pub(crate) fn quick(parent: &Path, size: u64, file_system: &str) -> Result<Self, Error> {
        Ok(Self { top: LoopMount::new(parent, size, file_system)?, below: None })
    }

    /// One that can be slowed down.
    pub(crate) fn slow(parent: &Path, size: u64, file_system: &str) -> Result<Self, Error> {
        if !Path::new(LIMITS).exists() {
            tell(&format!(
                "there is no {LIMITS}: a slow disk is not slow, and few groups are torn"
            ));
        }
        let below = LoopMount::with_options(parent, size + size / 8, (BELOW, &BELOW_OPTIONS))?;
        let top = LoopMount::written(&below.path(), size, file_system)?;
        program::run(Command::new("sync").arg("-f").arg(below.path()))?;
        let drive = Self { top, below: Some(below) };
        drive.bypass_cache()?;
        Ok(drive)
    }

    /// Where its file system is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.top.path()
    }

    /// The mount point of what is shut down when the power is cut.
    pub(crate) fn switch(&self) -> PathBuf {
        self.below.as_ref().unwrap_or(&self.top).path()
    }

    pub(crate) const fn is_slow(&self) -> bool {
        self.below.is_some()
    }

    /// Turns the machine off, and on again: only what is on the disk is left.
    pub(crate) fn reboot(&mut self) -> Result<(), Error> {
        self.top.unmount()?;
        if let Some(below) = &mut self.below {
            below.unmount()?;
            below.mount()?;
        }
        self.top.mount()?;
        if self.is_slow() { self.bypass_cache() } else { Ok(()) }
    }

    /// Keeps what is in it, mounted, for whoever looks into what went wrong.
    pub(crate) fn keep(&mut self) {
        self.top.keep();
        if let Some(below) = &mut self.below {
            below.keep();
        }
    }

    /// Writes a page at a time from now on, and so many a second.
    pub(crate) fn slow_down(&self, writes_a_second: u32) -> Result<Slowed, Error> {
        // Undone however far it comes.
        let slowed = Slowed { device: self.device()? };
        slowed.device.set_request_kib(REQUEST_KIB)?;
        if Path::new(LIMITS).exists() {
            slowed.device.set_limit(writes_a_second)?;
        }
        Ok(slowed)
    }

    /// What the loop device was given is on the disk, not in the memory of the file system below.
    fn bypass_cache(&self) -> Result<(), Error> {
        let device = Path::new("/dev").join(self.device()?.name()?);
        program::run(Command::new("losetup").arg("--direct-io=on").arg(device)).map(|_| ())
    }

    fn device(&self) -> Result<Device, Error> {
        let path = self.path();
        let metadata = fs::metadata(&path).during(format!("look at {}", path.display()))?;
        Ok(Device::of(metadata.dev()))
    }
}

/// A block device, as `/sys` calls it.
#[derive(Debug)]
struct Device {
    number: String,
}

impl Device {
    fn of(device: u64) -> Self {
        // As glibc takes it apart; block devices have no larger numbers.
        let major = (device >> 8) & 0xfff;
        let minor = (device & 0xff) | ((device >> 12) & 0xf_ff00);
        Self { number: format!("{major}:{minor}") }
    }

    fn dir(&self) -> PathBuf {
        Path::new("/sys/dev/block").join(&self.number)
    }

    fn name(&self) -> Result<PathBuf, Error> {
        let dir = self.dir();
        let target = fs::read_link(&dir).during(format!("find the device {}", dir.display()))?;
        Ok(target.file_name().map(PathBuf::from).unwrap_or_default())
    }

    /// How much one request may write; 0 is what the kernel would choose.
    fn set_request_kib(&self, kib: u32) -> Result<(), Error> {
        let file = self.dir().join("queue/max_sectors_kb");
        fs::write(&file, kib.to_string()).during(format!("write {}", file.display()))
    }

    fn set_limit(&self, writes_a_second: u32) -> Result<(), Error> {
        let line = format!("{} {writes_a_second}", self.number);
        fs::write(LIMITS, line).during(format!("write {LIMITS}"))
    }

    /// As fast as it can be.
    fn hurry(&self) {
        let limited = Path::new(LIMITS).exists();
        let unlimited = if limited { self.set_limit(0) } else { Ok(()) };
        for error in [unlimited, self.set_request_kib(0)].into_iter().filter_map(Result::err) {
            tell(&error.to_string());
        }
    }
}

/// A disk that is slow until this is dropped.
#[derive(Debug)]
pub(crate) struct Slowed {
    device: Device,
}

impl Drop for Slowed {
    fn drop(&mut self) {
        self.device.hurry();
    }
}

/// Frees loop devices that nobody uses of the limits that a killed run has left: they outlive what
/// the device was used for.
pub(super) fn sweep() {
    let limits = fs::read_to_string(LIMITS).unwrap_or_default();
    for number in limits.lines().filter_map(|line| line.split(' ').next()) {
        let device = Device { number: number.to_owned() };
        if number.starts_with(LOOP) && !device.dir().join("loop").exists() {
            device.hurry();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_the_number_that_stat_tells() {
        assert_eq!(Device::of(0x0700).number, "7:0");
        assert_eq!(Device::of(0x0703).number, "7:3");
        assert_eq!(Device::of(0x10_0701).number, "7:257");
    }
}
