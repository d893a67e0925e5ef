use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use claviger_jose::NumericDate;
use claviger_jwks_client::{JwksClient, JwksClientBuilder, KeyError, Timing};
use claviger_testkit::{TestClock, TestIssuer, TestKey};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{task::yield_now, time::timeout};

use crate::{is_unavailable, nobodys_kid};

pub(crate) const BEGIN: u64 = 1_800_000_000;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const NEARLY_AN_HOUR: Duration = Duration::from_secs(3_599);
const NEARLY_A_DAY: Duration = Duration::from_secs(86_399);

/// An issuer, a place on the disk, and processes that come and go.
pub(crate) struct House {
    pub(crate) issuer: TestIssuer,
    pub(crate) directory: TempDir,
}

/// One process: its client, and clocks that begin with it.
pub(crate) struct Process {
    pub(crate) client: JwksClient,
    pub(crate) clock: TestClock,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self { issuer: TestIssuer::start().await, directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("jwks")
    }

    /// A process that starts so long after the beginning, by the wall clock.
    pub(crate) fn process(&self, after: Duration) -> Process {
        self.process_with(after, |builder| builder.disk_copy(self.path()))
    }

    pub(crate) fn process_with(
        &self,
        after: Duration,
        configure: impl FnOnce(JwksClientBuilder) -> JwksClientBuilder,
    ) -> Process {
        let clock = TestClock::at(NumericDate::from_secs(BEGIN) + after);
        let builder = JwksClient::builder(self.issuer.url()).clock(Arc::new(clock.clone()));
        Process { client: configure(builder).build().unwrap(), clock }
    }

    /// A process that fetched at the beginning and is gone, as the issuer is.
    pub(crate) async fn past(&self) {
        let process = self.process(Duration::ZERO);
        assert!(process.client.ready_within(Duration::from_secs(10)).await);
        // The first statement of the feed is written as well: nothing of this process is on its way when it is gone.
        self.copied(|copy| copy["set"]["contact"] == BEGIN && copy["revocations"]["seq"].is_u64()).await;
        drop(process);
        self.issuer.stop().await;
    }

    /// Waits for a copy of such content.
    pub(crate) async fn copied(&self, is_right: impl Fn(&Value) -> bool) {
        let copied = async {
            while !content(&self.path()).is_some_and(|copy| is_right(&copy)) {
                yield_now().await;
            }
        };
        let in_time = timeout(Duration::from_secs(10), copied).await.is_ok();
        assert!(in_time, "{:?}", content(&self.path()));
    }
}

impl Process {
    pub(crate) fn knows(&self, key: &TestKey) -> bool {
        self.client.known(key.kid()).is_some()
    }

    /// It has nothing, and that is no reason to call a token forged.
    async fn is_cold(&self) -> bool {
        let answer = self.client.resolve(TestKey::es256().kid()).await;
        !self.client.is_ready() && is_unavailable(answer.unwrap_err())
    }
}

/// What a copy says, behind its checksum.
pub(crate) fn content(path: &Path) -> Option<Value> {
    let text = fs::read_to_string(path).ok()?;
    serde_json::from_str(text.split_once('\n')?.1).ok()
}

// S-28
#[tokio::test]
async fn a_start_while_the_issuer_is_down_uses_the_copy() {
    let house = House::new().await;
    house.past().await;
    let process = house.process(NEARLY_A_DAY);
    assert!(process.knows(TestKey::es256()) && process.knows(TestKey::rs256()));
    let status = process.client.status();
    assert_eq!((status.from_disk, status.keys, status.generation), (true, 2, 1));
    assert_eq!((status.age, status.last_contact), (Some(NEARLY_A_DAY), Some(NumericDate::from_secs(BEGIN))));
    assert!(status.source.unwrap().ends_with("/.well-known/oauth-authorization-server"));
    // Nobody has confirmed that the issuer lacks any other key.
    assert!(is_unavailable(process.client.resolve(&nobodys_kid()).await.unwrap_err()));
    process.clock.advance(SECOND);
    assert!(process.is_cold().await, "24 h from the last contact, and not from the start");
}

// S-28
#[tokio::test]
async fn a_copy_that_is_too_old_is_ignored() {
    let house = House::new().await;
    house.past().await;
    assert!(house.process(DAY).is_cold().await);
    let timing = Timing::default().with_staleness(HOUR).unwrap();
    let shorter = |builder: JwksClientBuilder| builder.disk_copy(house.path()).timing(timing);
    assert!(house.process_with(HOUR, shorter).is_cold().await);
    assert!(house.process_with(NEARLY_AN_HOUR, shorter).knows(TestKey::es256()));
}

// S-28
#[tokio::test]
async fn restarts_do_not_extend_trust() {
    let house = House::new().await;
    house.past().await;
    for hours in [6, 12, 18, 23] {
        let process = house.process(hours * HOUR);
        assert!(process.knows(TestKey::es256()), "{hours} h");
        // Nor does what a process writes meanwhile.
        process.client.deny_kid(&format!("{hours:043}").parse().unwrap()).unwrap();
        house
            .copied(|copy| {
                copy["denied"].as_array().unwrap().iter().any(|kid| kid == &*format!("{hours:043}"))
            })
            .await;
    }
    assert!(house.process(DAY).is_cold().await);
}

// S-28
#[tokio::test]
async fn a_copy_with_one_byte_edited_is_ignored() {
    let house = House::new().await;
    house.past().await;
    let right = fs::read(house.path()).unwrap();
    for place in [0, 20, 43, 44, right.len() / 2, right.len() - 1] {
        let mut edited = right.clone();
        edited[place] ^= 1;
        fs::write(house.path(), &edited).unwrap();
        assert!(!house.process(HOUR).client.is_ready(), "byte {place}");
    }
    for content in [&b""[..], b"\n", &right[..right.len() / 2], &vec![0xff; 2_000_000]] {
        fs::write(house.path(), content).unwrap();
        assert!(!house.process(HOUR).client.is_ready());
    }
    fs::write(house.path(), &right).unwrap();
    assert!(house.process(HOUR).client.is_ready(), "the copy as it was is still good");
}

// S-28 S-30
#[tokio::test]
async fn a_copy_of_the_future_is_ignored() {
    let house = House::new().await;
    house.past().await;
    let earlier = |seconds: u64| {
        let clock = TestClock::at(NumericDate::from_secs(BEGIN - seconds));
        let builder = JwksClient::builder(house.issuer.url()).disk_copy(house.path());
        builder.clock(Arc::new(clock)).build().unwrap().is_ready()
    };
    assert!(earlier(60), "clocks are a little apart");
    assert!(!earlier(61));
}

// S-28
#[tokio::test]
async fn a_copy_of_another_issuer_or_url_is_ignored() {
    let house = House::new().await;
    house.past().await;
    let other = TestIssuer::start().await;
    other.stop().await;
    let clock = || Arc::new(TestClock::at(NumericDate::from_secs(BEGIN)));
    let builder = |issuer: &str| JwksClient::builder(issuer).disk_copy(house.path()).clock(clock());
    assert!(!builder(other.url()).build().unwrap().is_ready());
    assert!(!builder(house.issuer.url()).jwks_url(&other.jwks_url()).build().unwrap().is_ready());
    assert!(builder(house.issuer.url()).build().unwrap().is_ready());
}

// S-28
#[tokio::test]
async fn a_copy_under_another_key_is_ignored() {
    let house = House::new().await;
    let with = |key: u8| {
        let path = house.path();
        move |builder: JwksClientBuilder| builder.disk_copy_with_key(path, &[key; 32])
    };
    let process = house.process_with(Duration::ZERO, with(1));
    house.copied(|copy| copy["set"]["contact"] == BEGIN).await;
    drop(process);
    house.issuer.stop().await;
    assert!(!house.directory.path().join("jwks.key").exists(), "no key lies beside it");
    let aside = house.directory.path().join("jwks.rejected");
    for other in [with(2), with(3)] {
        assert!(!house.process_with(HOUR, other).client.is_ready());
        // It may be the only list of denied kids.
        assert!(!house.path().exists());
        fs::rename(&aside, house.path()).unwrap();
    }
    assert!(!house.process(HOUR).client.is_ready());
    fs::rename(&aside, house.path()).unwrap();
    assert!(house.process_with(HOUR, with(1)).client.is_ready());
}

#[tokio::test]
async fn a_key_set_that_was_kept_is_asked_for_with_its_tag() {
    let house = House::new().await;
    house.past().await;
    house.issuer.restart().await;
    let process = house.process(HOUR);
    assert_eq!(process.client.refresh_now().await, Ok(()));
    let status = process.client.status();
    assert_eq!((status.fetches.not_modified, status.fetches.replaced), (1, 0));
    assert_eq!((status.from_disk, status.age), (false, Some(Duration::ZERO)));
    assert_eq!(process.client.resolve(&nobodys_kid()).await.unwrap_err(), KeyError::UnknownKid);
    house.copied(|copy| copy["set"]["contact"] == BEGIN + 3_600).await;
}

// S-21 S-28
#[tokio::test]
async fn a_key_that_was_withdrawn_meanwhile_dies_with_the_first_fetch() {
    let house = House::new().await;
    house.past().await;
    house.issuer.set_keys(&[TestKey::rs256()]);
    house.issuer.restart().await;
    let process = house.process(HOUR);
    assert_eq!(process.client.refresh_now().await, Ok(()));
    assert!(!process.knows(TestKey::es256()) && process.knows(TestKey::rs256()));
}

#[tokio::test]
async fn a_denied_kid_is_dead_after_a_restart_however_old_the_copy_is() {
    let house = House::new().await;
    let process = house.process(Duration::ZERO);
    assert!(process.client.ready_within(Duration::from_secs(10)).await);
    process.client.deny_kid(TestKey::es256().kid()).unwrap();
    house.copied(|copy| copy["denied"].as_array().is_some_and(|denied| denied.len() == 1)).await;
    drop(process);
    for after in [HOUR, 30 * DAY] {
        let process = house.process(after);
        assert_eq!(process.client.refresh_now().await, Ok(()));
        assert!(!process.knows(TestKey::es256()) && process.knows(TestKey::rs256()));
        assert_eq!(process.client.status().denied, 1);
    }
}
