use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use crate::{
    FetchError, deny_file,
    feed::Poller,
    policy::Turn,
    shared::Shared,
    source::{Source, WatchedFile, When},
};

/// What the task of a client works at, side by side: what hangs does not hold up the others.
#[derive(Debug, Default)]
pub(crate) struct Works {
    pub(crate) source: Option<Source>,
    pub(crate) poller: Option<Poller>,
    pub(crate) deny_file: Option<WatchedFile>,
}

impl Works {
    pub(crate) fn is_none(&self) -> bool {
        self.source.is_none() && self.poller.is_none() && self.deny_file.is_none()
    }
}

/// How long the task sleeps without looking at the clock, which may be one that a test moves, and at the watched files.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// Keeps the set, one attempt at a time, and what is revoked, one poll at a time, until it is aborted. It belongs to no request: a caller
/// that goes away takes no fetch with it.
///
/// Nothing here panics, but a recorder of metrics, a subscriber of traces or a clock of the program may. That counts as
/// an attempt that failed: a task that silently ended would be found out a day later, by tokens refused.
///
/// Nor does it end in silence with its runtime: the handles may be in another.
pub(crate) fn run(shared: Arc<Shared>, works: Works) -> impl Future<Output = ()> + Send {
    let end = End(shared);
    async move {
        let shared = &end.0;
        let Works { source, poller, deny_file } = works;
        let keys = async {
            if let Some(source) = source {
                keep(shared, source).await;
            }
        };
        let feed = async {
            if let Some(poller) = poller {
                poller.run(shared).await;
            }
        };
        let denying = async {
            if let Some(file) = deny_file {
                deny_file::watch(shared, file).await;
            }
        };
        tokio::join!(keys, feed, denying);
    }
}

async fn keep(shared: &Shared, mut source: Source) {
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
            let report = shared.self_report();
            let (clock, as_of) = (&*shared.clock, shared.as_of());
            let when = When { cause, now: began, report: &report, clock, as_of };
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
pub(crate) async fn guarded<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(_panic) => Poll::Ready(None),
    })
    .await
}
