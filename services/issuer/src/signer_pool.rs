//! Where signatures are made that take their time.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use tokio::sync::oneshot;

/// How much lower than the server's the priority of a signing thread is (`nice`).
const NICENESS: i32 = 10;
/// Signatures that may wait per thread: at 0.2 to 0.5 ms each, some 30 ms of work.
const QUEUE_PER_THREAD: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

/// Threads for RSA signatures, which take 0.2 ms and more each, and for those that others make.
///
/// On an async worker they would delay every other request behind them. Here they run at a lower priority, one
/// thread per core: they use all that is idle, and yield to whoever answers a request that
/// needs no signature. The queue is bounded; what does not fit is refused, not piled up.
#[derive(Debug, Clone)]
pub struct SignerPool {
    jobs: SyncSender<Job>,
}

/// The queue is full, or a signing thread died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing queue is full")]
pub struct Overloaded;

impl SignerPool {
    /// A pool of one thread per core.
    ///
    /// # Errors
    /// [`io::Error`] if a thread cannot be started.
    pub fn start() -> io::Result<Self> {
        Self::of("signer", thread::available_parallelism().map_or(1, usize::from))
    }

    /// A pool of this many threads of this name.
    pub(crate) fn of(name: &str, threads: usize) -> io::Result<Self> {
        // And one that a thread is about to take.
        let (jobs, queue) = sync_channel::<Job>(threads * (QUEUE_PER_THREAD + 1));
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name(format!("{name}-{number}")).spawn(move || run(&queue))?;
        }
        Ok(Self { jobs })
    }

    /// Runs a piece of work on a signing thread. A caller that goes away wastes at most the one
    /// signature that is being made.
    ///
    /// # Errors
    /// [`Overloaded`].
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        });
        self.jobs.try_send(job).map_err(|_| Overloaded)?;
        answered.await.map_err(|_| Overloaded)
    }
}

fn run(queue: &Mutex<Receiver<Job>>) {
    // On Linux the niceness is the calling thread's own. Without the right to lower it further
    // than a limit allows nothing is lost but some smoothness.
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "signing threads run at the server's priority");
    }
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            // A panic in one signature must not take the thread from all others.
            Ok(job) => drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job))),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_and_a_panic_ends_only_its_own() {
        let pool = SignerPool::start().unwrap();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..=threads {
            let broken: Result<(), _> = pool.run(|| std::panic::panic_any("a damaged key")).await;
            assert_eq!(broken, Err(Overloaded));
        }
        assert_eq!(pool.run(|| 2 + 2).await, Ok(4));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_instead_of_growing() {
        let pool = SignerPool::start().unwrap();
        let (open, gate) = sync_channel::<()>(0);
        let gate = Arc::new(Mutex::new(gate));
        let capacity = thread::available_parallelism().map_or(1, usize::from) * (QUEUE_PER_THREAD + 2);
        let mut waiting = Vec::new();
        for _ in 0..=capacity {
            let (gate, pool) = (Arc::clone(&gate), pool.clone());
            // Each piece of work waits until the gate's other end is gone.
            let work = move || drop(gate.lock().map(|gate| gate.recv()));
            waiting.push(tokio::spawn(async move { pool.run(work).await }));
            tokio::task::yield_now().await;
        }
        drop(open);
        let mut refused = 0;
        for answer in waiting {
            refused += usize::from(answer.await.unwrap().is_err());
        }
        assert!(refused >= 1, "{refused} of {capacity}");
    }
}
