use std::{sync::Arc, time::Duration};

use crate::{policy::Turn, shared::Shared, source::Source};

/// How long the task sleeps without looking at the clock, which may be one that a test moves.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps the set, one attempt at a time, until it is aborted. It belongs to no request: a caller
/// that goes away takes no fetch with it.
pub(crate) async fn run(shared: Arc<Shared>, mut source: Source) {
    loop {
        match shared.turn() {
            Turn::Fetch => shared.conclude(source.attempt().await),
            Turn::Sleep(pause) => shared.rest(pause.min(LOOK)).await,
        }
    }
}
