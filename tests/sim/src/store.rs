//! The object store: another machine, so it survives crashes, and it does what networks do.
//!
//! Each call is done or not, and answered, refused or never answered; a put may store half of the
//! bytes or other ones and say that all is well, or arrive long after its sender gave it up.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};
use parking_lot::Mutex;

use crate::chance::Chance;
use crate::trace::Trace;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Not done, and answered so.
    Refused,
    /// Not done, and not answered.
    LostRequest,
    /// Done, and not answered.
    LostReply,
    /// A put of the first half, answered with success.
    Truncated,
    /// A put with one bit changed, answered with success.
    Damaged,
    /// Not answered, and done later.
    Late,
    /// An answer that ends in its middle.
    BrokenOff,
}

impl Fault {
    const OF_PUT: [Self; 6] = [
        Self::Refused,
        Self::LostRequest,
        Self::LostReply,
        Self::Truncated,
        Self::Damaged,
        Self::Late,
    ];
    /// The owner of a prefix is written once, and nothing could make up for its damage.
    const OF_CREATE: [Self; 4] = [Self::Refused, Self::LostRequest, Self::LostReply, Self::Late];
    const OF_GET: [Self; 3] = [Self::Refused, Self::LostReply, Self::BrokenOff];
    const OF_DELETE: [Self; 3] = [Self::Refused, Self::LostRequest, Self::LostReply];

    const fn name(self) -> &'static str {
        match self {
            Self::Refused => "store: 503",
            Self::LostRequest => "store: not done, timed out",
            Self::LostReply => "store: done, timed out",
            Self::Truncated => "store: truncated",
            Self::Damaged => "store: damaged",
            Self::Late => "store: done late",
            Self::BrokenOff => "store: answer broken off",
        }
    }
}

/// A put that is on its way though nobody waits for it any more.
#[derive(Clone, Debug)]
struct LatePut {
    location: Path,
    bytes: Bytes,
    mode: PutMode,
}

/// The store. Clones are handles of the same one.
#[derive(Clone, Debug)]
pub(crate) struct SimStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    objects: InMemory,
    chance: Chance,
    trace: Trace,
    weather: Mutex<Weather>,
    late: Mutex<Vec<LatePut>>,
}

/// What calls meet now.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    /// One call in so many goes wrong; none if nothing is here.
    fault_once_in: Option<u64>,
    down: bool,
    /// True if a call has met the present outage, or the last one.
    outage_was_met: bool,
}

impl SimStore {
    /// An empty store in which nothing goes wrong yet.
    pub(crate) fn new(chance: Chance, trace: &Trace) -> Self {
        Self(Arc::new(Shared {
            objects: InMemory::new(),
            chance,
            trace: trace.clone(),
            weather: Mutex::default(),
            late: Mutex::default(),
        }))
    }

    /// Has one call in so many go wrong from now on, or none.
    pub(crate) fn set_fault_once_in(&self, calls: Option<u64>) {
        *self.0.weather.lock() = Weather { fault_once_in: calls, ..Weather::default() };
    }

    /// Has all calls fail, or no more.
    pub(crate) fn set_down(&self, down: bool) {
        let mut weather = self.0.weather.lock();
        weather.down = down;
        // A call that began in the last outage may meet it after its end.
        weather.outage_was_met &= !down;
    }

    /// Lets one of the late puts arrive, if there are any.
    pub(crate) async fn deliver_late(&self) -> bool {
        let put = {
            let mut late = self.0.late.lock();
            if late.is_empty() {
                return false;
            }
            let at = self.0.chance.index(late.len());
            late.remove(at)
        };
        let LatePut { location, bytes, mode } = put;
        let done = self.0.objects.put_opts(&location, bytes.into(), mode.into()).await.is_ok();
        self.0.trace.event(format_args!("store: a late put of {location} arrives: {done}"));
        true
    }

    /// The objects as they are, without faults.
    pub(crate) fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.0.objects.clone())
    }

    /// The bytes of an object as they are, without faults.
    pub(crate) async fn at_rest(&self, location: &Path) -> Result<Bytes> {
        self.0.objects.get(location).await?.bytes().await
    }

    /// Puts bytes where an object is, without faults: for damage at rest.
    pub(crate) async fn plant(&self, location: &Path, bytes: Bytes) {
        let put = self.0.objects.put(location, PutPayload::from_bytes(bytes)).await;
        put.map(drop).expect("memory takes it");
    }

    async fn delete_one(&self, location: Path) -> Result<Path> {
        let shared = &self.0;
        let fault = shared.meet("delete", &location, &Fault::OF_DELETE).await?;
        if fault != Some(Fault::LostRequest) {
            shared.objects.delete(&location).await?;
        }
        match fault {
            Some(_) => Err(timed_out()),
            None => Ok(location),
        }
    }
}

impl Shared {
    /// Waits as long as the call takes, and says what goes wrong with it.
    async fn meet(&self, call: &str, location: &Path, faults: &[Fault]) -> Result<Option<Fault>> {
        let weather = *self.weather.lock();
        let chance = &self.chance;
        let calm = weather.fault_once_in.is_none();
        let slow = !calm && chance.one_in(40);
        let latency = if slow { chance.millis(300, 4_000) } else { chance.millis(0, 12) };
        if slow {
            self.trace.fault("store: slow", format_args!("{call} takes {latency:?}"));
        }
        tokio::time::sleep(latency).await;
        if weather.down {
            self.trace.count("store calls while it was down");
            self.trace.event(format_args!("store: {call} {location}: down"));
            self.note_outage();
            return Err(refused());
        }
        let fault = match weather.fault_once_in {
            Some(calls) if chance.one_in(calls) => Some(chance.pick(faults)),
            _ => None,
        };
        match fault {
            None => self.trace.event(format_args!("store: {call} {location}")),
            Some(fault) => self.trace.fault(fault.name(), format_args!("{call} {location}")),
        }
        if fault == Some(Fault::Refused) {
            return Err(refused());
        }
        if matches!(fault, Some(Fault::LostRequest | Fault::LostReply | Fault::Late)) {
            tokio::time::sleep(Duration::from_millis(chance.pick(&[20, 200, 1_500]))).await;
        }
        Ok(fault)
    }

    /// Counts an outage when the first call meets it.
    fn note_outage(&self) {
        if !mem::replace(&mut self.weather.lock().outage_was_met, true) {
            self.trace.fault("store: down", format_args!("for a while"));
        }
    }
}

/// A put that was sent. Whoever gives it up does not call it back.
struct Sent<'a> {
    shared: &'a Shared,
    put: Option<LatePut>,
    /// True if it arrives though the process that sent it dies.
    arrives: bool,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if let Some(put) = self.put.take().filter(|_| self.arrives) {
            let mut late = self.shared.late.lock();
            late.push(put);
            // The tasks of a dead process are dropped in no order of the seed's.
            late.sort_by(|a, b| a.location.cmp(&b.location));
        }
    }
}

#[async_trait]
impl ObjectStore for SimStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let shared = &*self.0;
        let bytes = Bytes::from(payload);
        let mode = opts.mode.clone();
        let put = LatePut { location: location.clone(), bytes: bytes.clone(), mode };
        // Drawn now: at the end of a process nothing is in an order of the seed's.
        let mut sent = Sent { shared, put: Some(put), arrives: shared.chance.one_in(2) };
        let faults =
            if opts.mode == PutMode::Create { &Fault::OF_CREATE[..] } else { &Fault::OF_PUT };
        let met = shared.meet("put", location, faults).await;
        let put = sent.put.take();
        let stored = match met? {
            Some(Fault::LostRequest) => return Err(timed_out()),
            Some(Fault::Late) => {
                shared.late.lock().extend(put);
                return Err(timed_out());
            }
            Some(Fault::Truncated) => bytes.slice(..bytes.len() / 2),
            Some(Fault::Damaged) => damaged(&bytes),
            fault => {
                let done = shared.objects.put_opts(location, bytes.into(), opts).await;
                return if fault.is_some() { Err(timed_out()) } else { done };
            }
        };
        shared.objects.put_opts(location, stored.into(), opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.objects.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let shared = &*self.0;
        let fault = shared.meet("get", location, &Fault::OF_GET).await?;
        let got = shared.objects.get_opts(location, options).await?;
        match fault {
            None => Ok(got),
            Some(Fault::BrokenOff) => broken_off(got).await,
            Some(_) => Err(timed_out()),
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let deleted = locations.then(move |location| {
            let store = store.clone();
            async move { store.delete_one(location?).await }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.objects.copy_opts(from, to, options).await
    }
}

impl fmt::Display for SimStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimStore")
    }
}

fn failure(what: &'static str) -> object_store::Error {
    object_store::Error::Generic { store: "SimStore", source: what.into() }
}

fn refused() -> object_store::Error {
    failure("503 service unavailable")
}

fn timed_out() -> object_store::Error {
    failure("timed out")
}

fn damaged(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    bytes.into()
}

/// The same answer, which ends in its middle, as over a connection that is reset.
async fn broken_off(got: GetResult) -> Result<GetResult> {
    let (meta, range, attributes) = (got.meta.clone(), got.range.clone(), got.attributes.clone());
    let bytes = got.bytes().await?;
    let half = bytes.slice(..bytes.len() / 2);
    let broken = stream::iter([Ok(half), Err(failure("the connection was reset"))]);
    let payload = GetResultPayload::Stream(broken.boxed());
    Ok(GetResult { payload, meta, range, attributes })
}
