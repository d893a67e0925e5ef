//! SQLite: many refreshes, one transaction.
//!
//! SQLite has one writer, and each commit waits for the disk. So those who come while a commit is on its way form the next
//! group: the more there are, the less each pays for the disk. Nobody is answered before the group is on it.

use std::{
    fmt,
    sync::OnceLock,
    time::{Duration, Instant},
};

use sea_orm::DatabaseConnection;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    RefreshAttempt, RefreshOutcome, StoreError, failpoint, refresh_table, store::begin_write, timed::Timed,
};

/// How many may wait; what does not fit is refused, not piled up.
const QUEUE: usize = 1024;
/// How many share a transaction at most: some milliseconds of work.
const GROUP: usize = 256;
/// How long one waits for the answer: as long as for any statement.
const LIMIT: Duration = Duration::from_secs(4);
/// A group that is on the disk later than this counts as used then: who was not answered meanwhile must find all of the time
/// of grace, and not be taken for a thief because the disk stood still.
const LATE: Duration = Duration::from_secs(1);

/// The queue before the one writer. The task behind it starts with the first who comes and ends with the last store.
pub(crate) struct RefreshGroup {
    db: Timed<DatabaseConnection>,
    jobs: OnceLock<mpsc::Sender<Job>>,
}

struct Job {
    presented: RefreshAttempt,
    answer: oneshot::Sender<Result<RefreshOutcome, StoreError>>,
}

impl RefreshGroup {
    pub(crate) fn new(db: Timed<DatabaseConnection>) -> Self {
        Self { db, jobs: OnceLock::new() }
    }

    pub(crate) async fn present(&self, presented: RefreshAttempt) -> Result<RefreshOutcome, StoreError> {
        let jobs = self.jobs.get_or_init(|| {
            let (jobs, queue) = mpsc::channel(QUEUE);
            tokio::spawn(work(self.db.clone(), queue));
            jobs
        });
        let (answer, answered) = oneshot::channel();
        jobs.try_send(Job { presented, answer }).map_err(|_| unavailable("too many refreshes at once"))?;
        match timeout(LIMIT, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(unavailable("the group of a refresh was given up")),
            Err(_) => Err(unavailable("a refresh was not written in time")),
        }
    }
}

async fn work(db: Timed<DatabaseConnection>, mut queue: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut group, GROUP).await > 0 {
        // Who has gone away keeps the token unused.
        let group: Vec<Job> = group.drain(..).filter(|job| !job.answer.is_closed()).collect();
        // A panic ends its own group and not the writer.
        let _ = tokio::spawn(settle(db.clone(), group)).await;
    }
}

/// Answers each of a group. What is wrong with one of them (a damaged row) must not be the others' refusal: then each is
/// tried by itself.
async fn settle(db: Timed<DatabaseConnection>, group: Vec<Job>) {
    let presented: Vec<&RefreshAttempt> = group.iter().map(|job| &job.presented).collect();
    match present_all(&db, &presented).await {
        Ok(outcomes) => {
            for (job, outcome) in group.into_iter().zip(outcomes) {
                let _ = job.answer.send(Ok(outcome));
            }
        }
        Err(error) if error.is_transient() => {
            let reason = error.to_string();
            for job in group {
                let _ = job.answer.send(Err(unavailable(&reason)));
            }
        }
        Err(_) => {
            for job in group {
                let alone = present_all(&db, &[&job.presented]).await;
                let outcome =
                    alone.and_then(|mut outcomes| outcomes.pop().ok_or_else(|| unavailable("no answer")));
                let _ = job.answer.send(outcome);
            }
        }
    }
}

async fn present_all(
    db: &Timed<DatabaseConnection>,
    presented: &[&RefreshAttempt],
) -> Result<Vec<RefreshOutcome>, StoreError> {
    let tokens: Vec<_> = presented.iter().map(|presented| presented.token).collect();
    let begun = Instant::now();
    let transaction = begin_write(db).await?;
    let mut book = refresh_table::read(&transaction, &tokens).await?;
    let outcomes: Result<Vec<_>, _> = presented.iter().map(|presented| book.decide(presented)).collect();
    let mut outcomes = outcomes?;
    if book.changes().is_empty() {
        transaction.rollback().await?;
        return Ok(outcomes);
    }
    let full = refresh_table::write(&transaction, book.changes()).await?;
    for outcome in &mut outcomes {
        outcome.note(full);
    }
    failpoint("refresh.before_commit");
    transaction.commit().await?;
    failpoint("refresh.after_commit");
    if begun.elapsed() > LATE {
        date_anew(db, &tokens).await?;
    }
    Ok(outcomes)
}

/// Before anybody of the next group asks.
pub(crate) async fn date_anew(db: &Timed<DatabaseConnection>, tokens: &[[u8; 32]]) -> Result<(), StoreError> {
    let transaction = begin_write(db).await?;
    refresh_table::date_anew(&transaction, tokens).await?;
    Ok(transaction.commit().await?)
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.to_owned().into())
}

impl fmt::Debug for RefreshGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshGroup(..)")
    }
}
