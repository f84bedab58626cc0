//! A store in memory that fails on demand, for tests.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// What goes wrong with one put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutFault {
    /// Not done, and answered so: 503.
    Refused,
    /// Not done, and no answer in time.
    LostRequest,
    /// Done, and no answer in time.
    LostReply,
    /// Done with the first half of the bytes, and answered with success.
    Truncated,
    /// Done with a byte more at the end, and answered with success.
    Extended,
    /// Done with one byte changed, and answered with success.
    Damaged,
    /// Done with the condition ignored: an object that is there is overwritten.
    ConditionIgnored,
    /// Neither done nor answered, ever.
    Hangs,
}

/// A store in memory, with faults and a gate.
///
/// Faults are taken by the next puts, one each. While the gate is shut, puts stand before it and
/// are counted, so that a test can have several in flight at once and choose who goes first.
pub struct FaultyStore {
    objects: InMemory,
    faults: Mutex<VecDeque<PutFault>>,
    down: AtomicBool,
    refused_while_down: AtomicUsize,
    gate: Gate,
}

/// Where puts wait while it is shut.
struct Gate {
    shut: AtomicBool,
    /// The puts that stand before the gate, in the order of their arrival.
    waiting: Mutex<Vec<(Path, Arc<Semaphore>)>>,
    arrived: Semaphore,
}

impl Default for FaultyStore {
    fn default() -> Self {
        Self {
            objects: InMemory::new(),
            faults: Mutex::default(),
            down: AtomicBool::new(false),
            refused_while_down: AtomicUsize::new(0),
            gate: Gate {
                shut: AtomicBool::new(false),
                waiting: Mutex::default(),
                arrived: Semaphore::new(0),
            },
        }
    }
}

impl FaultyStore {
    /// A store without faults.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Has the next puts meet these faults, one each, after those that are planned already.
    pub fn plan(&self, faults: impl IntoIterator<Item = PutFault>) {
        self.faults.lock().extend(faults);
    }

    /// Has every call fail, or no more.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Calls that failed because the store was down.
    pub fn refused_while_down(&self) -> usize {
        self.refused_while_down.load(Ordering::SeqCst)
    }

    /// Has puts wait before they begin.
    pub fn shut_gate(&self) {
        self.gate.shut.store(true, Ordering::SeqCst);
    }

    /// Returns when `puts` more puts stand before the gate than were waited for before.
    pub async fn wait_for_puts(&self, puts: u32) {
        // The gate's semaphore is never closed.
        if let Ok(arrived) = self.gate.arrived.acquire_many(puts).await {
            arrived.forget();
        }
    }

    /// The puts that stand before the gate, in the order of their arrival.
    pub fn puts_waiting(&self) -> Vec<Path> {
        let waiting = self.gate.waiting.lock();
        waiting.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Lets the put of `path` go on.
    pub fn let_through(&self, path: &Path) {
        let mut waiting = self.gate.waiting.lock();
        if let Some(at) = waiting.iter().position(|(waits, _)| waits == path) {
            waiting.remove(at).1.add_permits(1);
        }
    }

    /// Lets all go on, those to come too.
    pub fn open_gate(&self) {
        self.gate.shut.store(false, Ordering::SeqCst);
        for (_, go) in self.gate.waiting.lock().drain(..) {
            go.add_permits(1);
        }
    }

    /// The keys of all objects, sorted.
    pub async fn keys(&self) -> Vec<Path> {
        let listed = self.objects.list(None);
        let mut keys: Vec<Path> = listed
            .filter_map(|object| async { object.ok().map(|object| object.location) })
            .collect()
            .await;
        keys.sort();
        keys
    }

    async fn pass_gate(&self, path: &Path) {
        if !self.gate.shut.load(Ordering::SeqCst) {
            return;
        }
        let go = Arc::new(Semaphore::new(0));
        self.gate.waiting.lock().push((path.clone(), Arc::clone(&go)));
        self.gate.arrived.add_permits(1);
        // Never closed.
        let _ = go.acquire().await;
    }

    fn check_up(&self) -> Result<()> {
        if self.down.load(Ordering::SeqCst) {
            self.refused_while_down.fetch_add(1, Ordering::SeqCst);
            return Err(failure("503 service unavailable"));
        }
        Ok(())
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("faults", &*self.faults.lock()).finish_non_exhaustive()
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

fn failure(what: &'static str) -> object_store::Error {
    object_store::Error::Generic { store: "FaultyStore", source: what.into() }
}

fn bytes_of(payload: &PutPayload) -> Vec<u8> {
    payload.iter().flat_map(|part| part.iter().copied()).collect()
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.pass_gate(location).await;
        self.check_up()?;
        let fault = self.faults.lock().pop_front();
        let mut bytes = bytes_of(&payload);
        let mut opts = opts;
        match fault {
            Some(PutFault::Refused) => return Err(failure("503 service unavailable")),
            Some(PutFault::LostRequest) => return Err(failure("timed out")),
            Some(PutFault::Hangs) => std::future::pending().await,
            Some(PutFault::Truncated) => bytes.truncate(bytes.len() / 2),
            Some(PutFault::Extended) => bytes.push(0),
            Some(PutFault::Damaged) => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
            Some(PutFault::ConditionIgnored) => opts.mode = PutMode::Overwrite,
            Some(PutFault::LostReply) | None => {}
        }
        let payload = PutPayload::from_bytes(Bytes::from(bytes));
        let put = self.objects.put_opts(location, payload, opts).await;
        match fault {
            Some(PutFault::LostReply) => Err(failure("timed out")),
            _ => put,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check_up()?;
        self.objects.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check_up()?;
        self.objects.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check_up()?;
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check_up()?;
        self.objects.copy_opts(from, to, options).await
    }
}
