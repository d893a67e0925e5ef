use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use crate::{
    FetchError,
    policy::Turn,
    shared::Shared,
    source::{Source, When},
};

/// How long the task sleeps without looking at the clock, which may be one that a test moves, and at the watched files.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps the set, one attempt at a time, until it is aborted. It belongs to no request: a caller
/// that goes away takes no fetch with it.
///
/// Nothing here panics, but a recorder of metrics, a subscriber of traces or a clock of the program may. That counts as
/// an attempt that failed: a task that silently ended would be found out a day later, by tokens refused.
///
/// Nor does it end in silence with its runtime: the handles may be in another.
pub(crate) fn run(shared: Arc<Shared>, mut source: Source) -> impl Future<Output = ()> + Send {
    let end = End(shared);
    async move {
        let shared = &end.0;
        loop {
            if guarded(step(shared, &mut source)).await.is_none() {
                source.forget();
                let broken_off =
                    async { shared.conclude(shared.clock.monotonic(), Err(FetchError::Interrupted.into())) };
                let _ = guarded(broken_off).await;
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// Part of the task from before its first step until it is gone.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        if !self.0.is_abandoned() {
            // A panic here, while a runtime shuts down, would be worse than silence.
            let _ = catch_unwind(AssertUnwindSafe(|| self.0.task_is_lost()));
        }
    }
}

async fn step(shared: &Shared, source: &mut Source) {
    shared.look_around();
    match shared.turn() {
        Turn::Fetch(cause) => {
            let began = shared.clock.monotonic();
            let when = When { cause, now: began };
            let result = source.attempt(when, shared.holding()).await;
            shared.conclude(began, result);
        }
        Turn::Sleep(pause) => {
            // Whoever wants an attempt does not wait for a look at files, which may be on a network.
            let wanted = shared.rest(pause.min(LOOK)).await;
            if !wanted && source.has_changed(shared.holding()).await {
                shared.source_changed();
            }
        }
    }
}

/// The output of a future, or `None` if it panicked; then it is not polled again.
async fn guarded<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(_panic) => Poll::Ready(None),
    })
    .await
}
