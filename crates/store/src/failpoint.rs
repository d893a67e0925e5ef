/// Kills the process, as `kill -9` would, if the environment variable `CLAVIGER_FAILPOINT` holds this name.
///
/// Does nothing unless the crate is built with the feature `failpoints`, which no release is.
#[cfg(feature = "failpoints")]
pub fn failpoint(name: &str) {
    if std::env::var_os("CLAVIGER_FAILPOINT").is_some_and(|wanted| wanted == name) {
        std::process::abort();
    }
}

/// Kills the process, as `kill -9` would, if the environment variable `CLAVIGER_FAILPOINT` holds this name.
///
/// Does nothing unless the crate is built with the feature `failpoints`, which no release is.
#[cfg(not(feature = "failpoints"))]
pub fn failpoint(_name: &str) {}
