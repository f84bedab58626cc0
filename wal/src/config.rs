//! What an operator may choose about a log.

use std::time::Duration;

use crate::error::Error;
use crate::format::{FRAME_HEADER_LEN, SEGMENT_HEADER_LEN};

/// Sizes and times of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of a segment, written as zeros ahead of need; a group that is larger still gets a
    /// segment of its own. Default 64 MiB.
    pub segment_size: u64,
    /// Bytes that all segments may hold together before appends are refused. The free part of the
    /// open segment, the spare and the ballast come on top. Default 4 GiB.
    pub max_size: u64,
    /// Bytes at which a group is closed, unless a single request is larger. Default 4 MiB: some
    /// milliseconds of disk time, so that nobody's answer waits for much of other people's data.
    pub group_bytes_max: u64,
    /// Largest uncompressed body of a frame; bodies over it are refused when they are encoded, and
    /// lengths over it are never believed when they are read. Default 1 GiB.
    pub frame_raw_len_max: u32,
    /// Bodies of at least so many bytes are compressed where that pays. The caller does it, in
    /// [`Body::encode`](crate::Body::encode), before the body queues. Default 4 KiB.
    pub compress_from: usize,
    /// A log without appends for so long gets a seal, which vouches for its last group. Default
    /// one second.
    pub idle_seal: Duration,
    /// Bytes kept in a file that is removed when the disk is full, so that persisting has room to
    /// work in; 0 keeps none. Default 0.
    pub ballast_size: u64,
    /// What a start does that has room for a segment and not for the ballast. False: it starts as on
    /// a full disk, and the room is left to persisting. True: it takes appends all the same, for a
    /// log that others need to make room at all, and writes the ballast when that fits. Default
    /// false.
    pub segment_before_ballast: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            segment_size: 64 << 20,
            max_size: 4 << 30,
            group_bytes_max: 4 << 20,
            frame_raw_len_max: 1 << 30,
            compress_from: 4 << 10,
            idle_seal: Duration::from_secs(1),
            ballast_size: 0,
            segment_before_ballast: false,
        }
    }
}

impl Config {
    /// Checks what the types cannot.
    ///
    /// # Errors
    ///
    /// [`Error::BadConfig`] with all faults at once.
    pub fn validate(&self) -> Result<(), Error> {
        let smallest = (SEGMENT_HEADER_LEN + 2 * FRAME_HEADER_LEN) as u64;
        let mut faults = Vec::new();
        if self.segment_size < smallest {
            faults.push(format!("segment_size must be at least {smallest} bytes"));
        }
        if self.max_size < self.segment_size {
            faults.push("max_size must be at least segment_size".to_owned());
        }
        if self.group_bytes_max == 0 {
            faults.push("group_bytes_max must not be 0".to_owned());
        }
        if self.frame_raw_len_max == 0 || self.frame_raw_len_max > 1 << 31 {
            faults.push("frame_raw_len_max must be between 1 byte and 2 GiB".to_owned());
        }
        if faults.is_empty() { Ok(()) } else { Err(Error::BadConfig { faults: faults.join("; ") }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_at_once() {
        assert!(Config::default().validate().is_ok());
        let config =
            Config { segment_size: 1, max_size: 0, group_bytes_max: 0, ..Config::default() };
        let text = config.validate().expect_err("three faults").to_string();
        for name in ["segment_size must", "max_size must", "group_bytes_max must"] {
            assert!(text.contains(name), "{text}");
        }
    }
}
