use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// The operator's wish to stop: once to drain, twice to end at once.
///
/// Clones share one wish, so several listeners and the readiness probe can hold it.
#[derive(Clone, Debug)]
pub struct Shutdown {
    wish: Arc<Wish>,
}

/// Voices the wish that its [`Shutdown`] waits for. Dropping it asks nothing.
#[derive(Debug)]
pub struct ShutdownHandle {
    wish: Arc<Wish>,
}

#[derive(Debug, Default)]
struct Wish {
    times: AtomicUsize,
    news: Notify,
}

impl Shutdown {
    /// A wish voiced by SIGTERM and SIGINT: the first drains, the second ends at once.
    ///
    /// # Errors
    /// The operating system refused a signal handler.
    ///
    /// # Panics
    /// Outside a Tokio runtime with I/O enabled.
    pub fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (shutdown, handle) = Self::manual();
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                tracing::info!(signal = name, "asked to stop");
                handle.ask();
            }
        });
        Ok(shutdown)
    }

    /// A wish voiced by the handle beside it.
    #[must_use]
    pub fn manual() -> (Self, ShutdownHandle) {
        let wish = Arc::<Wish>::default();
        let handle = ShutdownHandle { wish: Arc::clone(&wish) };
        (Self { wish }, handle)
    }

    /// Whether the service is on its way out: from now on `/readyz` answers 503.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.times() > 0
    }

    /// Waits until the wish was voiced at least `times` times.
    pub(super) async fn asked(&self, times: usize) {
        loop {
            // Made before the count is read, or a wish voiced in between would wake nobody.
            let news = pin!(self.wish.news.notified());
            if self.times() >= times {
                return;
            }
            news.await;
        }
    }

    fn times(&self) -> usize {
        self.wish.times.load(Ordering::Acquire)
    }
}

impl ShutdownHandle {
    /// Asks once more: the first time drains, the second ends at once.
    pub fn ask(&self) {
        self.wish.times.fetch_add(1, Ordering::Release);
        self.wish.news.notify_waiters();
    }
}
