//! Doing something again and again, and telling of the first failure of a row, and now and then that it goes on.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::TickError;

/// Who is woken is not woken again for so long: of a burst of changes the last counts, and a database that is going
/// away may wake everybody without an end.
const REST: Duration = Duration::from_millis(20);
/// How often it is told that something goes on failing: who was not there when it began learns of it too.
const REMINDER: Duration = Duration::from_mins(10);

/// How often something is done, for how long at most, and what it is when it fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pulse {
    pub(super) period: Duration,
    pub(super) longest: Duration,
    pub(super) fault: &'static str,
}

impl Pulse {
    /// Does it at once, and then whenever the period is over or `wake` says so.
    pub(super) async fn beat<W, F>(self, wake: impl Fn() -> W, work: impl Fn() -> F)
    where
        W: Future<Output = ()>,
        F: Future<Output = Result<(), TickError>>,
    {
        let Self { period, longest, fault } = self;
        let mut failing = Failing::default();
        loop {
            let outcome = timeout(longest, work()).await.unwrap_or(Err(TickError::Silent(longest)));
            match outcome {
                Ok(()) if failing.ends() => tracing::info!("no longer: {fault}"),
                Ok(()) => {}
                Err(error) if failing.is_told(Instant::now()) => {
                    tracing::warn!(error = causes(&error), "{fault}");
                }
                Err(error) => tracing::debug!(error = causes(&error), "{fault}"),
            }
            tokio::select! {
                () = sleep(period) => {}
                () = async { sleep(REST.min(period)).await; wake().await } => {}
            }
        }
    }
}

/// A row of failures, and when it was last told of.
#[derive(Debug, Default)]
struct Failing(Option<Instant>);

impl Failing {
    /// Whether a failure is told: the first of a row, and one now and then.
    fn is_told(&mut self, now: Instant) -> bool {
        let is_told = self.0.is_none_or(|told| now.saturating_duration_since(told) >= REMINDER);
        if is_told {
            self.0 = Some(now);
        }
        is_told
    }

    /// Ends the row, and answers whether there was one.
    fn ends(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// An error with what it came from.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::ready};

    use super::*;

    #[test]
    fn a_failure_that_goes_on_is_told_again_but_not_each_time() {
        let (mut failing, start) = (Failing::default(), Instant::now());
        let told = |minute: u64| start + Duration::from_mins(minute);
        let told: Vec<u64> = (0..25).filter(|minute| failing.is_told(told(*minute))).collect();
        assert_eq!(told, [0, 10, 20]);
        assert!(failing.ends() && !failing.ends());
        assert!(failing.is_told(start), "the next row is news");
    }

    #[tokio::test]
    async fn a_wake_brings_the_next_time_forward_and_a_failure_does_not_end_it() {
        let pulse =
            Pulse { period: Duration::from_hours(1), longest: Duration::from_secs(1), fault: "a fault" };
        let times = Cell::new(0);
        let work = || {
            times.set(times.get() + 1);
            ready(if times.get() == 2 { Err(TickError::Panicked) } else { Ok(()) })
        };
        let wake = async || {
            if times.get() > 3 {
                std::future::pending::<()>().await;
            }
        };
        let _ = timeout(Duration::from_millis(500), pulse.beat(wake, work)).await;
        assert_eq!(times.get(), 4);
    }
}
