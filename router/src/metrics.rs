//! What the edge counts. No label has a value that users choose.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Where a write comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Endpoint {
    /// `POST /api/v3/write_lp`
    V3WriteLp,
    /// `POST /api/v2/write`
    V2Write,
    /// `POST /write`
    V1Write,
    /// `/query` of InfluxDB 1
    V1Query,
    /// `forebay.v1.WriteService`
    Grpc,
}

/// How a request ended, as the first digit of an HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Class {
    Success,
    ClientError,
    ServerError,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: Endpoint,
    class: Class,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: Endpoint,
}

/// The counters of the edge.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    bytes: Family<EndpointLabels, Counter>,
    lines: Counter,
    bad_lines: Counter,
    rechecks: Counter,
    parse_seconds: Histogram,
}

impl Metrics {
    /// Registers the counters under their full names.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            bytes: Family::default(),
            lines: Counter::default(),
            bad_lines: Counter::default(),
            rechecks: Counter::default(),
            // From 10 µs, a handful of lines, to 5 s, the longest that a client waits.
            parse_seconds: Histogram::new(exponential_buckets(1e-5, 3.0, 13)),
        };
        registry.register(
            "forebay_write_requests",
            "Requests by endpoint and by how they ended",
            metrics.requests.clone(),
        );
        registry.register(
            "forebay_write_body_bytes",
            "Bytes of request bodies after they were inflated",
            metrics.bytes.clone(),
        );
        registry.register(
            "forebay_write_lines",
            "Lines of line protocol that were parsed, bad ones among them",
            metrics.lines.clone(),
        );
        registry.register(
            "forebay_write_bad_lines",
            "Lines of line protocol that were not kept because of what is in them",
            metrics.bad_lines.clone(),
        );
        registry.register(
            "forebay_write_rechecks",
            "Requests that were checked again because a table's columns had changed",
            metrics.rechecks.clone(),
        );
        registry.register(
            "forebay_write_parse_seconds",
            "Time to parse, check and partition one request",
            metrics.parse_seconds.clone(),
        );
        metrics
    }

    /// A request was answered with the HTTP status `status`, or one that means the same.
    pub(crate) fn answered(&self, endpoint: Endpoint, status: http::StatusCode) {
        let class = match status.as_u16() {
            ..400 => Class::Success,
            400..500 => Class::ClientError,
            _ => Class::ServerError,
        };
        let labels = RequestLabels { endpoint, class };
        self.requests.get_or_create(&labels).inc();
    }

    /// A body of `bytes` was read whole.
    pub(crate) fn read(&self, endpoint: Endpoint, bytes: u64) {
        let labels = EndpointLabels { endpoint };
        self.bytes.get_or_create(&labels).inc_by(bytes);
    }

    /// Lines were parsed and checked.
    pub(crate) fn parsed(&self, lines: usize, bad: usize) {
        self.lines.inc_by(lines as u64);
        self.bad_lines.inc_by(bad as u64);
    }

    /// A request has to be checked again.
    pub(crate) fn recheck(&self) {
        self.rechecks.inc();
    }

    /// Parsing, checking and partitioning took this long.
    pub(crate) fn parse_time(&self, time: std::time::Duration) {
        self.parse_seconds.observe(time.as_secs_f64());
    }
}
