//! Doing something again and again, and telling of the first failure of a row.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::TickError;

/// Who is woken is not woken again for so long: of a burst of changes the last counts, and a database that is going
/// away may wake everybody without an end.
const REST: Duration = Duration::from_millis(20);

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
        let mut failing = false;
        loop {
            let outcome = timeout(longest, work()).await.unwrap_or(Err(TickError::Silent(longest)));
            match outcome {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("no longer: {fault}");
                }
                Ok(()) => {}
                Err(error) if failing => tracing::debug!(error = causes(&error), "{fault}"),
                Err(error) => {
                    failing = true;
                    tracing::warn!(error = causes(&error), "{fault}");
                }
            }
            tokio::select! {
                () = sleep(period) => {}
                () = async { sleep(REST.min(period)).await; wake().await } => {}
            }
        }
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
