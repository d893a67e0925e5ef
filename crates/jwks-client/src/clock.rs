use std::time::{Duration, Instant};

use claviger_jose::{Clock, NumericDate};

/// The clocks of the system: the only place of this crate that reads them.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// The system's clocks, with the monotonic one counted from now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "somebody has to read the clock: this is where it happens")]
    fn now(&self) -> NumericDate {
        // A clock before 1970 is as wrong as one in 1970: every token is from the future.
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        NumericDate::from_secs(since.map_or(0, |since| since.as_secs()))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
