//! Revoking what is no key.

use axum::{body::Body, extract::State, response::Response};
use claviger_jose::{Mark, Marked};
use claviger_oauth::{ClientId, Subject};
use claviger_store::{Act, Revoked};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use super::{
    body,
    desk::Desk,
    guard::Caller,
    problem::{Problem, done},
};
use crate::{
    actor::Actor,
    expiry::last_expiry,
    log_out::{self, OfPeople},
};

/// The longest name of a token or a session.
const MAX_NAME: usize = 256;

/// Exactly one of them; with a token, whose it is may be said as well.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Revoke {
    jti: Option<String>,
    sid: Option<String>,
    sub: Option<String>,
    client: Option<String>,
    all: bool,
}

/// Revokes a token, a session, or all tokens so far of a subject, of a client, or at all. A person's session ends with it, and
/// a person is signed out everywhere.
pub(super) async fn revoke(
    Caller(actor): Caller,
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked = body::read::<Revoke>(&headers, body).await?;
    let named = match (&asked.jti, &asked.sid, &asked.sub) {
        (None, Some(sid), None) => OfPeople::session(sid),
        (None, None, Some(sub)) => OfPeople::subject(sub),
        _ => None,
    };
    let (revoked, act) = asked.parse(&actor)?;
    let skew = desk.issuance.config.policy.lifetimes().skew;
    let until = last_expiry(desk.store.now().await?, skew);
    let sequence = log_out::revoke(&desk.store, revoked, named.as_ref(), until, &[act]).await?;
    desk.issuance.changed.notify_one();
    Ok(done(json!({ "sequence": sequence, "until": until })))
}

impl Revoke {
    fn parse(self, actor: &Actor) -> Result<(Revoked, Act), Problem> {
        let Self { jti, sid, sub, client, all } = self;
        match (jti, sid, sub, client, all) {
            (Some(jti), None, sub, None, false) => {
                let sub = sub.map(|sub| subject(&sub)).transpose()?;
                Ok(of(actor, "revoke.jti", mark(Marked::Jti, &jti)?, |jti| Revoked::Token { jti, sub }))
            }
            (None, Some(sid), None, None, false) => {
                Ok(of(actor, "revoke.sid", mark(Marked::Sid, &sid)?, Revoked::Session))
            }
            (None, None, Some(sub), None, false) => {
                Ok(of(actor, "revoke.sub", subject(&sub)?, Revoked::Subject))
            }
            (None, None, None, Some(client), false) => {
                let client: ClientId =
                    client.parse().map_err(|error| Problem::bad_request(format!("`client`: {error}")))?;
                let revoked = Revoked::Client(Mark::of(Marked::Client, client.as_str()));
                Ok((revoked, actor.act("revoke.client", client.as_str(), json!({}))))
            }
            (None, None, None, None, true) => Ok((Revoked::All, actor.act("revoke.all", "", json!({})))),
            _ => Err(Problem::bad_request(
                "say one of `jti`, `sid`, `sub`, `client` and `all`; `sub` may go with `jti`",
            )),
        }
    }
}

fn of(actor: &Actor, act: &str, mark: Mark, revoked: impl FnOnce(Mark) -> Revoked) -> (Revoked, Act) {
    let name = serde_json::to_value(mark).ok().and_then(|name| name.as_str().map(str::to_owned));
    (revoked(mark), actor.act(act, name.unwrap_or_default(), json!({})))
}

fn subject(sub: &str) -> Result<Mark, Problem> {
    let sub: Subject = sub.parse().map_err(|error| Problem::bad_request(format!("`sub`: {error}")))?;
    Ok(Mark::of(Marked::Sub, sub.as_str()))
}

fn mark(kind: Marked, name: &str) -> Result<Mark, Problem> {
    if (1..=MAX_NAME).contains(&name.len()) {
        Ok(Mark::of(kind, name))
    } else {
        Err(Problem::bad_request("a name has 1 to 256 bytes"))
    }
}
