use std::{collections::HashMap, time::Duration};

use anyhow::{Context, ensure};
use e2e::{
    Database, Fleet, LEDGER, Load, Loading, ORDERS, Service,
    account::{Account, Allowance},
    postgres::Postgres,
    published, ready,
};

use crate::{Run, figure::Figure};

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
/// S of the services: theirs is not what the issuer's is.
pub(crate) const SKEW: Duration = Duration::from_secs(30);
/// C + 10 s, or F and what a poll takes: after that a service that reaches the issuer must have dropped a key.
pub(crate) const CONNECTED: Duration = Duration::from_secs(11);
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

/// An issuer with three replicas, a database server of its own, and services.
pub(crate) struct Rig {
    pub(crate) fleet: Fleet,
    pub(crate) services: Vec<(Service, &'static str)>,
    pub(crate) server: Postgres,
    seed: u64,
}

impl Rig {
    /// Starts it, with settings over the usual ones and so many services of both audiences.
    pub(crate) async fn start(run: &Run, settings: &[(&str, &str)], services: usize) -> anyhow::Result<Self> {
        let server = tokio::task::spawn_blocking(Postgres::start).await??;
        let settings: HashMap<&str, &str> = SETTINGS.iter().chain(settings).copied().collect();
        let settings: Vec<_> = settings.into_iter().collect();
        let fleet = Fleet::start(&Database::Replicated(server.create_database()?), &settings).await?;
        let mut rig = Self { fleet, services: Vec::new(), server, seed: run.seed };
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
        let own = [("--deny-file", &*deny_file), ("--instance", &instance)];
        let arguments = [("--issuer", self.fleet.home.url()), ("--audience", audience)];
        let arguments = [&arguments[..], &own, flags].concat();
        let service = Service::start_in(environment, "ledger", &arguments, &directory).await?;
        Ok((service, audience))
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

    /// V1, V2, V4, V5 and V6.
    pub(crate) async fn invariants(
        &self,
        account: &Account,
        allowance: &Allowance,
    ) -> anyhow::Result<Vec<Figure>> {
        let mut figures = vec![
            Figure::counted("tokens issued", account.tokens.iter().filter(|token| token.genuine).count()),
            Figure::counted("answers of services", account.answers.len()),
            Figure::none_of("V1: good tokens rejected", account.rejected()),
            Figure::none_of("V2: bad tokens accepted", account.wrongly_accepted(allowance)),
        ];
        figures.push(Figure::none_of("V4: replicas without the one active key", self.active_keys().await?));
        let keys = self.fleet.home.keys().await?;
        let alive = |kid: &str| keys.iter().any(|key| key.kid == kid && key.state != "revoked");
        let revived = account.revoked.keys().filter(|kid| alive(kid)).map(ToString::to_string).collect();
        figures.push(Figure::none_of("V5: acknowledged revocations lost", revived));
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

    /// Revokes a key, noted in the account, and answers what the command said.
    pub(crate) async fn revoke(&self, loading: &Loading, kid: &str) -> anyhow::Result<e2e::Ran> {
        loading.note_revoked(kid);
        let ran = self.fleet.home.run(&["keys", "revoke", kid]).await?;
        ensure!(ran.succeeded, "the key cannot be revoked: {}", ran.err);
        Ok(ran)
    }
}

impl Rig {
    /// What the database answers, without decoration.
    pub(crate) fn query(&self, sql: &str) -> anyhow::Result<String> {
        let Database::Replicated(url) = self.fleet.database() else { anyhow::bail!("a rig is replicated") };
        Ok(self.server.query(url, sql)?)
    }
}
