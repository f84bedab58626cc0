//! A memory cgroup, version 1 or 2.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{During, Error};
use crate::work_dir::PREFIX;

const V1: &str = "/sys/fs/cgroup/memory";
const V2: &str = "/sys/fs/cgroup";

/// A group with a memory limit; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct MemoryCgroup {
    dir: PathBuf,
    is_v1: bool,
}

impl MemoryCgroup {
    /// Makes one.
    pub(crate) fn new(limit: u64) -> Result<Self, Error> {
        let is_v1 = Path::new(V1).join("memory.limit_in_bytes").exists();
        let root = Path::new(if is_v1 { V1 } else { V2 });
        if !is_v1 {
            let enabled = fs::write(root.join("cgroup.subtree_control"), "+memory");
            enabled.during("enable memory in cgroups")?;
        }
        let dir = root.join(format!("{PREFIX}{}", std::process::id()));
        match fs::create_dir(&dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error).during(format!("make {}", dir.display()));
            }
            _ => {}
        }
        let group = Self { dir, is_v1 };
        let name = if is_v1 { "memory.limit_in_bytes" } else { "memory.max" };
        fs::write(group.dir.join(name), limit.to_string()).during("limit a cgroup")?;
        Ok(group)
    }

    /// The command in front of a server that is to run in it.
    pub(crate) fn prefix(&self) -> Vec<OsString> {
        let procs = self.dir.join("cgroup.procs").into_os_string();
        let join = "echo $$ > \"$0\" && exec \"$@\"";
        vec!["sh".into(), "-c".into(), join.into(), procs]
    }

    /// How often the kernel killed somebody in it for want of memory.
    pub(crate) fn kills(&self) -> u64 {
        let name = if self.is_v1 { "memory.oom_control" } else { "memory.events" };
        let text = fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        // Whoever ran in it has ended; if not, an empty group is left and does no harm.
        let _ = fs::remove_dir(&self.dir);
    }
}
