use std::{fmt, path::PathBuf, sync::Arc};

use aws_lc_rs::hmac;
use claviger_jose::Clock;

use crate::{BuildError, JwksClient, JwksDocument, KeySource, Timing, assemble, disk, endpoint};

/// How a [`JwksClient`] is to be. Made by [`JwksClient::builder`].
#[must_use = "nothing is fetched before `build`"]
pub struct JwksClientBuilder {
    pub(crate) issuer: Arc<str>,
    pub(crate) sources: Vec<KeySource>,
    /// How often the sources were named.
    pub(crate) named: usize,
    pub(crate) foreign: bool,
    pub(crate) timing: Timing,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) disk: Option<DiskPlan>,
    pub(crate) feed: Option<String>,
    pub(crate) deny_file: Option<PathBuf>,
    pub(crate) instance: Option<String>,
}

/// The disk copy as it was asked for.
pub(crate) struct DiskPlan {
    pub(crate) path: PathBuf,
    pub(crate) key: KeyPlan,
}

pub(crate) enum KeyPlan {
    Beside,
    Given(Box<hmac::Key>),
    TooShort,
}

impl JwksClientBuilder {
    pub(crate) fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.into(),
            sources: vec![KeySource::Discovery],
            named: 0,
            foreign: false,
            timing: Timing::default(),
            clock: None,
            disk: None,
            feed: None,
            deny_file: None,
            instance: None,
        }
    }

    /// Fetches the set from this URL, instead of asking the issuer's metadata for it. The operator vouches that it is
    /// the issuer's.
    pub fn jwks_url(self, url: &str) -> Self {
        self.failover([KeySource::JwksUrl(url.to_owned())])
    }

    /// Uses this set, a text or a [`JwkSet`](claviger_jose::JwkSet): it is never fetched and never stale. For issuers
    /// that publish none, and for tests. Such a client needs no runtime.
    pub fn fixed_set(self, set: impl Into<JwksDocument>) -> Self {
        self.failover([KeySource::FixedSet(set.into())])
    }

    /// Reads the set from this file, and again when it has changed, which is looked for every second. What it holds is
    /// taken by the same rules as a fetched set: bad content does not touch the held one, and while the file cannot be
    /// read the set grows old. Replace the file by a rename, so that it is never half written.
    pub fn watched_file(self, path: impl Into<PathBuf>) -> Self {
        self.failover([KeySource::WatchedFile(path.into())])
    }

    /// Several sources, at most 4, in the order of preference; the operator vouches that each is the issuer's. An attempt
    /// asks the first, and when that fails the next; they share its 8 s. Whichever answers, its set replaces the held
    /// one whole.
    ///
    /// A later source is asked only while no set of an earlier one may be used: an outage of the issuer is bridged by
    /// the set that is held, for [`Timing::staleness`], and then by the next source, which may still have a key that
    /// the issuer has withdrawn. While the held set is not from the first source, a kid that it lacks is
    /// [`KeyError::Unavailable`](crate::KeyError::Unavailable) and never unknown.
    pub fn failover(mut self, sources: impl IntoIterator<Item = KeySource>) -> Self {
        self.sources = sources.into_iter().collect();
        self.named += 1;
        self
    }

    /// Takes keys by any name of 1 to 64 visible characters, as other issuers give them. Without this a key is taken
    /// only if its kid is its RFC 7638 thumbprint, and a token whose kid cannot be one is refused without a fetch.
    pub fn foreign_kids(mut self) -> Self {
        self.foreign = true;
        self
    }

    /// Keeps a copy of the last good set, of the denied kids and of all that the feed has revoked, in this file, mode 0600, for a start while the issuer
    /// cannot be reached. The directory must exist, and the path must be this client's alone.
    ///
    /// A copy is used if its last contact is no longer ago than [`Timing::staleness`], by the wall clock; it is stale
    /// from the start, so an attempt is made at once, and a restart extends nothing. A copy that is of another issuer,
    /// another URL, the future or too old is ignored with a warning. One that was changed, or written under another key
    /// or by another version, is renamed to `path.rejected` and told as an error: the kids that it denies are accepted
    /// again until they are denied anew.
    ///
    /// It carries an HMAC-SHA-256 under a random key in the file `path.key` beside it, which is made if it is not
    /// there. That finds every damage, and keys put there by somebody who can write the copy but not read the key. It
    /// does not stop somebody who can do both, and cannot tell an older copy of ours, put back, from the latest: its
    /// age is bounded, but a kid that was denied since is alive again until it is denied anew. Where others can write
    /// to the directory, use [`disk_copy_with_key`](Self::disk_copy_with_key) and a secret from elsewhere.
    pub fn disk_copy(mut self, path: impl Into<PathBuf>) -> Self {
        self.disk = Some(DiskPlan { path: path.into(), key: KeyPlan::Beside });
        self
    }

    /// As [`disk_copy`](Self::disk_copy), under a secret of the operator's: at least 32 random bytes that stay the same
    /// over a restart. A copy that was written with another is put aside.
    pub fn disk_copy_with_key(mut self, path: impl Into<PathBuf>, key: &[u8]) -> Self {
        let long_enough = key.len() >= disk::MIN_KEY;
        let key = if long_enough { KeyPlan::Given(Box::new(disk::key_of(key))) } else { KeyPlan::TooShort };
        self.disk = Some(DiskPlan { path: path.into(), key });
        self
    }

    /// Polls the revocation feed at this URL, instead of where the issuer's metadata says that there is one. The
    /// operator vouches that it is the issuer's. Where the metadata is not asked, as with a
    /// [URL of the set](Self::jwks_url), a file or a fixed set, there is no feed without this; nor where
    /// [foreign kids](Self::foreign_kids) are allowed.
    pub fn revocations_url(mut self, url: &str) -> Self {
        self.feed = Some(url.to_owned());
        self
    }

    /// Denies the kids in this file, one in each line; what begins with `#` is a comment. It is the way to end a stolen
    /// key where the issuer cannot be reached: the file is read at the start, and again within 2 s when it changes,
    /// and what is in it is dead whatever the issuer publishes. Lines that are no kid are warned about and passed over. A
    /// file that is not there denies nothing yet.
    ///
    /// To remove a line revives nothing in this process. A process that starts without the line knows nothing of it: the
    /// [disk copy](Self::disk_copy) has what was denied [by call](JwksClient::deny_kid) or revoked by the feed, not
    /// what is in the file.
    pub fn deny_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.deny_file = Some(path.into());
        self
    }

    /// What this process is called where the issuer shows its verifiers: instead of the name of the host, and up to 32
    /// of `A-Z a-z 0-9 . _ -`, as which all other characters are written as `-`. Behind it always stands a random part,
    /// so that nobody else can speak for it.
    pub fn instance(mut self, name: &str) -> Self {
        self.instance = Some(name.to_owned());
        self
    }

    /// Other numbers than [`Timing::default`].
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Another clock than the [`SystemClock`](crate::SystemClock). Such a client is shared with its clones only,
    /// and so is what is [denied](JwksClient::deny_kid).
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Starts the client and its first fetch, and does not wait for it. Called inside a tokio runtime, which must
    /// live as long as the client. If a client of the same configuration is alive in this runtime, this is another
    /// handle of it.
    ///
    /// # Errors
    /// [`BuildError`] for a configuration that cannot work, outside of a runtime, and if the system has no certificate
    /// authorities to trust.
    pub fn build(self) -> Result<JwksClient, BuildError> {
        let client = self.build_asleep()?;
        client.shared().wake();
        Ok(client)
    }

    /// The same, but nothing is fetched before somebody needs it.
    pub(crate) fn build_asleep(self) -> Result<JwksClient, BuildError> {
        assemble::client(self)
    }
}

impl fmt::Debug for JwksClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksClientBuilder")
            .field("issuer", &endpoint::without_secrets(&self.issuer))
            .field("sources", &self.sources)
            .field("foreign_kids", &self.foreign)
            .field("timing", &self.timing)
            .field("disk_copy", &self.disk.as_ref().map(|disk| &disk.path))
            .finish_non_exhaustive()
    }
}
