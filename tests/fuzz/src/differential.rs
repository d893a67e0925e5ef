//! Tokens with accidents, shown to us and to two other implementations: jsonwebtoken, and jwt-simple, which
//! shares neither JSON shapes nor cryptography with us.
//!
//! We never accept what both refuse, but for the cases of `Laxer`. What one of them accepts and we refuse
//! has a reason of the closed set `Stricter`, proven on the token itself: our own word for it is not enough.
//! Anything else is a finding.

mod case;
mod peers;
mod reasons;

use arbitrary::{Arbitrary, Unstructured};
use claviger_jose::{Verified, base64url};
use claviger_testkit::TestKey;
use serde_json::Value;

use self::{
    case::Case,
    peers::Peers,
    reasons::{Laxer, Stricter},
};
use crate::signed::{Object, rules, verify};

/// Makes a token of the bytes and asks everyone.
///
/// # Panics
/// If we accept what both others refuse, if one of them accepts what we refuse without a listed reason, or
/// if we read other claims than they do.
pub fn run(data: &[u8]) {
    let Ok(case) = Case::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    match case {
        Case::Text(token) => {
            judge(TestKey::es256(), false, token);
            judge(TestKey::rs256(), true, token);
        }
        Case::Parts(parts) => {
            if let Ok(token) = String::from_utf8(parts.token()) {
                judge(parts.key(), parts.foreign, &token);
            }
        }
    }
}

/// What was made of a token by all.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Accepted,
    /// With the reasons of the two others.
    AcceptedByUsAlone([Laxer; 2]),
    Refused,
    RefusedByUsAlone(Stricter),
}

/// Whether one of the others accepts decides both questions, so the slower one is asked only if the faster
/// refuses.
fn judge(key: &TestKey, foreign: bool, token: &str) -> Judgement {
    let peers = Peers::of(key);
    let first = peers.jsonwebtoken(token);
    let theirs = first.as_ref().map(drop).or_else(|first| {
        peers.jwt_simple(token).map_err(|second| format!("jsonwebtoken: {first}; jwt-simple: {second}"))
    });
    let ours =
        verify(key, &rules(foreign), token).and_then(|payload| payload.read().map(Verified::into_inner));
    match (ours, theirs) {
        (Ok(Object(ours)), Ok(())) => {
            if let Ok(first) = first {
                assert_eq!(Value::Object(ours), first, "one token, two readings: {}", shown(token));
            }
            Judgement::Accepted
        }
        (Ok(_), Err(theirs)) => Judgement::AcceptedByUsAlone(Laxer::of(token).unwrap_or_else(|| {
            panic!("we accept what both refuse ({theirs}): {}", shown(token));
        })),
        (Err(ours), Ok(())) => {
            Judgement::RefusedByUsAlone(Stricter::of(key, token, ours).unwrap_or_else(|| {
                let who = if first.is_ok() { "jsonwebtoken" } else { "jwt-simple" };
                panic!("we refuse ({ours}) what {who} accepts, without a listed reason: {}", shown(token));
            }))
        }
        (Err(_), Err(_)) => Judgement::Refused,
    }
}

/// A token of the embedded, public keys, with its parts in the clear.
fn shown(token: &str) -> String {
    let clear = |part: &str| {
        base64url::decode(part)
            .map_or_else(|_| format!("{part:?}"), |bytes| format!("{:?}", String::from_utf8_lossy(&bytes)))
    };
    format!("{token:?} = {}", token.split('.').map(clear).collect::<Vec<_>>().join(" . "))
}

#[cfg(test)]
mod tests;
