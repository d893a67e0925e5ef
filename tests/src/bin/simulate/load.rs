//! What the issuer has to bear.

use crate::{
    time::{Millis, SECOND},
    verifier::Errand,
};

/// The head of a request, and of an answer: lines that every client sends, the condition and the report.
const REQUEST: u64 = 420;
const ANSWER: u64 = 380;

/// Requests and bytes.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// In the windows in which every poll is counted.
    pub(crate) sampled: Tally,
    /// The time that was sampled.
    pub(crate) sampled_for: Millis,
    /// The busiest second of the windows.
    pub(crate) sampled_peak: u64,
    /// The busiest second of the year, among those polls that were simulated one by one.
    pub(crate) peak: u64,
    /// When that was.
    pub(crate) peak_at: Millis,
    second: (u64, u64, bool),
}

/// A count.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) feed: u64,
    pub(crate) sets: u64,
    pub(crate) lost: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    pub(crate) fn requests(self) -> u64 {
        self.feed + self.sets + self.lost
    }
}

impl Load {
    /// An exchange; `body`: what was sent if it was not held already.
    pub(crate) fn count(&mut self, now: Millis, in_window: bool, errand: Errand, body: Option<usize>) {
        if in_window {
            match errand {
                Errand::Feed => self.sampled.feed += 1,
                Errand::KeySet => self.sampled.sets += 1,
            }
            self.sampled.bytes += REQUEST + ANSWER + body.map_or(0, |bytes| bytes as u64);
        }
        self.tick(now, in_window);
    }

    /// One that did not come through; it may have reached the issuer all the same.
    pub(crate) fn count_lost(&mut self, in_window: bool) {
        if in_window {
            self.sampled.lost += 1;
            self.sampled.bytes += REQUEST;
        }
    }

    pub(crate) fn window(&mut self, length: Millis) {
        self.sampled_for += length;
    }

    fn tick(&mut self, now: Millis, in_window: bool) {
        let second = now / SECOND;
        if self.second.0 != second {
            self.second = (second, 0, in_window);
        }
        self.second.1 += 1;
        if self.second.1 > self.peak {
            (self.peak, self.peak_at) = (self.second.1, now);
        }
        if in_window && self.second.2 {
            self.sampled_peak = self.sampled_peak.max(self.second.1);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.sampled.feed += other.sampled.feed;
        self.sampled.sets += other.sampled.sets;
        self.sampled.lost += other.sampled.lost;
        self.sampled.bytes += other.sampled.bytes;
        self.sampled_for += other.sampled_for;
        self.sampled_peak = self.sampled_peak.max(other.sampled_peak);
        if other.peak > self.peak {
            (self.peak, self.peak_at) = (other.peak, other.peak_at);
        }
    }
}
