use std::{
    collections::HashSet,
    fmt::Write,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use e2e::{
    CodeFlow, IssuerHome, Person, Wire,
    account::moment,
    gate::Line,
    ready,
    refresh_history::{Call, Name, Outcome, RefreshHistory},
};
use tokio::time::{sleep, timeout};

use crate::{Run, figure::Figure, rig::Rig};

/// G.
const GRACE: Duration = Duration::from_secs(10);
/// Of so many answers one is lost.
const LOST: u32 = 10;
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(6);
/// Before a client asks again, and for how long it does.
const PAUSE: Duration = Duration::from_millis(20);
const PERSISTENCE: Duration = Duration::from_secs(30);
/// Before one of two looks what the other has got.
const SOON: Duration = Duration::from_secs(2);
/// How many present one token at once: more than are answered.
const CROWD: usize = 50;
const CLIENT: &str = "shop-spa";
const REDIRECT_URI: &str = "http://127.0.0.1:9/page";

/// F13, and of F13b what there is without a fail-over: one refresh token, two clients at once, again and again, while
/// answers are lost and replicas are killed.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let grace = format!("{}s", GRACE.as_secs());
    let mut rig = Rig::start(&run, &[("SIGN_IN_REFRESH_GRACE", grace.as_str())], 0).await?;
    let password = rig.fleet.home.add_person("ann", &[]).await?;
    let clients = Clients {
        url: rig.fleet.home.url().to_owned(),
        person: Person::new(),
        password,
        history: Arc::new(Mutex::new(RefreshHistory { grace: GRACE, first: Vec::new(), calls: Vec::new() })),
    };
    let history = Arc::clone(&clients.history);
    line(&rig.fleet.home, Line::Lossy(LOST))?;
    let (pairs, crowds) = run.either((1000, 5), (10_000, 50));
    let playing = tokio::spawn(clients.play(pairs, crowds));
    let (mut random, mut kills) = (run.random(), 0);
    while !playing.is_finished() {
        sleep(Duration::from_millis(random.u64(500..2500))).await;
        let victim = rig.fleet.issuers.remove(random.usize(..rig.fleet.issuers.len()));
        victim.kill(&rig.fleet.home).await?;
        kills += 1;
        let new = rig.fleet.add_replica(&[]).await?;
        ready(&new.process).await?;
    }
    let rounds = playing.await??;
    line(&rig.fleet.home, Line::Open)?;
    let history = history.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let live = "SELECT count(*) FROM (SELECT family FROM refresh_token WHERE used_at IS NULL GROUP BY family HAVING count(*) > 1) AS more";
    let forked = rig.query(live)?;
    let rows = rig.query("SELECT family || ' ' || encode(hash, 'hex') FROM refresh_token")?;
    let rows: Vec<(&str, &str)> = rows.lines().filter_map(|row| row.split_once(' ')).collect();
    // A sign-in whose answer was lost is begun anew: what it has stored is nobody's, and is used by nobody.
    let is_first = |hash: &str| history.first.iter().any(|first| first == hash);
    let begun: HashSet<&str> =
        rows.iter().filter(|(_, hash)| is_first(hash)).map(|(family, _)| *family).collect();
    let stored: HashSet<Name> = rows
        .iter()
        .filter(|(family, _)| begun.contains(family))
        .map(|(_, hash)| (*hash).to_owned())
        .collect();
    let mut forks = history.forks();
    forks.extend((forked != "0").then(|| format!("{forked} families with more than one unused token")));
    Ok(vec![
        Figure::at_least("rounds of two clients with one token", rounds, pairs),
        Figure::counted("tokens presented", history.calls.len()),
        Figure::at_least("answers lost", lost(&history), rounds / 10),
        Figure::at_least("replicas killed", kills, 3),
        Figure::counted("families", history.first.len()),
        Figure::none_of("families with more than one live child", forks),
        Figure::none_of("double uses", history.double_uses()),
        Figure::none_of("wrong log-outs", history.wrong_log_outs()),
        Figure::none_of("tokens lost, or stored for nobody", history.unaccounted(&stored)),
    ])
}

fn line(home: &IssuerHome, line: Line) -> anyhow::Result<()> {
    home.gate().context("replicas have a gate")?.set(line);
    Ok(())
}

fn lost(history: &RefreshHistory) -> usize {
    history.calls.iter().filter(|call| call.outcome == Outcome::Unanswered).count()
}

/// Those who hold the tokens of one person.
struct Clients {
    url: String,
    person: Person,
    password: String,
    history: Arc<Mutex<RefreshHistory>>,
}

/// A family by its number, and the token that its clients hold.
#[derive(Clone)]
struct Holding {
    family: usize,
    token: String,
}

impl Clients {
    /// So many rounds of two, and so many families that a crowd falls upon; answers the rounds that ended with a token.
    async fn play(mut self, pairs: usize, crowds: usize) -> anyhow::Result<usize> {
        let mut rounds = 0;
        let mut holding = self.begin().await?;
        while rounds < pairs {
            match self.refresh_by_two(&holding).await? {
                Some(token) => (holding.token, rounds) = (token, rounds + 1),
                // Too many answers were lost: the family has ended, and somebody signs in again.
                None => holding = self.begin().await?,
            }
        }
        for _ in 0..crowds {
            let holding = self.begin().await?;
            let crowd = (0..CROWD).map(|_| {
                let (history, url, holding) = (Arc::clone(&self.history), self.url.clone(), holding.clone());
                tokio::spawn(async move { present(&history, &url, &holding).await })
            });
            let mut child = None;
            for presented in crowd.collect::<Vec<_>>() {
                child = presented.await?.1.or(child);
            }
            // Whoever has got it goes on.
            if let Some(token) = child {
                self.refresh(&Holding { token, ..holding }).await?;
            }
        }
        Ok(rounds)
    }

    /// Two clients with one token, and one place where they keep it: who gets no answer soon finds the other's.
    async fn refresh_by_two(&self, holding: &Holding) -> anyhow::Result<Option<String>> {
        let (mut one, mut other) = (pin!(self.refresh(holding)), pin!(self.refresh(holding)));
        let (first, second) = tokio::select! {
            token = &mut one => (token?, timeout(SOON, other).await),
            token = &mut other => (token?, timeout(SOON, one).await),
        };
        Ok(match second {
            Ok(second) => first.and(second?),
            Err(_) => first,
        })
    }

    /// Signs in, and answers the first token of a new family. The pages are walked as often as answers are lost.
    async fn begin(&mut self) -> anyhow::Result<Holding> {
        let mut failure = None;
        for _ in 0..20 {
            match self.sign_in().await {
                Ok(token) => {
                    let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
                    history.first.push(name(&token));
                    return Ok(Holding { family: history.first.len(), token });
                }
                Err(error) => failure = Some(error),
            }
            sleep(PAUSE).await;
        }
        Err(failure.context("no attempt")?.context("nobody can sign in"))
    }

    async fn sign_in(&mut self) -> anyhow::Result<String> {
        let flow = CodeFlow::new(&self.url, CLIENT, REDIRECT_URI, "orders:read");
        let mut reply = self.person.get(&flow.url()).await?;
        reply = self.person.follow(reply, &self.url).await?;
        if reply.body.contains("name=\"password\"") {
            reply = self.person.sign_in(&reply, "ann", &self.password).await?;
        }
        // Others could pretend to be a client of this machine without a secret: a session alone is no consent.
        if reply.body.contains("id=\"scopes\"") {
            reply = self.person.consent(&reply, "allow").await?;
        }
        let code = flow.code(&reply)?;
        let tokens = flow.redeem(&e2e::client(), "", &code).await?;
        ensure!(tokens.status == 200, "{} {}", tokens.status, tokens.body);
        tokens.json()["refresh_token"].as_str().map(str::to_owned).context("a refresh token")
    }

    /// One client that asks until it is answered. It gets the next token, or has to have the person sign in again.
    async fn refresh(&self, holding: &Holding) -> anyhow::Result<Option<String>> {
        let asking = async {
            loop {
                match present(&self.history, &self.url, holding).await {
                    (Outcome::Refreshed(_), token) => return token,
                    (Outcome::Refused, _) => return None,
                    (Outcome::Unavailable | Outcome::Unanswered, _) => sleep(PAUSE).await,
                }
            }
        };
        timeout(PERSISTENCE, asking).await.context("a client was never answered")
    }
}

/// Presents a token once, over a connection of its own, and notes what came of it.
async fn present(history: &Mutex<RefreshHistory>, url: &str, holding: &Holding) -> (Outcome, Option<String>) {
    let invoked = moment();
    let reply = timeout(PATIENCE, ask(url, &holding.token)).await;
    let (status, body) = reply.ok().and_then(Result::ok).unwrap_or_default();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let token = body["refresh_token"].as_str().map(str::to_owned);
    let outcome = match (status, &token) {
        (200, Some(token)) => Outcome::Refreshed(name(token)),
        (400, _) => Outcome::Refused,
        (503, _) => Outcome::Unavailable,
        _ => Outcome::Unanswered,
    };
    let call = Call {
        family: holding.family,
        token: name(&holding.token),
        invoked,
        returned: moment(),
        outcome: outcome.clone(),
    };
    history.lock().unwrap_or_else(PoisonError::into_inner).calls.push(call);
    (outcome, token)
}

async fn ask(url: &str, token: &str) -> anyhow::Result<(u16, Vec<u8>)> {
    let form = format!("grant_type=refresh_token&client_id={CLIENT}&refresh_token={token}");
    let request = format!(
        "POST /oauth2/token HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{form}",
        form.len()
    );
    let mut wire = Wire::connect(url).await?;
    let status = wire.ask(request.as_bytes()).await?;
    Ok((status, wire.body().to_vec()))
}

/// What the database knows a token by.
fn name(token: &str) -> Name {
    digest(&SHA256, token.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
