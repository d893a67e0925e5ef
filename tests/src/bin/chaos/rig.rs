use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use e2e::{
    Database, Fleet, LEDGER, Load, Loading, ORDERS, Service,
    account::{Account, Allowance, Answer, moment},
    postgres::Postgres,
    published, ready,
};

use crate::{Run, acts::Act, figure::Figure};

/// T, L, S, C, F and P, compressed; the inequalities between them hold all the same.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("TOKEN_LIFETIME", "8s"),
    ("ROTATION_PERIOD", "30d"),
    ("ROTATION_LEAD", "4s"),
    ("ROTATION_TAIL", "11s"),
    ("ROTATION_LEASE", "2s"),
    ("VERIFIERS_SKEW", "1s"),
    ("VERIFIERS_FRESHNESS", "1s"),
    ("VERIFIERS_POLL", "1s"),
    ("VERIFIERS_FOREIGN", "false"),
    ("SERVER_DRAIN_DELAY", "1s"),
    // All come from loopback, through one gate.
    ("SERVER_CONNECTIONS", "4096"),
    ("SERVER_CONNECTIONS_PER_ADDRESS", "4096"),
];
pub(crate) const LEASE: Duration = Duration::from_secs(2);
/// S, of the issuer and of the services: small, so that tokens are over while there is somebody to present them.
pub(crate) const SKEW: Duration = Duration::from_secs(1);
const LEEWAY: (&str, &str) = ("--leeway", "1");
/// Tokens that live for no longer are presented when they are over, for so long.
const SHORT_LIFE: Duration = Duration::from_secs(10);
const PRESENTED: Duration = Duration::from_secs(8);
/// What a service must have accepted, and services must have been shown, for an account to say anything.
const LEAST: usize = 10;
const LEAST_STRANGE: usize = 5;
/// Of all answers in percent: what a busy machine may hold up for too long.
const UNDECIDED: f64 = 1.0;
/// C + 10 s, or F and what a poll takes: after that a service that reaches the issuer must have dropped a key.
pub(crate) const CONNECTED: Duration = Duration::from_secs(11);
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

/// An issuer with three replicas, a database server of its own, and services.
pub(crate) struct Rig {
    pub(crate) fleet: Fleet,
    pub(crate) services: Vec<(Service, &'static str)>,
    pub(crate) server: Postgres,
    acts: Mutex<Vec<Act>>,
    seed: u64,
}

impl Rig {
    /// Starts it, with settings over the usual ones and so many services of both audiences.
    pub(crate) async fn start(run: &Run, settings: &[(&str, &str)], services: usize) -> anyhow::Result<Self> {
        let server = tokio::task::spawn_blocking(Postgres::start).await??;
        let settings: HashMap<&str, &str> = SETTINGS.iter().chain(settings).copied().collect();
        let settings: Vec<_> = settings.into_iter().collect();
        let fleet = Fleet::start(&Database::Replicated(server.create_database()?), &settings).await?;
        let mut rig = Self { fleet, services: Vec::new(), server, acts: Mutex::default(), seed: run.seed };
        for number in 0..services {
            let service = rig.start_service(number, &[], &[]).await?;
            rig.services.push(service);
        }
        for (service, _) in &rig.services {
            service.ready().await?;
        }
        Ok(rig)
    }

    /// Starts the service of this number, with more flags and more in its environment.
    pub(crate) async fn start_service(
        &self,
        number: usize,
        flags: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<(Service, &'static str)> {
        let audience = if number.is_multiple_of(2) { ORDERS } else { LEDGER };
        let directory = self.fleet.home.path().join(format!("service-{number}"));
        let (deny_file, instance) = (directory.join("deny"), format!("service-{number}"));
        let deny_file = deny_file.to_string_lossy();
        let own = [("--deny-file", &*deny_file), ("--instance", &instance), LEEWAY];
        let arguments = [("--issuer", self.fleet.home.url()), ("--audience", audience)];
        let arguments = [&arguments[..], &own, flags].concat();
        let service = Service::start_in(environment, "ledger", &arguments, &directory).await?;
        Ok((service, audience))
    }

    /// Starts the service of this number, which reads the key set and knows of no feed, and waits for it.
    pub(crate) async fn start_without_feed(&self, number: usize) -> anyhow::Result<(Service, &'static str)> {
        let keys = format!("{}/.well-known/jwks.json", self.fleet.home.url());
        let service = self.start_service(number, &[("--jwks-url", &keys)], &[]).await?;
        service.0.ready().await?;
        Ok(service)
    }

    /// Callers of the issuer and all services.
    pub(crate) async fn load(&self, issue: u32, verify: u32) -> anyhow::Result<Loading> {
        let services: Vec<_> =
            self.services.iter().map(|(service, audience)| (service.url(), *audience)).collect();
        Load { issue, verify, seed: self.seed }.start(&self.fleet, &services).await
    }

    /// What services may do when nobody is cut off.
    pub(crate) fn allowance() -> Allowance {
        Allowance { skew: SKEW, revocation: CONNECTED, partitioned: HashMap::new() }
    }

    /// Ends a load; if its tokens do not live long, not before some that are over have been presented for a while.
    pub(crate) async fn end(&self, loading: Loading) -> Account {
        let first = loading.tokens(ORDERS).into_iter().next();
        if let Some(first) = first.filter(|first| first.lifetime() <= SHORT_LIFE) {
            let enough = first.expires_at + SKEW + PRESENTED;
            tokio::time::sleep(enough.saturating_sub(moment())).await;
        }
        loading.end().await
    }

    /// Services, but for these, that have accepted next to nothing: of such V1 and V2 are true as well.
    pub(crate) fn idle(&self, account: &Account, but: &[usize]) -> Vec<String> {
        let numbers = (0..self.services.len()).filter(|number| !but.contains(number));
        let accepted = numbers.map(|number| (number, account.accepted(number)));
        let idle = accepted.filter(|(_, accepted)| *accepted < LEAST);
        idle.map(|(number, accepted)| format!("service {number} accepted {accepted} tokens")).collect()
    }

    /// Whether enough was asked and answered for the account to say anything.
    pub(crate) fn substance(&self, account: &Account, allowance: &Allowance) -> Vec<Figure> {
        let connected =
            account.answers.iter().filter(|answer| !allowance.partitioned.contains_key(&answer.service));
        let (decided, undecided): (Vec<&Answer>, Vec<&Answer>) =
            connected.partition(|answer| answer.is_decision());
        let presented = account.presented(allowance);
        let genuine = || account.tokens.iter().filter(|token| token.genuine);
        let least = |holds: bool| if holds { LEAST_STRANGE } else { 0 };
        let end_soon = genuine().any(|token| token.lifetime() <= SHORT_LIFE);
        let outlives = |lifetime: Duration| lifetime > allowance.revocation + PRESENTED;
        let revoked_early =
            genuine().any(|token| account.revoked.contains_key(&token.kid) && outlives(token.lifetime()));
        vec![
            Figure::at_least("tokens issued", genuine().count(), LEAST),
            Figure::none_of("services that accepted next to nothing", self.idle(account, &[])),
            Figure::share_of(
                "requests that services did not decide",
                undecided.len(),
                decided.len() + undecided.len(),
                UNDECIDED,
            ),
            Figure::at_least("forged tokens presented", presented.forged, LEAST_STRANGE),
            Figure::at_least("tokens presented that were over", presented.over, least(end_soon)),
            Figure::at_least("tokens of dropped keys presented", presented.revoked, least(revoked_early)),
        ]
    }

    /// V1, V2, V4, V5 and V6.
    pub(crate) async fn invariants(
        &self,
        account: &Account,
        allowance: &Allowance,
    ) -> anyhow::Result<Vec<Figure>> {
        let mut figures = self.substance(account, allowance);
        figures.push(Figure::none_of("V1: good tokens rejected", account.rejected()));
        figures.push(Figure::none_of("V2: bad tokens accepted", account.wrongly_accepted(allowance)));
        figures.push(Figure::none_of("V4: replicas without the one active key", self.active_keys().await?));
        let (acts, lost) = self.lost().await?;
        figures.push(Figure::at_least("V5: acknowledged acts looked for", acts, 1));
        figures.push(Figure::none_of("V5: acknowledged acts lost", lost));
        let audit = self.fleet.home.run(&["audit", "verify"]).await?;
        let broken = (!audit.succeeded).then(|| format!("{} {}", audit.out.trim(), audit.err.trim()));
        figures.push(Figure::none_of("V6: breaks of the audit chain", broken.into_iter().collect()));
        Ok(figures)
    }

    /// V4: what is wrong with the active keys.
    async fn active_keys(&self) -> anyhow::Result<Vec<String>> {
        let mut wrong = Vec::new();
        for alg in ["ES256", "RS256"] {
            let kid = match self.fleet.home.kid(alg, "active").await {
                Ok(kid) => kid,
                Err(error) => {
                    wrong.push(error.to_string());
                    continue;
                }
            };
            for replica in &self.fleet.issuers {
                let url = replica.process.url();
                let knows =
                    async || published(&self.fleet.http, url).await.ok().filter(|kids| kids.contains(&kid));
                if e2e::until("it publishes the key", LEASE, knows).await.is_err() {
                    wrong.push(format!("{url} does not publish {kid}"));
                }
            }
        }
        Ok(wrong)
    }

    /// Waits until all replicas are ready; answers how long that took.
    pub(crate) async fn healthy(&self) -> anyhow::Result<Duration> {
        let start = std::time::Instant::now();
        for replica in &self.fleet.issuers {
            ready(&replica.process).await?;
        }
        Ok(start.elapsed())
    }

    /// A replica's way to the database.
    pub(crate) fn database_of(&self, number: usize) -> anyhow::Result<&e2e::gate::Gate> {
        self.fleet.issuers.get(number).and_then(|replica| replica.database.as_ref()).context("a replica")
    }

    /// The prepared keys exist and have been published for the lead: a rotation is possible.
    pub(crate) async fn prepared(&self) -> anyhow::Result<()> {
        let prepared = || async {
            let keys = self.fleet.home.keys().await.ok()?;
            (keys.iter().filter(|key| key.state == "prepared").count() == 2).then_some(())
        };
        e2e::until("two keys are prepared", PATIENCE, prepared).await
    }

    /// Notes what an operator was told to be done.
    pub(crate) fn acknowledge(&self, act: Act) {
        self.acts.lock().unwrap_or_else(PoisonError::into_inner).push(act);
    }

    pub(crate) fn acknowledged(&self) -> Vec<Act> {
        self.acts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the database answers, without decoration.
    pub(crate) fn query(&self, sql: &str) -> anyhow::Result<String> {
        let Database::Replicated(url) = self.fleet.database() else { anyhow::bail!("a rig is replicated") };
        Ok(self.server.query(url, sql)?)
    }
}
