//! What becomes of presented refresh tokens, in memory: read from the database once, decided one after the other, and
//! written back as a whole.

mod standing;

use std::{collections::HashMap, time::Duration};

use claviger_jose::NumericDate;
use claviger_oauth::{
    Authorization, ClientId, Family, PresentedRefresh, RefreshPolicy, Sid, UsedRefresh, UserId, Verdict,
};
use serde_json::json;

use crate::{
    Act, NextToken, RefreshAttempt, RefreshOutcome, Refreshed, RefusedRefresh, StoreError, User, store::secs,
};

pub use standing::RefreshStanding;

pub(crate) type Hash = [u8; 32];

/// The presented tokens that there are, with all that they depend on.
#[derive(Debug)]
pub(crate) struct Book {
    now: NumericDate,
    tokens: HashMap<Hash, Token>,
    families: HashMap<String, Kin>,
    changes: Changes,
}

#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) family: String,
    pub(crate) state: PresentedRefresh,
    pub(crate) child: Option<(Hash, [u8; 16])>,
}

/// A family, its person and its session.
#[derive(Debug)]
pub(crate) struct Kin {
    pub(crate) client_id: ClientId,
    pub(crate) jkt: Option<String>,
    pub(crate) ended: bool,
    pub(crate) expires_at: NumericDate,
    /// Whether the session was ended, which ends its families too.
    pub(crate) session_ended: bool,
    /// Whether the person has consented to all of it.
    pub(crate) consented: bool,
    pub(crate) authorization: Authorization,
    pub(crate) user: User,
    pub(crate) sid: Sid,
}

/// What is to be written, all of it or nothing.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) used: Vec<Use>,
    pub(crate) retried: Vec<Hash>,
    pub(crate) prolonged: Vec<(Hash, i64)>,
    pub(crate) ended: Vec<End>,
}

/// A token is used, and its child comes into being.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) token: Hash,
    pub(crate) family: String,
    pub(crate) at: i64,
    pub(crate) child: Hash,
    pub(crate) nonce: [u8; 16],
    pub(crate) idle_until: i64,
}

#[derive(Debug)]
pub(crate) struct End {
    pub(crate) family: String,
    pub(crate) sid: Sid,
    pub(crate) account: UserId,
    pub(crate) until: i64,
    pub(crate) act: Act,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { used, retried, prolonged, ended } = self;
        used.is_empty() && retried.is_empty() && prolonged.is_empty() && ended.is_empty()
    }

    pub(crate) fn ends_families(&self) -> bool {
        !self.ended.is_empty()
    }
}

impl Kin {
    /// Why this client must not present a token of the family at all, if so.
    fn is_bound_to(&self, presented: &RefreshAttempt) -> Option<RefusedRefresh> {
        if presented.client_id != self.client_id {
            Some(RefusedRefresh::OtherClient)
        } else if presented.jkt != self.jkt {
            Some(RefusedRefresh::OtherKey)
        } else {
            None
        }
    }

    /// What is no longer as it was when the family began, if anything.
    fn fell(&self, needs_consent: bool) -> Option<RefusedRefresh> {
        let User { disabled, not_before, password_changed_at, .. } = &self.user;
        let auth_time = self.authorization.auth_time;
        if *disabled {
            Some(RefusedRefresh::Disabled)
        } else if auth_time < *not_before || password_changed_at.is_some_and(|changed| auth_time < changed) {
            Some(RefusedRefresh::SignedOut)
        } else if self.session_ended {
            Some(RefusedRefresh::SessionEnded)
        } else if needs_consent && !self.consented {
            Some(RefusedRefresh::NoConsent)
        } else {
            None
        }
    }
}

impl Book {
    pub(crate) fn new(now: NumericDate) -> Self {
        Self { now, tokens: HashMap::new(), families: HashMap::new(), changes: Changes::default() }
    }

    pub(crate) fn enter(&mut self, hash: Hash, token: Token, kin: Kin) {
        self.families.entry(token.family.clone()).or_insert(kin);
        self.tokens.insert(hash, token);
    }

    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// What becomes of one of them, after what became of those before it.
    pub(crate) fn decide(&mut self, presented: &RefreshAttempt) -> Result<RefreshOutcome, StoreError> {
        let Some(token) = self.tokens.get(&presented.token) else { return Ok(RefreshOutcome::Unknown) };
        let damaged = || StoreError::Corrupt("a refresh token without its family or child".to_owned());
        let kin = self.families.get(&token.family).ok_or_else(damaged)?;
        if let Some(refusal) = kin.is_bound_to(presented) {
            return Ok(RefreshOutcome::Refused(refusal));
        }
        let verdict = self.verdict(token, kin, presented);
        let next = match verdict {
            Verdict::Refuse(refusal) => return Ok(RefreshOutcome::Refused(refusal.into())),
            Verdict::Reuse => return Ok(self.end(presented)),
            Verdict::Same => NextToken::Same,
            Verdict::Retry => NextToken::Child(token.child.ok_or_else(damaged)?.1),
            Verdict::Rotate => NextToken::Child(presented.child.nonce),
        };
        if let Some(refusal) = kin.fell(presented.needs_consent) {
            return Ok(RefreshOutcome::Refused(refusal));
        }
        // Before anything is used up: who asks for too much may ask again for less.
        if kin.authorization.scope.narrow(presented.scope.as_ref()).is_err() {
            return Ok(RefreshOutcome::WiderScope);
        }
        let audience = kin.authorization.audience(&presented.resource);
        if !audience.is_ok_and(|audience| presented.targets.contains(audience)) {
            return Ok(RefreshOutcome::OtherTarget);
        }
        let refreshed = Refreshed {
            authorization: kin.authorization.clone(),
            user: kin.user.clone(),
            sid: kin.sid.clone(),
            next,
        };
        match verdict {
            Verdict::Rotate => self.rotate(presented),
            Verdict::Retry => self.retry(presented),
            _ => self.prolong(presented),
        }
        Ok(RefreshOutcome::Refreshed(Box::new(refreshed)))
    }

    fn verdict(&self, token: &Token, kin: &Kin, presented: &RefreshAttempt) -> Verdict {
        let family = Family {
            ended: kin.ended,
            expires_at: kin.expires_at,
            policy: presented.policy,
            idle: presented.terms.idle,
        };
        // The child may be among the presented ones itself.
        let child = token.child.and_then(|(child, _)| self.tokens.get(&child));
        let mut state = token.state;
        if let Some(used) = &mut state.used {
            used.child_used |= child.is_some_and(|child| child.state.used.is_some());
        }
        family.present(&state, self.now, presented.terms.grace)
    }

    fn rotate(&mut self, presented: &RefreshAttempt) {
        let now = self.now;
        let Some(token) = self.tokens.get_mut(&presented.token) else { return };
        let Some(kin) = self.families.get(&token.family) else { return };
        let idle_until = (now + presented.terms.idle).min(kin.expires_at);
        let child = presented.child;
        token.child = Some((child.hash, child.nonce));
        token.state.used = Some(UsedRefresh { at: now, child_used: false, retries: 0 });
        self.changes.used.push(Use {
            token: presented.token,
            family: token.family.clone(),
            at: secs(now),
            child: child.hash,
            nonce: child.nonce,
            idle_until: secs(idle_until),
        });
    }

    fn retry(&mut self, presented: &RefreshAttempt) {
        if let Some(used) = self.tokens.get_mut(&presented.token).and_then(|token| token.state.used.as_mut())
        {
            used.retries += 1;
            self.changes.retried.push(presented.token);
        }
    }

    /// A token that is used again and again must not die of idleness; one write in a tenth of its idle time will do.
    fn prolong(&mut self, presented: &RefreshAttempt) {
        let now = self.now;
        let Some(token) = self.tokens.get_mut(&presented.token) else { return };
        let Some(kin) = self.families.get(&token.family) else { return };
        let idle_until = (now + presented.terms.idle).min(kin.expires_at);
        let gain = idle_until.since(token.state.idle_until);
        if presented.policy == RefreshPolicy::Never
            && gain > presented.terms.idle / 10
            && gain > Duration::ZERO
        {
            token.state.idle_until = idle_until;
            self.changes.prolonged.push((presented.token, secs(idle_until)));
        }
    }

    fn end(&mut self, presented: &RefreshAttempt) -> RefreshOutcome {
        let Some(token) = self.tokens.get(&presented.token) else { return RefreshOutcome::Unknown };
        let Some(kin) = self.families.get_mut(&token.family) else { return RefreshOutcome::Unknown };
        kin.ended = true;
        let client = &presented.client_id;
        let act = Act {
            actor: format!("client:{client}"),
            origin: presented.origin.clone(),
            act: "refresh.reuse".to_owned(),
            subject: kin.sid.to_string(),
            detail: json!({ "account": kin.user.id.as_str(), "family": token.family }),
            request_id: presented.request_id.clone(),
        };
        self.changes.ended.push(End {
            family: token.family.clone(),
            sid: kin.sid.clone(),
            account: kin.user.id.clone(),
            until: secs(presented.terms.until),
            act,
        });
        RefreshOutcome::Reused { sid: kin.sid.clone(), told: true }
    }
}
