//! Tests of the durable local store, on a real directory, with each sync recorded.

use object_store::{ObjectStoreExt, PutMode};
use parking_lot::Mutex;
use types::effect::disk::{DirLock, DiskEntry, DiskFile, LockMode};
use wal::disk::RealDisk;

use super::*;

/// A real disk that notes what is synced, in order, and fails syncs on demand.
#[derive(Debug, Default)]
struct RecordingDisk {
    real: RealDisk,
    synced: Arc<Mutex<Vec<PathBuf>>>,
    failing: Arc<Mutex<Option<PathBuf>>>,
}

impl RecordingDisk {
    fn note(
        synced: &Mutex<Vec<PathBuf>>,
        failing: &Mutex<Option<PathBuf>>,
        path: &FsPath,
    ) -> io::Result<()> {
        synced.lock().push(path.to_owned());
        if failing.lock().as_deref() == Some(path) {
            return Err(io::Error::other("EIO"));
        }
        Ok(())
    }
}

/// An open file of a [`RecordingDisk`].
#[derive(Debug)]
struct RecordingFile {
    real: Box<dyn DiskFile>,
    path: PathBuf,
    synced: Arc<Mutex<Vec<PathBuf>>>,
    failing: Arc<Mutex<Option<PathBuf>>>,
}

impl DiskFile for RecordingFile {
    fn len(&self) -> io::Result<u64> {
        self.real.len()
    }
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.real.read_at(bytes, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.real.write_at(bytes, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.real.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        RecordingDisk::note(&self.synced, &self.failing, &self.path)?;
        self.real.sync_data()
    }
}

impl Disk for RecordingDisk {
    fn create_dir(&self, dir: &FsPath) -> io::Result<()> {
        self.real.create_dir(dir)
    }
    fn list(&self, dir: &FsPath) -> io::Result<Vec<DiskEntry>> {
        self.real.list(dir)
    }
    fn create(&self, path: &FsPath) -> io::Result<Box<dyn DiskFile>> {
        self.real.create(path)
    }
    fn open(&self, path: &FsPath, access: Access) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RecordingFile {
            real: self.real.open(path, access)?,
            path: path.to_owned(),
            synced: Arc::clone(&self.synced),
            failing: Arc::clone(&self.failing),
        }))
    }
    fn rename(&self, from: &FsPath, to: &FsPath) -> io::Result<()> {
        self.real.rename(from, to)
    }
    fn remove(&self, path: &FsPath) -> io::Result<()> {
        self.real.remove(path)
    }
    fn sync_dir(&self, dir: &FsPath) -> io::Result<()> {
        Self::note(&self.synced, &self.failing, dir)?;
        self.real.sync_dir(dir)
    }
    fn lock_dir(&self, dir: &FsPath, mode: LockMode) -> io::Result<Box<dyn DirLock>> {
        self.real.lock_dir(dir, mode)
    }
}

struct Bench {
    _dir: tempfile::TempDir,
    root: PathBuf,
    disk: Arc<RecordingDisk>,
    store: DurableLocalStore,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().canonicalize().expect("exists").join("objects");
    let disk = Arc::new(RecordingDisk::default());
    let store = DurableLocalStore::open(&root, Arc::clone(&disk) as _).expect("opens");
    Bench { _dir: dir, root, disk, store }
}

impl Bench {
    /// The paths synced since the last call, relative to the root.
    fn synced(&self) -> Vec<String> {
        let synced = std::mem::take(&mut *self.disk.synced.lock());
        let relative = |path: PathBuf| {
            let path = path.strip_prefix(&self.root).expect("below the root").to_owned();
            path.to_str().expect("UTF-8").to_owned()
        };
        synced.into_iter().map(relative).collect()
    }

    async fn put(&self, key: &str, mode: PutMode) -> Result<PutResult> {
        let key = Path::parse(key).expect("a key");
        self.store.put_opts(&key, PutPayload::from_static(b"bytes"), mode.into()).await
    }
}

const ALL_ABOVE_FILE: [&str; 5] = ["a/b/c/file", "a/b/c", "a/b", "a", ""];

#[tokio::test]
async fn a_put_syncs_the_file_and_then_each_directory_above_it() {
    for mode in [PutMode::Overwrite, PutMode::Create] {
        let bench = bench();
        bench.disk.synced.lock().clear();
        bench.put("a/b/c/file", mode.clone()).await.expect("is put");
        assert_eq!(bench.synced(), ALL_ABOVE_FILE, "{mode:?}");
        let read = bench.store.get(&Path::from("a/b/c/file")).await.expect("is there");
        assert_eq!(read.bytes().await.expect("is read").as_ref(), b"bytes");
    }
}

#[tokio::test]
async fn directories_made_by_another_put_are_synced_too() {
    let bench = bench();
    bench.put("a/b/c/other", PutMode::Overwrite).await.expect("is put");
    bench.disk.synced.lock().clear();
    bench.put("a/b/c/file", PutMode::Overwrite).await.expect("is put");
    assert_eq!(bench.synced(), ALL_ABOVE_FILE);
}

#[tokio::test]
async fn copies_renames_and_uploads_in_parts_are_synced() {
    let bench = bench();
    let (source, target) = (Path::from("source"), Path::from("a/b/c/file"));
    for operation in ["copy", "rename", "parts"] {
        bench.put("source", PutMode::Overwrite).await.expect("is put");
        bench.disk.synced.lock().clear();
        match operation {
            "copy" => bench.store.copy(&source, &target).await.expect("is copied"),
            "rename" => bench.store.rename(&source, &target).await.expect("is renamed"),
            _ => {
                let mut upload = bench.store.put_multipart(&target).await.expect("begins");
                let part = PutPayload::from_static(b"part");
                upload.put_part(part).await.expect("is written");
                assert_eq!(bench.synced(), [""; 0], "nothing is promised yet");
                upload.complete().await.expect("is completed");
            }
        }
        assert_eq!(bench.synced(), ALL_ABOVE_FILE, "{operation}");
        bench.store.delete(&target).await.expect("is there");
    }
}

#[tokio::test]
async fn a_failed_sync_of_file_or_directory_fails_the_put() {
    for failing in ALL_ABOVE_FILE {
        let bench = bench();
        let path = if failing.is_empty() { bench.root.clone() } else { bench.root.join(failing) };
        *bench.disk.failing.lock() = Some(path);
        let put = bench.put("a/b/c/file", PutMode::Overwrite).await;
        assert!(put.is_err(), "{failing:?} was not synced");
    }
}

#[tokio::test]
async fn the_root_is_created_durably() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Arc::new(RecordingDisk::default());
    DurableLocalStore::open(&dir.path().join("objects"), Arc::clone(&disk) as _).expect("opens");
    assert_eq!(*disk.synced.lock(), [dir.path()]);
    DurableLocalStore::open(&dir.path().join("objects"), Arc::clone(&disk) as _).expect("opens");
    assert!(DurableLocalStore::open(&dir.path().join("no/objects"), disk).is_err());
}

#[tokio::test]
async fn a_root_behind_a_link_is_synced_where_it_is() {
    let bench = bench();
    let link = bench.root.with_file_name("link");
    std::os::unix::fs::symlink(&bench.root, &link).expect("is linked");
    let store = DurableLocalStore::open(&link, Arc::clone(&bench.disk) as _).expect("opens");
    bench.disk.synced.lock().clear();
    let payload = PutPayload::from_static(b"bytes");
    store.put(&Path::from("a/b/c/file"), payload).await.expect("is put");
    assert_eq!(bench.synced(), ALL_ABOVE_FILE);
}

#[tokio::test]
async fn what_a_crash_left_of_writes_is_swept_at_the_start() {
    let bench = bench();
    bench.put("a/b/file", PutMode::Overwrite).await.expect("is put");
    // The names under which the wrapped store writes before it renames.
    for name in ["a/b/file#1", "a/b/lost.parquet#2", "top#1"] {
        std::fs::write(bench.root.join(name), b"half").expect("is written");
    }
    DurableLocalStore::open(&bench.root, Arc::clone(&bench.disk) as _).expect("opens");
    let names = |dir: &str| {
        let entries = bench.disk.list(&bench.root.join(dir)).expect("is there");
        entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>()
    };
    assert_eq!((names("a/b"), names("")), (vec!["file".to_owned()], vec!["a".to_owned()]));
}

#[tokio::test]
async fn an_upload_that_was_cut_off_leaves_a_file_that_the_sweep_finds() {
    let bench = bench();
    let mut upload = bench.store.put_multipart(&Path::from("a/file")).await.expect("begins");
    upload.put_part(PutPayload::from_static(b"part")).await.expect("is written");
    // A crash runs no destructor.
    std::mem::forget(upload);
    let entries = || bench.disk.list(&bench.root.join("a")).expect("is there").len();
    assert_eq!(entries(), 1, "the wrapped store stages in the directory of the object");
    DurableLocalStore::open(&bench.root, Arc::clone(&bench.disk) as _).expect("opens");
    assert_eq!(entries(), 0);
}

#[tokio::test]
async fn hostile_names_stay_below_the_root() {
    let bench = bench();
    for name in ["..", ".", "../../x", "%2e%2e", "a/b", "#1", "ü", "a b", "a\\b"] {
        let segment = types::name::path_segment(name);
        let key = format!("data/{segment}/file");
        bench.put(&key, PutMode::Create).await.expect("is put");
        let expected = ["", "data", &segment, "file"].iter().collect::<PathBuf>();
        assert!(bench.root.join(expected).is_file(), "{name:?}");
    }
}
