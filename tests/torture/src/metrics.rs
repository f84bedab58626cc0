//! What a server tells about itself at `/metrics`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use reqwest::blocking::Client;

use crate::error::Error;
use crate::forebay::peak_rss;
use crate::http;
use crate::report::MemoryPeak;

/// One reading of all metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    text: String,
}

impl Metrics {
    /// Asks the server.
    pub(crate) fn of(client: &Client, url: &str) -> Result<Self, Error> {
        let (_, text) = http::text(client, &format!("{url}/metrics"))?;
        Ok(Self { text })
    }

    /// The sum of a metric over all of its series.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.series(name).map(|(_, value)| value).sum()
    }

    /// The counts of a histogram.
    pub(crate) fn histogram(&self, name: &str) -> Histogram {
        let of_buckets = format!("{name}_bucket");
        let buckets = self.series(&of_buckets).filter_map(|(labels, value)| {
            let bound = labels.split("le=\"").nth(1)?.split('"').next()?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, value))
        });
        Histogram {
            buckets: buckets.collect(),
            sum: self.sum(&format!("{name}_sum")),
            count: self.sum(&format!("{name}_count")),
        }
    }

    /// The series of a metric, each with its labels as text.
    fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.text.lines().filter_map(move |line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (of, labels) = series.split_once('{').unwrap_or((series, ""));
            (of == name).then_some((labels, value.parse().ok()?))
        })
    }
}

/// A histogram: how many values were at most each bound.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    buckets: Vec<(f64, f64)>,
    sum: f64,
    count: f64,
}

impl Histogram {
    /// What has come since an earlier reading.
    pub(crate) fn since(mut self, earlier: &Self) -> Self {
        for (bucket, before) in self.buckets.iter_mut().zip(&earlier.buckets) {
            bucket.1 -= before.1;
        }
        self.sum -= earlier.sum;
        self.count -= earlier.count;
        self
    }

    pub(crate) const fn count(&self) -> f64 {
        self.count
    }

    pub(crate) fn mean(&self) -> f64 {
        if self.count > 0.0 { self.sum / self.count } else { 0.0 }
    }

    /// The value that `part` of all values do not exceed, taken as evenly spread in their bucket.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let rank = self.count * part;
        let (mut bound_below, mut count_below) = (0.0, 0.0);
        for (bound, count) in &self.buckets {
            if *count >= rank && *count > count_below {
                let share = (rank - count_below) / (count - count_below);
                let width = if bound.is_finite() { bound - bound_below } else { 0.0 };
                return bound_below + width * share;
            }
            (bound_below, count_below) = (*bound, *count);
        }
        bound_below
    }
}

impl MemoryPeak {
    /// What `work` gives, and the most that was in use meanwhile.
    pub(crate) fn during<T>(
        client: &Client,
        url: &str,
        process: u32,
        work: impl FnOnce() -> T,
    ) -> (T, Self) {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let sampling = scope.spawn(|| Self::sample(client, url, process, &stop));
            let done = work();
            stop.store(true, Ordering::Relaxed);
            (done, sampling.join().unwrap_or_default())
        })
    }

    /// Reads until `stop`, so often that little can pass unseen.
    fn sample(client: &Client, url: &str, process: u32, stop: &AtomicBool) -> Self {
        const PACE: Duration = Duration::from_millis(25);
        let mut peak = Self::default();
        while !stop.load(Ordering::Relaxed) {
            peak.look(client, url, process);
            thread::sleep(PACE);
        }
        peak.look(client, url, process);
        peak
    }

    fn look(&mut self, client: &Client, url: &str, process: u32) {
        self.resident_bytes = self.resident_bytes.max(peak_rss(process).unwrap_or_default());
        // A server that ends or is very busy may not answer; the next reading will tell.
        let Ok(metrics) = Metrics::of(client, url) else { return };
        self.samples += 1;
        self.take(&metrics);
    }

    /// Takes a reading. What was in use between two of them only the server itself can tell, which
    /// it does for its whole life.
    fn take(&mut self, metrics: &Metrics) {
        self.budget_bytes = metrics.sum("forebay_memory_budget_bytes") as u64;
        let high_water = metrics.sum("forebay_memory_high_water_bytes") as u64;
        self.high_water_bytes = self.high_water_bytes.max(high_water);
        let accounted = metrics.sum("forebay_memory_bytes") as u64;
        self.accounted_bytes = self.accounted_bytes.max(accounted).max(high_water);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE sync_seconds histogram\nsync_seconds_sum 4.0\nsync_seconds_count 4\n\
        sync_seconds_bucket{le=\"1.0\"} 2\nsync_seconds_bucket{le=\"2.0\"} 4\n\
        sync_seconds_bucket{le=\"+Inf\"} 4\nbytes{owner=\"a\"} 3\nbytes{owner=\"b\"} 4\n";

    #[test]
    fn series_of_one_name_are_added() {
        let metrics = Metrics { text: TEXT.to_owned() };
        assert_eq!(metrics.sum("bytes"), 7.0);
        assert_eq!(metrics.sum("sync_seconds"), 0.0);
    }

    #[test]
    fn a_peak_between_two_readings_is_taken_from_the_server() {
        let mut peak = MemoryPeak::default();
        let text = "forebay_memory_bytes{owner=\"a\"} 3\nforebay_memory_bytes{owner=\"b\"} 4\n";
        peak.take(&Metrics { text: text.to_owned() });
        assert_eq!((peak.accounted_bytes, peak.high_water_bytes), (7, 0));
        let text = format!("{text}forebay_memory_high_water_bytes 9\n");
        peak.take(&Metrics { text });
        assert_eq!((peak.accounted_bytes, peak.high_water_bytes), (9, 9));
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let metrics = Metrics { text: TEXT.to_owned() };
        let histogram = metrics.histogram("sync_seconds");
        assert_eq!((histogram.count(), histogram.mean()), (4.0, 1.0));
        assert_eq!((histogram.quantile(0.25), histogram.quantile(0.75)), (0.5, 1.5));
        let nothing = histogram.clone().since(&histogram);
        assert_eq!((nothing.count(), nothing.mean()), (0.0, 0.0));
    }
}
