//! What is drawn: everything that is left to chance comes from one seeded generator.

use fastrand::Rng;

use crate::time::{Millis, SECOND};

/// The draws of one run.
#[derive(Debug, Clone)]
pub(crate) struct Chance(Rng);

impl Chance {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// From 0 up to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.f64()
    }

    /// Whether something happens that does so once in so many times.
    pub(crate) fn once_in(&mut self, times: u32) -> bool {
        self.0.u32(..times) == 0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.usize(..bound.max(1))
    }

    /// Both ends included.
    pub(crate) fn between(&mut self, least: Millis, most: Millis) -> Millis {
        self.0.u64(least..=most.max(least))
    }

    /// An offset of at most so much, in either direction.
    pub(crate) fn within(&mut self, most: Millis) -> i64 {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.0.i64(-most..=most)
    }

    /// The time until something that happens at random, once in `mean`.
    pub(crate) fn exponential(&mut self, mean: Millis) -> Millis {
        let factor = -(1.0 - self.unit()).ln();
        std::time::Duration::from_millis(mean)
            .mul_f64(factor.min(20.0))
            .as_millis()
            .try_into()
            .unwrap_or(mean)
    }

    /// How long an answer takes: mostly some milliseconds, sometimes seconds.
    pub(crate) fn latency(&mut self) -> Millis {
        if self.once_in(500) { self.between(SECOND, 8 * SECOND) } else { self.between(2, 150) }
    }
}
