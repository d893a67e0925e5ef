use crate::{ci, run::run_binary};

/// Builds a fleet and plays the theft of its keys.
pub(crate) fn run(single: bool) -> anyhow::Result<()> {
    ci::build("debug")?;
    run_binary("debug", "drill", if single { &["--single"] } else { &[] })
}
