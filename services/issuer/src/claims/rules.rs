use claviger_oauth::{ClaimPlace, ClaimRule, ClaimSource, ClientAttribute, ScopeSet};
use claviger_store::{Client, User};
use serde_json::Value;

use super::{Budget, standard_claim};

/// Whom claims are about.
pub(super) struct About<'a> {
    pub(super) user: &'a User,
    pub(super) client: &'a Client,
}

/// Adds what is declared for a place, in the order of the declaration. Who is not of the house learns of people only what
/// they were asked for; what a resource server is told, it has declared itself.
pub(super) fn apply(
    rules: &[ClaimRule],
    place: ClaimPlace,
    scope: &ScopeSet,
    about: &About<'_>,
    budget: &mut Budget,
) {
    let granted =
        |rule: &&ClaimRule| rule.scope.as_ref().is_none_or(|needed| scope.contains(needed.as_str()));
    let told_all = place == ClaimPlace::AccessToken || about.is_first_party();
    let allowed = |rule: &&ClaimRule| {
        told_all || rule.from.scope_of_person().is_none_or(|needed| scope.contains(needed))
    };
    for rule in rules.iter().filter(|rule| rule.is_for(place)).filter(granted).filter(allowed) {
        budget.add(rule.claim.as_str(), about.value(&rule.from));
    }
}

impl About<'_> {
    fn is_first_party(&self) -> bool {
        self.client.application.as_ref().is_some_and(|application| application.first_party)
    }

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
