use std::{
    fmt, io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use claviger_store::PasswordHash;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{password::Password, scheme::Scheme};
use crate::{
    http::{PerIp, Share},
    signer_pool::SignerPool,
};

/// How many may wait.
const QUEUE: usize = 64;
/// How many of them may come from one address, behind which may be an office: the others find a place too.
const OF_ONE: usize = 16;

/// Where hashes of passwords are computed.
///
/// Each takes ten milliseconds and 19 MiB by design. On an async worker it would keep all others waiting, so it has threads
/// of its own, of low priority, and one core is left for everybody else; and who comes when the queue is full is told
/// so, so that a storm of log-ins takes no more memory than there are threads (S-88).
#[derive(Clone)]
pub(crate) struct Passwords(Arc<Inner>);

struct Inner {
    threads: SignerPool,
    /// One for each thread and each place in the queue.
    places: Arc<Semaphore>,
    by_address: Arc<PerIp>,
    /// What is verified where there is nothing to verify.
    nobody: PasswordHash,
    evaluated: AtomicU64,
    /// Nanoseconds of the costliest hash from elsewhere that was tried so far.
    costliest: AtomicU64,
}

/// As many passwords are being computed, and waiting, as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many log-ins at once")]
pub(crate) struct Busy;

/// What became of a password.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is another.
    Wrong,
    /// It is the one.
    Right {
        /// Its hash by today's rules, if the one that is kept is not.
        upgraded: Option<PasswordHash>,
    },
}

/// A place in the queue, good for one password. Whoever holds one is not turned away any more.
pub(crate) struct Place {
    passwords: Passwords,
    permit: OwnedSemaphorePermit,
    share: Option<Share>,
}

impl Passwords {
    /// Starts threads: one less than there are cores, but one.
    ///
    /// # Errors
    /// [`io::Error`] if one cannot be started.
    pub(crate) fn start(cores: usize) -> io::Result<Self> {
        let threads = cores.saturating_sub(1).max(1);
        let nobody = Scheme::of_nobody().ok_or_else(|| io::Error::other("a constant is a hash"))?;
        Ok(Self(Arc::new(Inner {
            threads: SignerPool::of("password", threads)?,
            places: Arc::new(Semaphore::new(threads + QUEUE)),
            by_address: PerIp::new(OF_ONE),
            nobody,
            evaluated: AtomicU64::new(0),
            costliest: AtomicU64::new(0),
        })))
    }

    /// How many were computed so far.
    pub(crate) fn evaluated(&self) -> u64 {
        self.0.evaluated.load(Ordering::Relaxed)
    }

    /// A place in the queue, if there is one.
    pub(crate) fn place(&self) -> Result<Place, Busy> {
        let permit = Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| Busy)?;
        Ok(Place { passwords: self.clone(), permit, share: None })
    }

    /// The same for somebody who comes from an address, if it has not too many already.
    pub(crate) fn place_of(&self, address: IpAddr) -> Result<Place, Busy> {
        let share = self.0.by_address.admit(address).ok_or(Busy)?;
        Ok(Place { share: Some(share), ..self.place()? })
    }

    /// Today's hash of a password.
    pub(crate) async fn hash(&self, password: Password) -> Result<PasswordHash, Busy> {
        let hashed = self.place()?.run(move || Scheme::hash(&password)).await?;
        hashed.ok_or_else(|| {
            // Without memory for one hash there is none for anything.
            tracing::error!("a password could not be hashed");
            Busy
        })
    }
}

impl Place {
    /// Whether this is the password of a hash. Without one as much is computed, and it never is: nobody must be able to tell who
    /// has an account (S-89).
    ///
    /// A hash from elsewhere may take longer than ours. Once one was tried, every refusal takes as long, so that those who were
    /// imported cannot be told by the time either.
    pub(crate) async fn verify(
        self,
        hash: Option<PasswordHash>,
        password: Password,
    ) -> Result<Verdict, Busy> {
        let inner = Arc::clone(&self.passwords.0);
        let computed = move || {
            let begun = thread_time();
            let (verdict, is_ours) = verdict(hash, &inner.nobody, &password);
            let spent = thread_time().saturating_sub(begun);
            if !is_ours {
                inner.costliest.fetch_max(nanos(spent), Ordering::Relaxed);
            }
            (verdict, Duration::from_nanos(inner.costliest.load(Ordering::Relaxed)).saturating_sub(spent))
        };
        let (verdict, rest) = self.run(computed).await?;
        if matches!(verdict, Verdict::Wrong) && !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
        Ok(verdict)
    }

    async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let Self { passwords, permit, share } = self;
        let inner = Arc::clone(&passwords.0);
        let counted = move || {
            inner.evaluated.fetch_add(1, Ordering::Relaxed);
            let done = work();
            // Not before: while it is computed, the place is taken, whether somebody still waits for it or not.
            drop((permit, share));
            done
        };
        passwords.0.threads.run(counted).await.map_err(|_| Busy)
    }
}

/// How long this thread has computed: what it has waited for others does not count.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The verdict, and whether it has cost what today's scheme costs.
fn verdict(hash: Option<PasswordHash>, nobody: &PasswordHash, password: &Password) -> (Verdict, bool) {
    let scheme = hash.and_then(|hash| {
        let scheme = Scheme::parse(&hash);
        scheme.inspect_err(|error| tracing::error!(%error, "the hash of a password cannot be verified")).ok()
    });
    let Some(scheme) = scheme else {
        if let Ok(scheme) = Scheme::parse(nobody) {
            std::hint::black_box(scheme.verify(password));
        }
        return (Verdict::Wrong, true);
    };
    let is_current = scheme.is_current();
    if !scheme.verify(password) {
        return (Verdict::Wrong, is_current);
    }
    let upgraded = if is_current { None } else { Scheme::hash(password) };
    // With the new hash it has cost more than a refusal does.
    (Verdict::Right { upgraded }, true)
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("evaluated", &self.evaluated()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(&text.into()).unwrap()
    }

    async fn verify(passwords: &Passwords, hash: Option<&PasswordHash>, text: &str) -> Verdict {
        passwords.place().unwrap().verify(hash.cloned(), password(text)).await.unwrap()
    }

    #[tokio::test]
    async fn a_password_is_right_or_wrong() {
        let passwords = Passwords::start(2).unwrap();
        let hash = passwords.hash(password("the fog hums")).await.unwrap();
        assert!(matches!(
            verify(&passwords, Some(&hash), "the fog hums").await,
            Verdict::Right { upgraded: None }
        ));
        assert!(matches!(verify(&passwords, Some(&hash), "the fog hum").await, Verdict::Wrong));
    }

    // S-88
    #[tokio::test]
    async fn a_weaker_hash_is_upgraded_when_its_password_is_known() {
        let passwords = Passwords::start(2).unwrap();
        // As argon2-cffi has written it.
        let weak =
            "$argon2id$v=19$m=512,t=3,p=1$sOjj9k6iqTlXkxEDmsqbJg$RbRixz0DtVBeM+s7qjRQK0rVRXgZTP5VPX0yhwq8BNA";
        let (weak, right) = (weak.parse().unwrap(), "correct horse battery staple, Zo\u{eb}");
        assert!(matches!(verify(&passwords, Some(&weak), "wrong").await, Verdict::Wrong));
        let Verdict::Right { upgraded: Some(strong) } = verify(&passwords, Some(&weak), right).await else {
            panic!("right, and upgraded");
        };
        assert!(matches!(verify(&passwords, Some(&strong), right).await, Verdict::Right { upgraded: None }));
    }

    // S-89
    #[tokio::test]
    async fn where_there_is_nothing_to_verify_as_much_is_computed() {
        let passwords = Passwords::start(2).unwrap();
        let unreadable = "$unknown$".parse().unwrap();
        for hash in [None, Some(&unreadable), Some(&Scheme::of_nobody().unwrap())] {
            let before = passwords.evaluated();
            assert!(matches!(verify(&passwords, hash, "the fog hums").await, Verdict::Wrong));
            assert_eq!(passwords.evaluated(), before + 1);
        }
    }

    // S-89
    #[tokio::test]
    async fn once_a_costlier_hash_was_tried_every_refusal_takes_as_long() {
        let passwords = Passwords::start(2).unwrap();
        let ours = passwords.hash(password("the fog hums")).await.unwrap();
        let held_back = |passwords: &Passwords| passwords.0.costliest.load(Ordering::Relaxed);
        for hash in [None, Some(&ours)] {
            verify(&passwords, hash, "wrong").await;
        }
        assert_eq!(held_back(&passwords), 0, "nothing is held back where nothing was imported");
        let django =
            "pbkdf2_sha256$1000000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".parse().unwrap();
        verify(&passwords, Some(&django), "wrong").await;
        let floor = Duration::from_nanos(held_back(&passwords));
        assert!(floor > Duration::from_millis(50), "{floor:?}");
        for hash in [None, Some(&ours)] {
            let begun = Instant::now();
            assert!(matches!(verify(&passwords, hash, "wrong").await, Verdict::Wrong));
            assert!(begun.elapsed() >= floor, "{:?} is less than {floor:?}", begun.elapsed());
        }
    }

    // S-88
    #[tokio::test]
    async fn who_comes_when_the_queue_is_full_is_told_so() {
        for (cores, threads) in [(1, 1), (2, 1), (8, 7)] {
            let passwords = Passwords::start(cores).unwrap();
            let mut places: Vec<Place> = (0..threads + QUEUE).map(|_| passwords.place().unwrap()).collect();
            assert_eq!(passwords.place().err(), Some(Busy), "{cores} cores");
            places.pop();
            assert!(passwords.place().is_ok());
        }
    }

    // S-88
    #[tokio::test]
    async fn one_address_does_not_take_all_places() {
        let passwords = Passwords::start(2).unwrap();
        let taken = |address: &str| -> Vec<Place> {
            let address = address.parse().unwrap();
            std::iter::from_fn(|| passwords.place_of(address).ok()).collect()
        };
        let mut one = taken("192.0.2.1");
        assert_eq!(one.len(), 16);
        assert_eq!(taken("192.0.2.2").len(), 16, "another one");
        let verdict = one.pop().unwrap().verify(None, password("the fog hums")).await;
        assert!(matches!(verdict, Ok(Verdict::Wrong)));
        assert_eq!(taken("192.0.2.1").len(), 1, "it is given back");
    }

    // S-88
    #[tokio::test]
    async fn a_storm_of_log_ins_is_computed_one_at_a_time_or_turned_away() {
        let passwords = Passwords::start(2).unwrap();
        let mut waiting = Vec::new();
        let mut turned_away = 0;
        for _ in 0..2_000 {
            match passwords.place() {
                Ok(place) => waiting.push(tokio::spawn(place.verify(None, password("the fog hums")))),
                Err(Busy) => turned_away += 1,
            }
        }
        assert_eq!((waiting.len(), turned_away), (65, 1_935));
        for waiting in waiting {
            assert!(matches!(waiting.await.unwrap(), Ok(Verdict::Wrong)));
        }
        assert_eq!(passwords.evaluated(), 65);
        assert!(passwords.place().is_ok(), "and the places are free again");
    }

    // S-88
    #[tokio::test]
    async fn who_goes_away_gives_the_place_back() {
        let passwords = Passwords::start(1).unwrap();
        for _ in 0..200 {
            drop(passwords.place().unwrap().verify(None, password("the fog hums")));
        }
        assert!(matches!(verify(&passwords, None, "the fog hums").await, Verdict::Wrong));
    }
}
