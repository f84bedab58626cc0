//! Files and names at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use types::effect::DiskEntry;

use super::journal::Change;

/// Names a file whatever its name.
pub(super) type Inode = u64;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    File(Inode),
}

/// All files and names; [`BTreeMap`]s, so that a seed replays.
#[derive(Clone, Debug)]
pub(super) struct Image {
    nodes: BTreeMap<PathBuf, Node>,
    files: BTreeMap<Inode, Vec<u8>>,
}

impl Image {
    pub(super) fn with_root() -> Self {
        let nodes = BTreeMap::from([(PathBuf::from("/"), Node::Dir)]);
        Self { nodes, files: BTreeMap::new() }
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Link { path, node } => {
                self.nodes.insert(path.clone(), *node);
                if let Node::File(inode) = node {
                    self.files.entry(*inode).or_default();
                }
            }
            Change::Unlink { path } => {
                self.nodes.remove(path);
            }
            Change::Rename { from, to, inode } => {
                if self.nodes.get(from) == Some(&Node::File(*inode)) {
                    self.nodes.remove(from);
                }
                self.nodes.insert(to.clone(), Node::File(*inode));
            }
            Change::Write { inode, offset, bytes } => {
                let start = usize::try_from(*offset).unwrap_or(usize::MAX);
                let file = self.files.entry(*inode).or_default();
                let end = start + bytes.len();
                file.resize(file.len().max(end), 0);
                file[start..end].copy_from_slice(bytes);
            }
            Change::SetLen { inode, len } => {
                let len = usize::try_from(*len).unwrap_or(usize::MAX);
                self.files.entry(*inode).or_default().resize(len, 0);
            }
        }
    }

    /// Drops names whose directory is gone, and files without a name.
    pub(super) fn forget_unreachable(&mut self) {
        let names = self.nodes.clone();
        self.nodes.retain(|path, _| {
            path.ancestors().skip(1).all(|dir| names.get(dir) == Some(&Node::Dir))
        });
        let named: BTreeSet<_> = self
            .nodes
            .values()
            .filter_map(|node| if let Node::File(inode) = node { Some(*inode) } else { None })
            .collect();
        self.files.retain(|inode, _| named.contains(inode));
    }

    pub(super) fn inode(&self, path: &Path) -> Option<Inode> {
        match self.nodes.get(path) {
            Some(Node::File(inode)) => Some(*inode),
            Some(Node::Dir) | None => None,
        }
    }

    pub(super) fn bytes(&self, inode: Inode) -> &[u8] {
        self.files.get(&inode).map(Vec::as_slice).unwrap_or_default()
    }

    /// How many names there are, directories and the root included.
    pub(super) fn names(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn has_name(&self, path: &Path) -> bool {
        self.nodes.contains_key(path)
    }

    /// Bytes of the files that have a name.
    pub(super) fn used(&self) -> u64 {
        let bytes = |node: &Node| match node {
            Node::File(inode) => self.bytes(*inode).len() as u64,
            Node::Dir => 0,
        };
        self.nodes.values().map(bytes).sum()
    }

    /// Fails unless `path` can be created.
    pub(super) fn check_free(&self, path: &Path) -> io::Result<()> {
        if self.nodes.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        match path.parent().and_then(|dir| self.nodes.get(dir)) {
            Some(Node::Dir) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<DiskEntry>> {
        if self.nodes.get(dir) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = self.nodes.iter().filter(|(path, _)| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|(path, node)| {
                let name = path.file_name()?.to_str()?.to_owned();
                Some(match node {
                    Node::Dir => DiskEntry { name, len: 0, is_dir: true },
                    Node::File(inode) => {
                        DiskEntry { name, len: self.bytes(*inode).len() as u64, is_dir: false }
                    }
                })
            })
            .collect())
    }
}
