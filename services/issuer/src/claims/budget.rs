use claviger_oauth::CLAIMS_BUDGET;
use serde_json::{Map, Value};

/// An answer is read by one client, not sent with every request.
const ANSWER_BUDGET: usize = 16 * 1024;

/// Claims, as many as fit. One that does not is left out as a whole, and the log says so: a claim that is cut says
/// something else, and without it somebody may less, never more.
#[derive(Debug)]
pub(super) struct Budget {
    claims: Map<String, Value>,
    left: usize,
}

impl Budget {
    /// What a token may say besides: more, and it does not fit into the header of a request.
    pub(super) fn of_a_token() -> Self {
        Self::of(CLAIMS_BUDGET)
    }

    /// What an answer may say.
    pub(super) fn of_an_answer() -> Self {
        Self::of(ANSWER_BUDGET)
    }

    fn of(bytes: usize) -> Self {
        // The braces.
        Self { claims: Map::new(), left: bytes - 2 }
    }

    /// Adds a claim that is there and that nobody has added before.
    pub(super) fn add(&mut self, name: &str, value: Option<Value>) {
        let Some(value) = value.filter(|_| !self.claims.contains_key(name)) else {
            return;
        };
        let bytes = r#""":,"#.len() + name.len() + value.to_string().len();
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                self.claims.insert(name.to_owned(), value);
            }
            None => {
                tracing::warn!(claim = name, bytes, left = self.left, "a claim does not fit and is left out");
            }
        }
    }

    pub(super) fn into_claims(self) -> Map<String, Value> {
        self.claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: usize) -> Value {
        "x".repeat(bytes).into()
    }

    #[test]
    fn claims_are_whole_or_not_there_and_stay_within_the_budget() {
        let mut budget = Budget::of_a_token();
        budget.add("a", Some(text(1000)));
        budget.add("b", Some(text(1100)));
        budget.add("c", Some(text(900)));
        budget.add("d", None);
        let claims = budget.into_claims();
        assert_eq!(claims.keys().collect::<Vec<_>>(), ["a", "c"]);
        assert!(Value::Object(claims).to_string().len() <= CLAIMS_BUDGET);
    }

    #[test]
    fn a_claim_that_fills_the_budget_fits() {
        let most = CLAIMS_BUDGET - r#"{"a":"",}"#.len();
        let claims = |bytes| {
            let mut budget = Budget::of_a_token();
            budget.add("a", Some(text(bytes)));
            budget.into_claims().len()
        };
        assert_eq!((claims(most), claims(most + 1)), (1, 0));
    }

    #[test]
    fn what_was_added_first_stays() {
        let mut budget = Budget::of_an_answer();
        budget.add("a", Some(1.into()));
        budget.add("a", Some(2.into()));
        assert_eq!(budget.into_claims()["a"], 1);
    }
}
