//! From the bytes of an answer to what they revoke. What takes long happens on no async worker, and under no lock.

use std::sync::Arc;

use claviger_jose::{HeaderRules, JwsError, Kid, Revocations, Typ, UnverifiedJws, VerifyingKey};
use tokio::task::spawn_blocking;

use super::{News, Reader, RevocationList, SignedFor, Signer, StatementFault, poll::Fault, state::Latest};
use crate::{FetchError, fetch::Failed, shared::Shared};

/// Up to so many bytes of a statement and entries of the list all of it takes less than a millisecond.
const SMALL: (usize, usize) = (16 * 1024, 1000);

/// A statement that is taken, as soon as the list is put in the place of the held one: nobody else changes that.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) list: RevocationList,
    pub(super) news: News,
    pub(super) latest: Latest,
    pub(super) signer: Kid,
}

/// Reads a statement that a key of the issuer has signed.
pub(super) async fn read(shared: &Shared, body: Vec<u8>) -> Result<Taken, Fault> {
    let kid = {
        let jws = parse(&body)?;
        // Before the key is looked for, which may cost a fetch.
        jws.check(&HeaderRules::of(Typ::Revocations)).map_err(fault_of)?;
        *jws.kid()
    };
    let key = signing_key(shared, &kid).await?;
    let list = Arc::clone(&shared.state().feed.list);
    let held = shared.held.load_full();
    let (issuer, now) = (Arc::clone(&shared.issuer), shared.clock.now());
    let is_small = body.len() <= SMALL.0 && list.entries() <= SMALL.1;
    let take = move || {
        let statement = key.verify::<Revocations>(&parse(&body)?).map_err(fault_of)?.into_inner();
        let keys: Vec<Kid> = held.iter().flat_map(|held| held.keys.iter()).map(|key| *key.kid()).collect();
        let signer = Signer { kid, sign_until: key.sign_until() };
        let mut list = RevocationList::clone(&list);
        let news = list.take(&statement, &signer, &Reader { issuer: &issuer, keys: &keys, now })?;
        let Revocations { iat, exp, jwks, .. } = statement;
        Ok(Taken { list, news, latest: Latest { times: SignedFor { iat, exp }, jwks }, signer: kid })
    };
    let taken: Result<Taken, StatementFault> = if is_small {
        take()
    } else {
        spawn_blocking(take).await.map_err(|_| Failed::from(FetchError::Interrupted))?
    };
    taken.map_err(Fault::Statement)
}

fn parse(body: &[u8]) -> Result<UnverifiedJws<'_>, StatementFault> {
    let text = str::from_utf8(body).map_err(|_| StatementFault::Malformed)?;
    UnverifiedJws::parse_statement(text).map_err(fault_of)
}

/// A key of the held set, or of the next one: an unknown signer is a reason to fetch it, as an unknown kid of a token.
async fn signing_key(shared: &Shared, kid: &Kid) -> Result<Arc<VerifyingKey>, StatementFault> {
    if shared.state().is_dead(kid) {
        return Err(StatementFault::DeadSigner);
    }
    match shared.peek(kid) {
        Some(key) => Ok(key),
        None => shared.seek(kid).await.map_err(|_| StatementFault::UnknownSigner),
    }
}

fn fault_of(error: JwsError) -> StatementFault {
    match error {
        JwsError::Typ => StatementFault::OtherKind,
        JwsError::Signature => StatementFault::Signature,
        _ => StatementFault::Malformed,
    }
}
