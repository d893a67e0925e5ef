use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use claviger_jose::NumericDate;
use claviger_jwks_client::{JwksClient, JwksClientBuilder, KeyError, Timing};
use claviger_testkit::{Fault, TestClock, TestIssuer, TestKey};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{task::yield_now, time::timeout};

use crate::{is_unavailable, nobodys_kid};

const BEGIN: u64 = 1_800_000_000;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const NEARLY_AN_HOUR: Duration = Duration::from_secs(3_599);
const NEARLY_A_DAY: Duration = Duration::from_secs(86_399);

/// An issuer, a place on the disk, and processes that come and go.
struct House {
    issuer: TestIssuer,
    directory: TempDir,
}

/// One process: its client, and clocks that begin with it.
struct Process {
    client: JwksClient,
    clock: TestClock,
}

impl House {
    async fn new() -> Self {
        Self { issuer: TestIssuer::start().await, directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("jwks")
    }

    /// A process that starts so long after the beginning, by the wall clock.
    fn process(&self, after: Duration) -> Process {
        self.process_with(after, |builder| builder.disk_copy(self.path()))
    }

    fn process_with(
        &self,
        after: Duration,
        configure: impl FnOnce(JwksClientBuilder) -> JwksClientBuilder,
    ) -> Process {
        let clock = TestClock::at(NumericDate::from_secs(BEGIN) + after);
        let builder = JwksClient::builder(self.issuer.url()).clock(Arc::new(clock.clone()));
        Process { client: configure(builder).build().unwrap(), clock }
    }

    /// A process that fetched at the beginning and is gone, as the issuer is.
    async fn past(&self) {
        let process = self.process(Duration::ZERO);
        assert!(process.client.ready_within(Duration::from_secs(10)).await);
        self.copied(|copy| copy["set"]["contact"] == BEGIN).await;
        drop(process);
        self.issuer.stop().await;
    }

    /// Waits for a copy of such content.
    async fn copied(&self, is_right: impl Fn(&Value) -> bool) {
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
    fn knows(&self, key: &TestKey) -> bool {
        self.client.known(key.kid()).is_some()
    }

    /// It has nothing, and that is no reason to call a token forged.
    async fn is_cold(&self) -> bool {
        let answer = self.client.resolve(TestKey::es256().kid()).await;
        !self.client.is_ready() && is_unavailable(answer.unwrap_err())
    }
}

/// What a copy says, behind its checksum.
fn content(path: &Path) -> Option<Value> {
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
    assert!(!house.process_with(HOUR, with(2)).client.is_ready());
    assert!(!house.process(HOUR).client.is_ready());
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

#[tokio::test]
async fn a_confirmation_renews_the_copy_once_a_minute_at_most() {
    let house = House::new().await;
    let process = house.process(Duration::ZERO);
    assert!(process.client.ready_within(Duration::from_secs(10)).await);
    house.copied(|copy| copy["set"]["contact"] == BEGIN).await;
    process.clock.advance(59 * SECOND);
    process.client.refresh_now().await.unwrap();
    let kid = "k".repeat(43);
    assert_eq!(content(&house.path()).unwrap()["set"]["contact"], BEGIN, "59 s are not worth a write");
    process.clock.advance(SECOND);
    process.client.refresh_now().await.unwrap();
    house.copied(|copy| copy["set"]["contact"] == BEGIN + 60).await;
    process.client.deny_kid(&kid.parse().unwrap()).unwrap();
    house.copied(|copy| copy["denied"][0] == *kid).await;
}

// S-30
#[tokio::test]
async fn a_wall_clock_that_is_set_back_does_not_make_the_copy_younger() {
    let house = House::new().await;
    let process = house.process(Duration::ZERO);
    assert!(process.client.ready_within(Duration::from_secs(10)).await);
    house.copied(|copy| copy["set"]["contact"] == BEGIN).await;
    house.issuer.stop().await;
    process.clock.advance(12 * HOUR);
    let back = BEGIN + 3_600;
    // The task looks at the clocks before it makes an attempt.
    assert!(process.client.refresh_now().await.is_err());
    process.clock.set_wall(NumericDate::from_secs(back));
    house.copied(|copy| copy["set"]["contact"] == back - 12 * 3_600).await;
    drop(process);
    assert!(!house.process(HOUR + 12 * HOUR).client.is_ready(), "it is 24 h old by either clock");
    assert!(house.process(HOUR + 11 * HOUR).client.is_ready());
}

#[cfg(unix)]
#[tokio::test]
async fn copy_and_key_are_for_their_owner_alone_and_nothing_else_is_left() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new().await;
    house.past().await;
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(house.directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["jwks", "jwks.key"]);
    assert_eq!(fs::read(house.directory.path().join("jwks.key")).unwrap().len(), 32);
}

#[tokio::test]
async fn a_disk_that_fails_hurts_nothing_but_the_next_start() {
    let house = House::new().await;
    let process = house.process(Duration::ZERO);
    assert!(process.client.ready_within(Duration::from_secs(10)).await);
    house.copied(|copy| copy["set"]["contact"] == BEGIN).await;
    fs::remove_dir_all(house.directory.path()).unwrap();
    process.clock.advance(HOUR);
    house.issuer.set_keys(&[TestKey::es256_other()]);
    assert_eq!(process.client.refresh_now().await, Ok(()));
    assert!(process.knows(TestKey::es256_other()));
    fs::create_dir(house.directory.path()).unwrap();
    process.client.deny_kid(&nobodys_kid()).unwrap();
    house.copied(|copy| copy["denied"].as_array().is_some_and(|denied| denied.len() == 1)).await;
}

#[tokio::test]
async fn bad_content_never_reaches_the_disk() {
    let house = House::new().await;
    let process = house.process(Duration::ZERO);
    assert!(process.client.ready_within(Duration::from_secs(10)).await);
    house.copied(|copy| copy["set"]["contact"] == BEGIN).await;
    let document = || content(&house.path()).unwrap()["set"]["document"].clone();
    let right = document();
    for fault in
        [Fault::Html, Fault::EmptySet, Fault::PrivateMember, Fault::DuplicateKid, Fault::TruncatedJson]
    {
        house.issuer.fault(fault);
        process.clock.advance(2 * Duration::from_mins(1));
        assert!(process.client.refresh_now().await.is_err());
        // Has a copy written, of whatever is held.
        let kid = format!("{:043}", process.client.status().denied);
        process.client.deny_kid(&kid.parse().unwrap()).unwrap();
        house
            .copied(|copy| {
                copy["denied"].as_array().is_some_and(|denied| denied.iter().any(|denied| *denied == *kid))
            })
            .await;
        assert_eq!(document(), right);
    }
}

#[tokio::test]
async fn a_place_that_cannot_hold_a_copy_is_refused_with_what_would_be_right() {
    let directory = tempfile::tempdir().unwrap();
    let refusal = |builder: JwksClientBuilder| builder.build().unwrap_err().to_string();
    let builder = || JwksClient::builder("https://id.test");
    let path = directory.path().join("absent/jwks");
    let error = refusal(builder().disk_copy(&path));
    let shown = path.display();
    let parent = path.parent().unwrap().display();
    assert_eq!(
        error,
        format!("the key set cannot be copied to {shown}: create the directory {parent} first, mode 0700")
    );
    assert!(refusal(builder().disk_copy("")).ends_with("the path must name a file"));
    let short = refusal(builder().disk_copy_with_key(directory.path().join("jwks"), b"too short"));
    assert!(short.ends_with("the key must have 32 bytes at least, and be random"), "{short}");
    fs::write(directory.path().join("jwks.key"), b"short").unwrap();
    let cut = refusal(builder().disk_copy(directory.path().join("jwks")));
    assert!(cut.ends_with("jwks.key is cut short: remove it"), "{cut}");
}

#[tokio::test]
async fn two_clients_do_not_share_a_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks");
    let build = |issuer: &str| JwksClient::builder(issuer).disk_copy(&path).build();
    let first = build("http://127.0.0.1:1").unwrap();
    let again = build("http://127.0.0.1:1").unwrap();
    let error = build("http://127.0.0.1:2").unwrap_err().to_string();
    assert!(
        error.ends_with("another client of this process keeps its copy there; give each a path of its own"),
        "{error}"
    );
    drop((first, again));
    assert!(build("http://127.0.0.1:2").is_ok());
}
