//! Every implementation shows every behaviour.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use catalog::{CatalogWrite, Config, EmbeddedCatalog, Limits, MemoryCatalog};
use types::effect::Disk;
use wal::disk::{ModelDisk, RealDisk};

use crate::stage::{deps, small};

fn open(dir: &Path, disk: Arc<dyn Disk>, limits: Limits) -> Arc<dyn CatalogWrite> {
    let config = Config { limits, ..small() };
    Arc::new(EmbeddedCatalog::open(dir, &config, deps(disk)).expect("a new catalog"))
}

mod memory {
    use super::*;

    catalog::conformance_tests!(|limits| -> Arc<dyn CatalogWrite> {
        Arc::new(MemoryCatalog::new(limits))
    });
}

mod embedded_on_the_modelled_disk {
    use super::*;

    catalog::conformance_tests!({
        |limits| open(Path::new("/catalog"), Arc::new(ModelDisk::new(1)), limits)
    });
}

mod embedded_on_the_real_disk {
    use super::*;

    catalog::conformance_tests!({
        let dir = tempfile::tempdir().expect("a temporary directory");
        let made = AtomicU64::new(0);
        move |limits| {
            let n = made.fetch_add(1, Ordering::Relaxed);
            open(&dir.path().join(n.to_string()), Arc::new(RealDisk), limits)
        }
    });
}
