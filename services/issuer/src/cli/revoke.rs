use std::io::{IsTerminal, Read, stdin};

use anyhow::{Context, ensure};
use clap::Subcommand;
use claviger_jose::{MAX_TOKEN, Mark, Marked, base64url, json};
use claviger_store::{Act, Revoked, Store};
use serde::Deserialize;
use serde_json::json;

use super::{horizons::Horizons, keys, words::time};
use crate::{
    actor::Actor,
    config::Config,
    expiry::last_expiry,
    log_out::{self, OfPeople},
};

/// What is revoked dies at every verifier with the next statement of the revocation feed, although nobody calls the issuer
/// per request.
#[derive(Debug, Subcommand)]
pub(super) enum Revoke {
    /// A signing key: the same as `keys revoke`.
    Kid(keys::Revoke),
    #[command(flatten)]
    Tokens(Tokens),
}

#[derive(Debug, Subcommand)]
pub(super) enum Tokens {
    /// One token, by its `jti`.
    Jti {
        /// The token's identifier. It is no secret; the token itself is one: for that see `revoke token`.
        #[arg(allow_hyphen_values = true)]
        jti: String,
    },
    /// One token, read from standard input: a secret does not belong on a command line.
    ///
    /// The token is not verified. Only its `jti` and `sub` are taken from it, so a token that somebody has made up revokes
    /// nothing but what it names.
    Token,
    /// A session, by its `sid`: its tokens issued until now. A session of a person ends, with its refresh tokens.
    Sid {
        /// The session's identifier.
        #[arg(allow_hyphen_values = true)]
        sid: String,
    },
    /// A subject, by its `sub`: its tokens issued until now. It can get new ones; a person is signed out everywhere, and has
    /// to sign in for them.
    Subject {
        /// The subject, as tokens name it.
        #[arg(allow_hyphen_values = true)]
        sub: String,
    },
    /// A client, by its `client_id`: its tokens issued until now. It can get new ones, unless its fleet file says
    /// `disabled = true`.
    Client {
        /// The client.
        client_id: String,
    },
    /// Every token issued until now. The keys stay: if one of them was stolen, see `keys revoke --all`.
    All {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

impl Revoke {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        match self {
            Self::Kid(key) => keys::Keys::Revoke(key).run(config).await,
            Self::Tokens(tokens) => tokens.run(config).await,
        }
    }
}

impl Tokens {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        let store = super::store(config).await?;
        let named = match &self {
            Self::Sid { sid } => OfPeople::session(sid),
            Self::Subject { sub } => OfPeople::subject(sub),
            _ => None,
        };
        let (revoked, act, subject) = self.asked(&store).await?;
        let horizons = Horizons::of(config);
        let until = last_expiry(store.now().await?, config.policy.lifetimes().skew);
        let detail = json!({ "until": until });
        let acts: [Act; 1] = [Actor::operator().act(act, subject.clone(), detail)];
        let sequence = log_out::revoke(&store, revoked, named.as_ref(), until, &acts).await?;
        println!("revoked {subject} until {}: statement {sequence} of the feed", time(until));
        println!("{}", horizons.of_tokens());
        Ok(())
    }

    /// What to revoke, as the store, the audit log and its reader call it.
    async fn asked(self, store: &Store) -> anyhow::Result<(Revoked, &'static str, String)> {
        Ok(match self {
            Self::Jti { jti } => {
                let jti = mark(Marked::Jti, &jti)?;
                (Revoked::Token { jti, sub: None }, "revoke.jti", name(jti))
            }
            Self::Token => {
                ensure!(!stdin().is_terminal(), "pipe the token in: `claviger revoke token < FILE`");
                let mut text = String::new();
                let read = stdin().take(MAX_TOKEN as u64 + 2).read_to_string(&mut text);
                read.context("standard input holds no token")?;
                let Named { jti, sub } = named(text.trim())?;
                println!("the token was not verified; only its jti and sub were taken from it");
                let (jti, sub) = (mark(Marked::Jti, &jti)?, sub.map(|sub| Mark::of(Marked::Sub, &sub)));
                (Revoked::Token { jti, sub }, "revoke.jti", name(jti))
            }
            Self::Sid { sid } => {
                let sid = mark(Marked::Sid, &sid)?;
                (Revoked::Session(sid), "revoke.sid", name(sid))
            }
            Self::Subject { sub } => {
                let sub = mark(Marked::Sub, &sub)?;
                (Revoked::Subject(sub), "revoke.sub", name(sub))
            }
            Self::Client { client_id } => {
                let client = mark(Marked::Client, &client_id)?;
                let registry = store.load_registry().await?.registry;
                if !registry.clients.iter().any(|client| client.client_id.as_str() == client_id) {
                    println!(
                        "there is no client {client_id} now; tokens that it ever got are revoked all the same"
                    );
                }
                (Revoked::Client(client), "revoke.client", client_id)
            }
            Self::All { yes } => {
                super::ensure_meant("revoke every token", yes)?;
                (Revoked::All, "revoke.all", "all tokens".to_owned())
            }
        })
    }
}

fn mark(kind: Marked, text: &str) -> anyhow::Result<Mark> {
    ensure!(!text.is_empty(), "an empty name revokes nothing: give the one that tokens have");
    Ok(Mark::of(kind, text))
}

/// As the feed has it: the audit log does not tell who was logged out.
fn name(mark: Mark) -> String {
    json!(mark).as_str().unwrap_or_default().to_owned()
}

/// What a token names, by its own words.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Named {
    jti: String,
    sub: Option<String>,
}

fn named(token: &str) -> anyhow::Result<Named> {
    let payload = token.split('.').nth(1).filter(|_| token.split('.').count() == 3);
    let payload = payload.context("that is no token: three parts between dots are expected")?;
    let bytes = base64url::decode(payload).ok().context("the token's payload is not base64url")?;
    let text = std::str::from_utf8(&bytes).ok().context("the token's payload is not text")?;
    json::from_str(text).ok().context("the token has no jti: revoke its subject or its client instead")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("e30.{}.AA", base64url::encode(payload.as_bytes()))
    }

    #[test]
    fn a_token_is_revoked_by_what_it_names() {
        let both = Named { jti: "1".to_owned(), sub: Some("client:a".to_owned()) };
        assert_eq!(named(&token(r#"{"jti":"1","sub":"client:a","exp":3}"#)).unwrap(), both);
        assert_eq!(named(&token(r#"{"jti":"1"}"#)).unwrap().sub, None);
        for bad in ["", "a.b", "e30.!.AA", &token("{}"), &token("[]"), &token(r#"{"jti":1}"#)] {
            assert!(named(bad).is_err(), "{bad}");
        }
    }
}
