use claviger_oauth::{ClaimPlace, ClaimRule, ClaimSource, ClientAttribute, ScopeSet};
use claviger_store::{Client, User};
use serde_json::Value;

use super::{Budget, standard_claim};

/// Whom claims are about.
pub(super) struct About<'a> {
    pub(super) user: &'a User,
    pub(super) client: &'a Client,
}

/// Adds what is declared for a place, in the order of the declaration.
pub(super) fn apply(
    rules: &[ClaimRule],
    place: ClaimPlace,
    scope: &ScopeSet,
    about: &About<'_>,
    budget: &mut Budget,
) {
    let granted =
        |rule: &&ClaimRule| rule.scope.as_ref().is_none_or(|needed| scope.contains(needed.as_str()));
    for rule in rules.iter().filter(|rule| rule.is_for(place)).filter(granted) {
        budget.add(rule.claim.as_str(), about.value(&rule.from));
    }
}

impl About<'_> {
    fn value(&self, source: &ClaimSource) -> Option<Value> {
        match source {
            ClaimSource::User(claim) => standard_claim(self.user, claim),
            ClaimSource::Client(attribute) => self.attribute(*attribute),
            ClaimSource::Roles => standard_claim(self.user, "roles"),
            ClaimSource::Groups => standard_claim(self.user, "groups"),
            ClaimSource::Constant(value) => Some(value.clone()),
        }
    }

    fn attribute(&self, attribute: ClientAttribute) -> Option<Value> {
        let application = self.client.application.as_ref();
        match attribute {
            ClientAttribute::ClientId => Some(self.client.client_id.as_str().into()),
            ClientAttribute::Team => Some(self.client.team.as_str().into()),
            ClientAttribute::Name => application?.name.as_deref().map(Value::from),
        }
    }
}
