//! The refresh grant, each use of a token durable before it is answered: against what needs no write, against the disk alone,
//! and against the bare statement of the database.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use claviger_store::rotation_statement;
use e2e::{CodeFlow, Database, FLEET, IssuerHome, ORDERS, Person, Process, Wire, client, postgres::Postgres};
use tokio::task::JoinSet;

use crate::{
    crowd::{Answered, Crowd},
    plan::Plan,
    row::{Measure, Row},
    stage::CLIENT,
};

/// Clients that refresh at the same time, each a family of its own: as many as make a group worth while.
const FAMILIES: u32 = 256;
const SLICE: Duration = Duration::from_millis(500);
const TURNS: u32 = 4;
const BARE_SECONDS: u32 = 2;
/// What SQLite writes of a small transaction: a page or two of the log.
const PAGE: [u8; 4096] = [0x5a; 4096];
const APP: &str = "shop-spa";
const REDIRECT_URI: &str = "https://page.fleet.test/callback";

/// SQLite with `synchronous=FULL`, against the same endpoint without a write, and against the bare rate of fdatasync.
pub(crate) async fn on_sqlite(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut rows = [
        Row::new("refresh on SQLite, against no write", Measure::Rate, Some(0.3)),
        Row::new("refresh on SQLite, against fdatasync", Measure::Rate, Some(3.0)),
    ];
    if !plan.wants_any(&rows) {
        return Ok(Vec::new());
    }
    let stage = Stage::start(&Database::Sqlite).await?;
    let mut families = stage.families(FAMILIES).await?;
    let request = e2e::token_request(CLIENT, &stage.secret, ORDERS);
    let mut writeless = Crowd::connect(stage.home.url(), FAMILIES, request).await?;
    let beside = stage.home.path().join("fdatasync");
    families.flood(SLICE).await?;
    writeless.flood(SLICE).await?;
    for _ in plan.runs(rows[0].name()) {
        let (mut of_refresh, mut of_writeless, mut of_disk) = <[Answered; 3]>::default().into();
        for _ in 0..TURNS {
            add(&mut of_refresh, families.flood(SLICE).await?);
            add(&mut of_writeless, writeless.flood(SLICE).await?);
            add(&mut of_disk, synced(&beside, SLICE).await?);
        }
        rows[0].add(of_refresh.per_second(), of_writeless.per_second());
        rows[1].add(of_refresh.per_second(), of_disk.per_second());
    }
    Ok(rows.into())
}

/// PostgreSQL, against a bare loop of the statement by as many.
pub(crate) async fn on_postgres(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    const CALLERS: u32 = 16;
    let mut rows = [Row::new("refresh on PostgreSQL, against its statement", Measure::Rate, Some(0.6))];
    if !plan.wants_any(&rows) {
        return Ok(Vec::new());
    }
    let Some(server) = Postgres::shared() else {
        plan.tell("there is no PostgreSQL: the refresh rows of it are left out");
        return Ok(Vec::new());
    };
    let url = server.create_database()?;
    let stage = Stage::start(&Database::Postgres(url.clone())).await?;
    let mut families = stage.families(CALLERS).await?;
    let script = stage.home.path().join("rotate.sql");
    std::fs::write(&script, bare_script())?;
    families.flood(SLICE).await?;
    for run in plan.runs(rows[0].name()) {
        let mut of_refresh = Answered::default();
        for _ in 0..TURNS {
            add(&mut of_refresh, families.flood(SLICE).await?);
        }
        server.query(&url, &bare_families(run, CALLERS))?;
        let bare = server.loop_of(&url, &script, (CALLERS, BARE_SECONDS), &format!("run={run}"))?;
        rows[0].add(of_refresh.per_second(), bare);
    }
    Ok(rows.into())
}

fn add(sum: &mut Answered, more: Answered) {
    sum.requests += more.requests;
    sum.elapsed += more.elapsed;
}

/// Writes a page and waits for the disk, again and again.
async fn synced(path: &Path, time: Duration) -> anyhow::Result<Answered> {
    let path = path.to_owned();
    let write = move || {
        let mut file = File::create(path)?;
        let (start, mut requests) = (Instant::now(), 0);
        while start.elapsed() < time {
            file.write_all(&PAGE)?;
            file.sync_data()?;
            requests += 1;
        }
        anyhow::Ok(Answered { requests, elapsed: start.elapsed() })
    };
    tokio::task::spawn_blocking(write).await?
}

/// The statement with what changes from call to call in the words of pgbench: each caller has a family, and goes along its
/// line of tokens.
fn bare_script() -> String {
    let token = |number: &str| {
        let number = format!(":run::bigint * 1000000000000 + :client_id::bigint * 1000000000 + {number}");
        format!("decode(lpad(to_hex({number}), 64, '0'), 'hex')")
    };
    let statement = rotation_statement()
        .replace("$1", &token(":step::bigint"))
        .replace("$2", "'bare'")
        .replace("$3", "NULL")
        .replace("$4", &token("(:step::bigint + 1)"))
        .replace("$5", "decode('00112233445566778899aabbccddeeff', 'hex')")
        .replace("$6", "1209600")
        .replace("$7", "FALSE")
        .replace("$8", r#"'["https://orders.fleet.test"]'"#);
    format!("\\set step :step + 1\n{};\n", statement.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Families for the callers of a run, each with the first token of its line.
fn bare_families(run: u32, callers: u32) -> String {
    let authorization =
        r#"{"scope":"orders:read","audiences":["https://orders.fleet.test"],"auth_time":4102444800}"#;
    format!(
        r#"INSERT INTO account (id, username, username_key, disabled, not_before, claims, roles, "groups", created_at)
           VALUES ('bare', 'bare', 'bare', FALSE, 0, '{{}}', '[]', '[]', 1) ON CONFLICT DO NOTHING;
           INSERT INTO refresh_family (id, client_id, account, sid, "authorization", auth_time, created_at, expires_at)
           SELECT 'bare-{run}-' || caller, 'bare', 'bare', 'bare', '{authorization}', 4102444800, 1, 99999999999
           FROM generate_series(0, {callers} - 1) AS caller;
           INSERT INTO refresh_token (hash, family, created_at, idle_until)
           SELECT decode(lpad(to_hex({run} * 1000000000000 + caller::bigint * 1000000000 + 1), 64, '0'), 'hex'),
                  'bare-{run}-' || caller, 1, 99999999999
           FROM generate_series(0, {callers} - 1) AS caller"#
    )
}

/// A served issuer with a person.
struct Stage {
    home: IssuerHome,
    secret: String,
    password: String,
    _issuer: Process,
}

impl Stage {
    async fn start(database: &Database) -> anyhow::Result<Self> {
        // All come from one address.
        let home = IssuerHome::init(database, &[("SERVER_CONNECTIONS_PER_ADDRESS", "1024")]).await?;
        let secrets = home.apply(FLEET).await?;
        let secret = secrets.into_iter().find(|(client, _)| client == CLIENT).context("a secret")?.1;
        let password = home.add_person("ann", &[]).await?;
        let issuer = home.serve().await?;
        Ok(Self { home, secret, password, _issuer: issuer })
    }

    /// So many families, each with a client of its own that holds its last token.
    async fn families(&self, count: u32) -> anyhow::Result<Families> {
        let (mut person, http) = (Person::new(), client());
        let mut holders = Vec::new();
        for _ in 0..count {
            let flow = CodeFlow::new(self.home.url(), APP, REDIRECT_URI, "orders:read");
            let mut reply = person.get(&flow.url()).await?;
            reply = person.follow(reply, self.home.url()).await?;
            if reply.body.contains("name=\"password\"") {
                reply = person.sign_in(&reply, "ann", &self.password).await?;
            }
            let tokens = flow.redeem(&http, "", &flow.code(&reply)?).await?;
            ensure!(tokens.status == 200, "{} {}", tokens.status, tokens.body);
            let wire = Wire::connect(self.home.url()).await?;
            holders.push(Holder { wire, token: refresh_token(tokens.body.as_bytes())? });
        }
        Ok(Families { holders })
    }
}

/// Clients that refresh, each as soon as it has its answer.
struct Families {
    holders: Vec<Holder>,
}

struct Holder {
    wire: Wire,
    token: String,
}

impl Families {
    async fn flood(&mut self, time: Duration) -> anyhow::Result<Answered> {
        let start = Instant::now();
        let mut asking = JoinSet::new();
        for mut holder in self.holders.drain(..) {
            asking.spawn(async move {
                let mut requests = 0;
                while start.elapsed() < time {
                    holder.refresh().await?;
                    requests += 1;
                }
                anyhow::Ok((holder, requests))
            });
        }
        let mut answered = Answered::default();
        while let Some(ended) = asking.join_next().await {
            let (holder, requests) = ended??;
            self.holders.push(holder);
            answered.requests += requests;
        }
        answered.elapsed = start.elapsed();
        Ok(answered)
    }
}

impl Holder {
    async fn refresh(&mut self) -> anyhow::Result<()> {
        let form = format!("grant_type=refresh_token&client_id={APP}&refresh_token={}", self.token);
        let head = "POST /oauth2/token HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded";
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{form}", form.len());
        let status = self.wire.ask(request.as_bytes()).await?;
        ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(self.wire.body()));
        self.token = refresh_token(self.wire.body())?;
        Ok(())
    }
}

/// The member of an answer, without reading the rest of it.
fn refresh_token(body: &[u8]) -> anyhow::Result<String> {
    let body = str::from_utf8(body)?;
    let token = body.split("\"refresh_token\":\"").nth(1).and_then(|rest| rest.split('"').next());
    token.map(str::to_owned).with_context(|| format!("no refresh token in {body}"))
}
