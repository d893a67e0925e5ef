use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    Fleet, LEDGER, ORDERS, Wire,
    account::{Account, Answer, Grant, Held, Moment, moment},
    get_request,
};

/// The client that asks for tokens; it has access to both audiences.
const CLIENT: &str = "batch";
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(15);
/// Of so many tokens one is an old one, which may be over or of a key that is gone, and one is forged.
const STRANGE: usize = 8;

/// How much is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Tokens in a second, of both audiences together.
    pub issue: u32,
    /// Requests in a second, of each service.
    pub verify: u32,
    /// What decides which token is used.
    pub seed: u64,
}

/// A load that goes on until it is ended.
#[derive(Debug)]
pub struct Loading {
    account: Arc<Shared>,
    /// The URLs of the services, and their audiences.
    services: Vec<(String, &'static str)>,
    tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    account: Mutex<Account>,
    over: AtomicBool,
}

impl Load {
    /// Starts to ask the issuer of a fleet and these services, each with its audience; a first token of each audience is
    /// there when this returns.
    ///
    /// # Errors
    /// If there is no first token.
    pub async fn start(self, fleet: &Fleet, services: &[(&str, &'static str)]) -> anyhow::Result<Loading> {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        for audience in [ORDERS, LEDGER] {
            let token = Held::issued(&fleet.token(CLIENT, audience).await?, audience)?;
            shared.lock().tokens.push(token);
            let request = token_request(CLIENT, fleet.secret(CLIENT), audience);
            let url = fleet.home.url().to_owned();
            tasks.spawn(issue(url, request, audience, pause(self.issue / 2), Arc::clone(&shared)));
        }
        let mut random = fastrand::Rng::with_seed(self.seed);
        for (number, (url, audience)) in services.iter().enumerate() {
            let asking = Asking {
                number,
                url: (*url).to_owned(),
                audience,
                random: random.fork(),
                shared: Arc::clone(&shared),
                wire: None,
                only: None,
            };
            tasks.spawn(asking.go_on(pause(self.verify)));
        }
        let services = services.iter().map(|(url, audience)| ((*url).to_owned(), *audience)).collect();
        Ok(Loading { account: shared, services, tasks })
    }
}

impl Loading {
    /// What has happened so far.
    #[must_use]
    pub fn account(&self) -> Account {
        self.account.lock().clone()
    }

    /// Notes that a key is being revoked, from now on.
    pub fn note_revoked(&self, kid: &str) {
        self.account.lock().revoked.insert(kid.into(), moment());
    }

    /// The number of answers of services so far.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.account.lock().answers.len()
    }

    /// How often a key has taken over by now.
    #[must_use]
    pub fn switches(&self) -> usize {
        self.account.lock().switches().len()
    }

    /// The tokens that this audience has got by now, newest last.
    #[must_use]
    pub fn tokens(&self, audience: &str) -> Vec<Held> {
        let account = self.account.lock();
        account.tokens.iter().filter(|token| token.genuine && token.audience == audience).cloned().collect()
    }

    /// From now on every service is also asked with one token of this key, the newest that it may get, at this pace.
    ///
    /// # Errors
    /// If the key has signed nothing for any of them.
    pub fn present(&mut self, kid: &str, pause: Duration) -> anyhow::Result<()> {
        let before = self.tasks.len();
        for (number, (url, audience)) in self.services.iter().enumerate() {
            let account = self.account.lock();
            let own = |held: &Held| held.genuine && *held.kid == *kid && held.audience == *audience;
            let Some(token) = account.tokens.iter().rposition(own) else { continue };
            let asking = Asking {
                number,
                url: url.clone(),
                audience,
                random: fastrand::Rng::with_seed(0),
                shared: Arc::clone(&self.account),
                wire: None,
                only: Some((token, Arc::clone(&account.tokens[token].token))),
            };
            drop(account);
            self.tasks.spawn(asking.go_on(pause));
        }
        ensure!(self.tasks.len() > before, "there is no token of {kid}");
        Ok(())
    }

    /// Ends the load and answers what has happened.
    pub async fn end(mut self) -> Account {
        self.account.over.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        self.account()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

fn pause(per_second: u32) -> Duration {
    Duration::from_secs(1) / per_second.max(1)
}

/// Asks for tokens at a steady rate, each over a connection of its own, so that all replicas are asked.
async fn issue(url: String, request: Vec<u8>, audience: &'static str, pause: Duration, shared: Arc<Shared>) {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asking = JoinSet::new();
    while !shared.is_over() {
        ticks.tick().await;
        let (url, request, shared) = (url.clone(), request.clone(), Arc::clone(&shared));
        asking.spawn(async move {
            let asked = moment();
            let reply = timeout(PATIENCE, ask_once(&url, &request)).await;
            let (status, body) = match reply {
                Ok(Ok(reply)) => reply,
                Ok(Err(error)) => (0, error.to_string().into_bytes()),
                Err(_) => (0, b"no answer".to_vec()),
            };
            shared.note_grant(asked, audience, status, &body);
        });
        while asking.try_join_next().is_some() {}
    }
    while asking.join_next().await.is_some() {}
}

async fn ask_once(url: &str, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut wire = Wire::connect_as_caller(url).await?;
    let status = wire.ask(request).await?;
    Ok((status, wire.body().to_vec()))
}

impl Shared {
    fn note_grant(&self, asked: Moment, audience: &'static str, status: u16, body: &[u8]) {
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let token = json["access_token"].as_str().context("a token");
        let token = token.and_then(|token| Held::issued(token, audience));
        let error = match &token {
            Ok(_) => String::new(),
            Err(_) => {
                json["error"].as_str().map_or_else(|| String::from_utf8_lossy(body).into(), str::to_owned)
            }
        };
        let mut account = self.lock();
        account.grants.push(Grant { asked, answered: moment(), status, error });
        account.tokens.extend(token.ok());
    }
}

/// One caller of one service.
struct Asking {
    number: usize,
    url: String,
    audience: &'static str,
    random: fastrand::Rng,
    shared: Arc<Shared>,
    wire: Option<Wire>,
    /// The one token that it asks with.
    only: Option<(usize, Arc<str>)>,
}

impl Asking {
    async fn go_on(mut self, pause: Duration) {
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.shared.is_over() {
            ticks.tick().await;
            let (token, text) = self.choose();
            let request = get_request("/whoami", &text);
            let asked = moment();
            let status = timeout(PATIENCE, self.ask(&request)).await.ok().and_then(Result::ok);
            if status.is_none() {
                self.wire = None;
            }
            let (service, answered) = (self.number, moment());
            let answer = Answer { token, service, asked, answered, status: status.unwrap_or_default() };
            self.shared.lock().answers.push(answer);
        }
    }

    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        let wire = match &mut self.wire {
            Some(wire) => wire,
            wire => wire.insert(Wire::connect(&self.url).await?),
        };
        wire.ask(request).await
    }

    /// Mostly the newest token.
    fn choose(&mut self) -> (usize, Arc<str>) {
        if let Some(only) = &self.only {
            return only.clone();
        }
        let mut account = self.shared.lock();
        let own = |token: &Held| token.audience == self.audience && token.genuine;
        let newest = account.tokens.iter().rposition(own).unwrap_or_default();
        let chosen = match self.random.usize(..STRANGE) {
            0 => {
                let start = self.random.usize(..=newest);
                account.tokens[start..].iter().position(own).map_or(newest, |found| start + found)
            }
            1 if self.random.u8(..4) == 0 => {
                let forged = account.tokens[newest].forged();
                account.tokens.push(forged);
                account.tokens.len() - 1
            }
            _ => newest,
        };
        (chosen, Arc::clone(&account.tokens[chosen].token))
    }
}

/// A token request of a client at an audience, ready for [`Wire::ask`].
#[must_use]
pub fn token_request(client: &str, secret: &str, audience: &str) -> Vec<u8> {
    let basic = base64_simd::STANDARD.encode_to_string(format!("{client}:{secret}"));
    let resource = audience.replace(':', "%3A").replace('/', "%2F");
    let form = format!("grant_type=client_credentials&resource={resource}");
    format!(
        "POST /oauth2/token HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic {basic}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}
