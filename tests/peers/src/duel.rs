use claviger_jose::Algorithm;
use claviger_testkit::TestKey;

use crate::{
    contestants::{
        Check, Contestant, huskarl, josekit, jsonwebtoken, jwt_authorizer, ours, signature, tower_layer,
    },
    count::Counted,
    plan::Plan,
    row::{Goal, Row},
    stage::Stage,
    turns::take_turns,
};

/// Two contestants with the same tokens.
pub(crate) struct Duel {
    pub(crate) name: String,
    pub(crate) key: &'static TestKey,
    pub(crate) goals: Vec<Goal>,
    pub(crate) ours: Check,
    /// Or why it cannot compete here.
    pub(crate) peer: Result<Check, &'static str>,
}

impl Duel {
    fn new(key: &'static TestKey, how: &str, ours: Check, peer: Contestant) -> Self {
        let name = format!("{} {how}: {}", name_of(key.alg()), peer.name);
        Self { name, key, goals: Vec::new(), ours, peer: peer.check }
    }

    fn with_goals(self, goals: impl Into<Vec<Goal>>) -> Self {
        Self { goals: goals.into(), ..self }
    }

    pub(crate) fn measure(self, plan: &Plan, stage: &Stage, counted: &Counted) -> anyhow::Result<Row> {
        let Self { name, key, goals, mut ours, peer } = self;
        let measured = match peer {
            Err(reason) => Err(reason),
            Ok(mut peer) => {
                let tokens = stage.tokens(key)?;
                let runs = plan.runs(&name).map(|_| take_turns(&mut ours, &mut peer, &tokens));
                Ok(runs.collect::<anyhow::Result<_>>()?)
            }
        };
        Ok(Row { allocations: counted.get(&name).cloned(), name, goals, measured })
    }
}

/// The rows, but for the look-up of keys.
pub(crate) async fn all(stage: &Stage) -> anyhow::Result<Vec<Duel>> {
    let mut duels = Vec::new();
    for (key, of_the_signature, of_the_cache) in
        [(TestKey::rs256(), 0.92, 30.0), (TestKey::es256(), 0.95, 80.0)]
    {
        let token = |peer| Duel::new(key, "verify", ours::verify(stage), peer);
        duels.extend([
            token(signature::verify(key)?)
                .with_goals([Goal::Ratio(of_the_signature), Goal::Allocations(7.0)]),
            token(jsonwebtoken::verify(stage)?),
            token(jwt_authorizer::verify(stage).await?),
            token(josekit::verify(stage)?),
        ]);
        let again = Contestant::new("every time again", ours::verify(stage));
        let cached = Duel::new(key, "verify, remembered", ours::remember(stage)?, again);
        duels.push(cached.with_goals([Goal::Ratio(of_the_cache)]));
        let request = |peer| Duel::new(key, "verify a request", ours::authenticate(stage), peer);
        duels.extend([request(huskarl::verify(stage).await?), request(tower_layer::verify(stage).await?)]);
        let axum = |peer| Duel::new(key, "through axum", ours::route(stage), peer);
        duels.extend([
            axum(ours::open_route()),
            axum(jsonwebtoken::route(stage)?),
            axum(jwt_authorizer::route(stage).await?),
            axum(josekit::route(stage)?),
            axum(huskarl::route(stage).await?),
            axum(tower_layer::route(stage).await?),
        ]);
    }
    Ok(duels)
}

/// Everybody who decides about a whole token, ours first.
pub(crate) async fn judges(stage: &Stage) -> anyhow::Result<Vec<Contestant>> {
    Ok(vec![
        Contestant::new("claviger-verifier", ours::verify(stage)),
        jsonwebtoken::verify(stage)?,
        jwt_authorizer::verify(stage).await?,
        josekit::verify(stage)?,
        huskarl::verify(stage).await?,
        tower_layer::verify(stage).await?,
    ])
}

fn name_of(alg: Algorithm) -> &'static str {
    match alg {
        Algorithm::Rs256 => "RS256",
        Algorithm::Es256 => "ES256",
    }
}
