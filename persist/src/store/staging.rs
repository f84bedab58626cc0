//! Sweeps what a crash left of writes to a local store.

use std::path::Path;

use types::effect::Disk;

use crate::error::Error;

/// Removes the staging files below `root`.
///
/// `LocalFileSystem` writes `name#1`, `name#2` and so on before it gives an object its name, and
/// never lists such files, so nothing but a walk through the directories finds them.
pub(super) fn sweep(root: &Path, disk: &dyn Disk) -> Result<(), Error> {
    let mut unvisited = vec![root.to_owned()];
    while let Some(dir) = unvisited.pop() {
        for entry in disk.list(&dir).map_err(Error::disk("list", &dir))? {
            let path = dir.join(&entry.name);
            if entry.is_dir {
                unvisited.push(path);
            } else if is_staging(&entry.name) {
                tracing::info!(path = %path.display(), "removing what a crash left of a write");
                disk.remove(&path).map_err(Error::disk("remove", &path))?;
            }
        }
    }
    Ok(())
}

/// True for the names that no object can have: percent-encoding leaves no `#` in a key.
fn is_staging(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(object, number)| {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        !object.is_empty() && is_number
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_staging_files_are_taken_for_such() {
        for name in ["a.parquet#1", "a#12", "a#b#3"] {
            assert!(is_staging(name), "{name}");
        }
        for name in ["a.parquet", "#1", "a#", "a#1b", "a%231", "a#1.parquet"] {
            assert!(!is_staging(name), "{name}");
        }
    }
}
