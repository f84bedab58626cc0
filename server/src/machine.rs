//! What this process may use of the machine it runs on.

use std::num::NonZeroUsize;
use std::thread;

use bytesize::ByteSize;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// Memory, cores and open files, as far as the operating system lets this process have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Memory of the machine, or of the process's cgroup (version 1 or 2, or one above it) where
    /// that is less. Unknown where the operating system does not tell.
    pub(crate) memory: Option<ByteSize>,
    /// Cores, or as many as a cgroup quota or an affinity mask leaves.
    pub(crate) cores: NonZeroUsize,
    /// Files and connections that may be open at once; `None` where nothing limits them.
    pub(crate) descriptors: Option<u64>,
}

impl Machine {
    /// Asks the operating system, and for as many open files as it lets this process have.
    pub(crate) fn detect() -> Self {
        Self {
            memory: System::new().ok().and_then(|mut system| memory(&mut system)),
            cores: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            descriptors: raise_descriptors(),
        }
    }
}

/// Raises the limit of open files to the highest that is allowed: the usual one is made for
/// programs that still use `select`. Returns the limit that is in force.
fn raise_descriptors() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    // Where the system does not let it be raised, what was there goes on.
    if setrlimit(Resource::Nofile, raised).is_ok() { maximum } else { current }
}

fn memory(system: &mut System) -> Option<ByteSize> {
    system.refresh_memory();
    let whole = Some(system.total_memory()).filter(|whole| *whole > 0);
    let least = whole.into_iter().chain(cgroup_limit(system)).min();
    least.map(ByteSize)
}

/// The memory limit that holds for this process; `None` where there is none or none is known.
fn cgroup_limit(system: &mut System) -> Option<u64> {
    let own = sysinfo::get_current_pid().ok()?;
    let nothing_else = ProcessRefreshKind::nothing();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, nothing_else);
    let of_process = system.process(own).and_then(|process| process.cgroup_limits());
    // In a container the process's own path may not be mounted; the root of what is mounted is.
    let limits = of_process.or_else(|| system.cgroup_limits())?;
    Some(limits.total_memory).filter(|limit| *limit > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_memory_and_a_core() {
        let memory = Machine::detect().memory.expect("this system tells");
        assert!(memory > ByteSize::mib(64), "{memory}");
        assert!(memory < ByteSize::pib(1), "{memory}");
    }

    #[test]
    fn as_many_files_may_be_open_as_is_allowed() {
        let descriptors = Machine::detect().descriptors;
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(descriptors, current);
        // Some systems name no highest limit, and take none either.
        assert!(maximum.is_none() || current == maximum, "{current:?} of {maximum:?}");
    }
}
