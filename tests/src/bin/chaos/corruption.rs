use std::{collections::BTreeSet, time::Duration};

use e2e::{Reply, until};

use crate::{Run, figure::Figure, rig::Rig};

/// F9: bytes of rows are flipped; a replica that starts reads them anew.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let mut rig = Rig::start(&run, &[], 4).await?;
    let (mut random, mut wrong, mut panics, mut unusable) =
        (run.random(), Vec::new(), Vec::new(), Vec::new());
    let rounds = run.either(6, 200);
    let columns = byte_columns(&rig)?;
    for round in 0..rounds {
        rig.prepared().await?;
        let keys = rig.fleet.home.keys().await?;
        let alive: Vec<_> =
            keys.iter().filter(|key| key.state == "active" || key.state == "prepared").collect();
        let key = alive[random.usize(..alive.len())];
        let column = &columns[random.usize(..columns.len())];
        let row = Row { rig: &rig, kid: &key.kid, column };
        let before = row.read()?;
        if before.is_empty() {
            continue;
        }
        row.write(&flipped(&before, &mut random))?;
        let what = format!("round {round}, {} {} {column}", key.state, key.alg);
        let replica = rig.fleet.home.listen(&[]).await?;
        let token = rig.fleet.token("batch", audience_of_other(&key.alg)).await;
        if let Err(error) = token {
            unusable.push(format!("{what}: the other algorithm: {error}"));
        }
        if replica.log().contains("panicked") {
            panics.push(what.clone());
        }
        check_tokens(&rig, &what, &mut wrong).await?;
        Row { rig: &rig, kid: &key.kid, column }.write(&before)?;
        if let Some(gate) = rig.fleet.home.gate() {
            gate.dismiss(&e2e::gate::Address::http(replica.url())?);
        }
        replica.kill().await?;
    }
    rig.fleet.stop_issuer().await?;
    rig.fleet.start_issuer().await?;
    Ok(vec![
        Figure::counted("rows damaged", rounds),
        Figure::none_of("tokens that services rejected", wrong),
        Figure::none_of("panics", panics),
        Figure::none_of("other keys that could not be used", unusable),
        Figure::swift("healthy with the rows restored", rig.healthy().await?, Duration::from_secs(5)),
    ])
}

fn audience_of_other(alg: &str) -> &'static str {
    if alg == "ES256" { e2e::LEDGER } else { e2e::ORDERS }
}

/// Whatever is issued now must be good everywhere.
async fn check_tokens(rig: &Rig, what: &str, wrong: &mut Vec<String>) -> anyhow::Result<()> {
    for (service, audience) in &rig.services {
        let Ok(token) = rig.fleet.token("batch", audience).await else { continue };
        let good = || async {
            let reply: Reply = service.get(&rig.fleet.http, "/whoami", &token).await.ok()?;
            (reply.status == 200).then_some(())
        };
        if until("a token is good", Duration::from_secs(3), good).await.is_err() {
            wrong.push(format!("{what}: a token was rejected"));
        }
    }
    Ok(())
}

/// One cell of the table of keys.
struct Row<'r> {
    rig: &'r Rig,
    kid: &'r str,
    column: &'r str,
}

impl Row<'_> {
    fn read(&self) -> anyhow::Result<Vec<u8>> {
        let sql =
            format!("SELECT encode({}, 'hex') FROM signing_key WHERE kid = '{}'", self.column, self.kid);
        let hex = self.rig.query(&sql)?;
        Ok((0..hex.len() / 2)
            .filter_map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok())
            .collect())
    }

    fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = hex.concat();
        let Self { rig, kid, column } = self;
        let sql = format!("UPDATE signing_key SET {column} = decode('{hex}', 'hex') WHERE kid = '{kid}'");
        // The issuer's own triggers stand against changes by hand: whoever damages a disk does not ask them.
        rig.query(&format!("SET session_replication_role = replica; {sql}")).map(drop)
    }
}

fn byte_columns(rig: &Rig) -> anyhow::Result<Vec<String>> {
    let sql = "SELECT column_name FROM information_schema.columns WHERE table_name = 'signing_key' AND data_type = 'bytea'";
    let found: BTreeSet<String> = rig.query(sql)?.lines().map(str::to_owned).collect();
    anyhow::ensure!(!found.is_empty(), "the table of keys has no columns of bytes");
    Ok(found.into_iter().collect())
}

fn flipped(bytes: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = random.usize(..bytes.len());
    bytes[at] ^= 1 << random.u8(..8);
    if random.u8(..4) == 0 {
        bytes.truncate(at);
    }
    bytes
}
