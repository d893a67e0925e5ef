use std::{future::Future, pin::Pin};

use anyhow::bail;

use crate::{
    Run, clocks, corruption, crash, database_down, disk_full, emergency, figure::Figure, issuer_down,
    operators, partition, refresh, replica_cut, restart, rotation, storm, wait, wrong_key,
};

type Outcome = Pin<Box<dyn Future<Output = anyhow::Result<Vec<Figure>>>>>;

/// One thing that goes wrong.
pub(crate) struct Scenario {
    /// As the fault plan calls it.
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    play: fn(Run) -> Outcome,
}

impl Scenario {
    /// Plays it and answers its figures.
    pub(crate) async fn run(&self, run: &Run) -> anyhow::Result<Vec<Figure>> {
        println!("{}: {}", self.name, self.what);
        (self.play)(run.clone()).await
    }
}

/// All of them, in the order of the fault plan.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "F1",
        what: "kill -9 in a rotation, at each of its steps",
        play: |run| Box::pin(crash::play(run)),
    },
    Scenario {
        name: "F2",
        what: "the database is down, under load",
        play: |run| Box::pin(database_down::play(run)),
    },
    Scenario {
        name: "F3",
        what: "the issuer is down, and services restart",
        play: |run| Box::pin(issuer_down::play(run)),
    },
    Scenario {
        name: "F4",
        what: "a key is revoked while some services are cut off",
        play: |run| Box::pin(partition::play(run)),
    },
    Scenario {
        name: "F5",
        what: "a replica is cut off from the database while keys change",
        play: |run| Box::pin(replica_cut::play(run)),
    },
    Scenario {
        name: "F6",
        what: "clocks step by five minutes, at a replica and at a service",
        play: |run| Box::pin(clocks::play(run)),
    },
    Scenario { name: "F8", what: "the disk is full", play: |run| Box::pin(disk_full::play(run)) },
    Scenario { name: "F9", what: "rows of keys are damaged", play: |run| Box::pin(corruption::play(run)) },
    Scenario {
        name: "F10",
        what: "a replica with another key-encryption key",
        play: |run| Box::pin(wrong_key::play(run)),
    },
    Scenario {
        name: "F11",
        what: "operators rotate at the same time",
        play: |run| Box::pin(operators::play(run)),
    },
    Scenario { name: "F12", what: "keys rotate under load", play: |run| Box::pin(rotation::play(run)) },
    Scenario {
        name: "F12b",
        what: "a key is stolen, under load",
        play: |run| Box::pin(emergency::play(run)),
    },
    Scenario {
        name: "F13",
        what: "two clients use one refresh token, answers are lost and replicas are killed",
        play: |run| Box::pin(refresh::play(run)),
    },
    Scenario {
        name: "F18",
        what: "replicas are restarted one after the other, under load",
        play: |run| Box::pin(restart::play(run)),
    },
    Scenario {
        name: "F20",
        what: "a thousand guesses at one account, and two thousand people who log in at once",
        play: |run| Box::pin(storm::play(run)),
    },
    Scenario {
        name: "wait",
        what: "a rotation waits for fifty services, and for one that is frozen",
        play: |run| Box::pin(wait::play(run)),
    },
];

/// The scenarios of these names, or all; a name may be of another case.
pub(crate) fn choose(names: &[String]) -> anyhow::Result<Vec<&'static str>> {
    let all = || SCENARIOS.iter().map(|scenario| scenario.name);
    if names.is_empty() {
        return Ok(all().collect());
    }
    let chosen = names.iter().map(|name| {
        let Some(known) = all().find(|known| known.eq_ignore_ascii_case(name)) else {
            let known = SCENARIOS.iter().map(|known| format!("{}: {}", known.name, known.what));
            bail!("there is no scenario {name}; there are\n{}", known.collect::<Vec<_>>().join("\n"));
        };
        Ok(known)
    });
    chosen.collect()
}
