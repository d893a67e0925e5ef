//! The world of one run: the database, three replicas, the verifiers, and what happens to them.

use claviger_jose::{Algorithm, NumericDate};
use claviger_keyring::{FleetView, Serving, Witness};

use claviger_verifier::simulation::Acceptance;

use crate::{
    acceptance::leeway,
    agenda::{Agenda, Event},
    chance::Chance,
    database::{Database, KeyNo, Version},
    figures::Figures,
    judge::{Breach, Journal},
    replica::Replica,
    scenario::Scenario,
    time::{HOUR, Millis, SECOND, date, millis, moment},
    verifier::Verifier,
};

/// How many processes the issuer has.
const REPLICAS: u64 = 3;

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Millis,
    pub(crate) scenario: Scenario,
    pub(crate) chance: Chance,
    pub(crate) agenda: Agenda,
    pub(crate) database: Database,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) verifiers: Vec<Verifier>,
    /// The keys whose tokens may be alive.
    pub(crate) living: Vec<KeyNo>,
    pub(crate) next_tick: Millis,
    /// Nobody reaches the issuer.
    pub(crate) is_out: bool,
    /// Every poll is simulated.
    pub(crate) is_window: bool,
    /// Since when some replica is ready without a break of more than a lease.
    pub(crate) served_since: Millis,
    /// When one was that is ready no more.
    was_ready: Millis,
    /// When a replica was last cut off while others went on.
    pub(crate) last_replica_cut: Option<Millis>,
    pub(crate) acceptance: Acceptance,
    pub(crate) figures: Figures,
    pub(crate) journal: Journal,
}

impl World {
    pub(crate) fn new(scenario: Scenario) -> Self {
        let mut chance = Chance::seeded(scenario.seed);
        let lifetimes = *scenario.policy.lifetimes();
        let mut replica = |_| {
            let mut replica = Replica::new(chance.between(0, SECOND - 1), lifetimes.lease);
            replica.clock = chance.within(millis(lifetimes.skew) / 2);
            replica
        };
        let replicas = (0..REPLICAS).map(&mut replica).collect();
        let verifiers =
            (0..scenario.verifiers).map(|number| Verifier::new(number, &scenario, &mut chance)).collect();
        let mut world = Self {
            now: HOUR,
            agenda: Agenda::default(),
            database: Database::new(scenario.policy),
            replicas,
            verifiers,
            living: Vec::new(),
            next_tick: 0,
            is_out: false,
            is_window: false,
            served_since: 0,
            was_ready: 0,
            last_replica_cut: None,
            acceptance: Acceptance::new(leeway(lifetimes.skew)),
            figures: Figures::default(),
            journal: Journal::default(),
            scenario,
            chance,
        };
        world.begin();
        world
    }

    /// Runs to the end, or to the first breach of an invariant.
    pub(crate) fn run(mut self) -> (Figures, Journal, Option<Breach>) {
        while self.journal.breach.is_none()
            && let Some((at, event)) = self.agenda.next()
            && at < self.scenario.length
        {
            self.now = at;
            self.figures.events += 1;
            self.take(event);
        }
        if self.journal.breach.is_none() {
            self.close();
        }
        let breach = self.journal.breach.take();
        (self.figures, self.journal, breach)
    }

    fn begin(&mut self) {
        let steps = self.database.keyring.plan(&self.scenario.policy, &FleetView::default(), self.date());
        self.database.take(&steps, self.now, false).expect("a first plan can be taken");
        self.plan_tick();
        let start = self.now;
        for verifier in 0..self.verifiers.len() {
            // All of them are there from the start, with a set each of a moment ago.
            let at = start + 5 * SECOND + self.chance.between(0, 300 * SECOND);
            self.schedule_poll(verifier, at);
        }
        for replica in 0..self.replicas.len() {
            let next = self.replicas[replica].next_look(start);
            self.agenda.put(next, Event::Look(index(replica)));
        }
        self.plan_faults(start + HOUR);
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Look(replica) => self.look(usize::from(replica)),
            Event::Tick => self.tick(),
            Event::Operate => self.operate(),
            Event::Rotate { alg, wait, again } => self.rotate(usize::from(alg), wait, again),
            Event::Revoke(number) => self.revoke(number),
            Event::ReplicaCut(replica) => self.cut_replica(usize::from(replica)),
            Event::ReplicaBack(replica) => self.reconnect_replica(usize::from(replica)),
            Event::Stir => self.stir(),
            Event::Poll(verifier) => self.poll(verifier as usize),
            Event::Reply(verifier) => self.reply(verifier as usize),
            Event::Meet(verifier) => self.meet(verifier as usize),
            Event::Mishap => self.mishap(),
            Event::VerifierBack(verifier) => self.reconnect_verifier(verifier as usize),
            Event::Flood(verifier) => self.flood(verifier as usize),
            Event::Thaw(verifier) => self.thaw(verifier as usize),
            Event::Steal(key) => self.steal(key),
            Event::RevokeTokens => self.revoke_tokens(),
            Event::CheckTokens(number) => self.check_tokens(number),
            Event::Outage(begins) => self.outage(begins),
            Event::Window(begins) => self.window(begins),
        }
    }

    /// The true time.
    pub(crate) fn date(&self) -> NumericDate {
        date(self.now)
    }

    /// What the issuer knows of its replicas; and of its verifiers, if somebody asks for them.
    pub(crate) fn fleet(&self, with_verifiers: bool) -> FleetView {
        let seen = |seen: Millis, version: Option<Version>| Witness {
            name: String::new(),
            seen: date(seen),
            kids: version.map(|version| self.database.versions[version].kids.clone()).unwrap_or_default(),
            sequence: None,
        };
        let replicas = self
            .replicas
            .iter()
            .map(|replica| seen(replica.last_look(self.now), Some(replica.view)))
            .collect();
        let is_served = self.is_served(self.last_ready());
        let serving = if is_served { Serving::Since(date(self.served_since)) } else { Serving::Nobody };
        let mut fleet = FleetView { replicas, serving, ..FleetView::default() };
        if with_verifiers {
            let reports = self.verifiers.iter().filter(|verifier| verifier.class.is_ours());
            let reports = reports.filter_map(|verifier| verifier.reported(self.now));
            fleet.verifiers = reports.map(|(at, version)| seen(at, version)).collect();
        }
        fleet
    }

    /// When a replica was last ready, by a look that was answered.
    fn last_ready(&self) -> Millis {
        let skew = self.scenario.policy.lifetimes().skew;
        let ready = self.replicas.iter().filter(|replica| !replica.clock_is_off(skew));
        ready.map(|replica| replica.last_look(self.now)).max().unwrap_or_default().max(self.was_ready)
    }

    /// Whether nobody was without a replica for long after this moment.
    fn is_served(&self, last: Millis) -> bool {
        self.now.saturating_sub(last) <= millis(self.scenario.policy.lifetimes().lease)
    }

    /// A replica will not be what it was.
    pub(crate) fn note_ready(&mut self) {
        self.was_ready = self.last_ready();
    }

    /// The steps that are due are taken by whichever replica looks first.
    fn tick(&mut self) {
        if self.now != self.next_tick {
            return;
        }
        let policy = self.scenario.policy;
        let skew = policy.lifetimes().skew;
        if self.replicas.iter().any(|replica| replica.is_connected() && !replica.clock_is_off(skew)) {
            let steps = self.database.keyring.plan(&policy, &self.fleet(false), self.date());
            if !steps.is_empty() && self.database.take(&steps, self.now, false).is_ok() {
                self.changed("by the clock");
                return;
            }
        }
        self.plan_tick();
    }

    /// When the plan has something to do next; a second from now if somebody is waited for.
    fn plan_tick(&mut self) {
        let serving = Serving::Since(date(self.served_since));
        if let Some((due, _)) = self.database.keyring.next_due(&self.scenario.policy, serving) {
            self.next_tick = (moment(due) + self.chance.between(0, SECOND - 1)).max(self.now + SECOND);
            self.agenda.put(self.next_tick, Event::Tick);
        }
    }

    /// The database has changed: replicas will see it when they look.
    pub(crate) fn changed(&mut self, by: &str) {
        let version = self.database.latest();
        self.journal.note(self.now, || format!("version {version}, {by}"));
        self.check_actives();
        self.figures.count_change(&self.database);
        for replica in 0..self.replicas.len() {
            if self.replicas[replica].is_connected() {
                let next = self.replicas[replica].next_look(self.now);
                self.agenda.put(next, Event::Look(index(replica)));
            }
        }
        self.plan_tick();
        self.stir();
    }

    /// A replica looks, and takes over what it sees.
    fn look(&mut self, replica: usize) {
        if !self.replicas[replica].is_connected() {
            return;
        }
        let is_ready = !self.replicas[replica].clock_is_off(self.scenario.policy.lifetimes().skew);
        if is_ready && !self.is_served(self.last_ready()) {
            self.served_since = self.now;
        }
        let version = self.database.version_at(self.now);
        if version != self.replicas[replica].view || self.now < 2 * HOUR {
            self.leave_view(replica);
            (self.replicas[replica].view, self.replicas[replica].view_since) = (version, self.now);
            self.check_replicas();
            self.first_signatures(replica);
        }
    }

    /// Keys that a replica begins to sign with are met by every verifier at once.
    fn first_signatures(&mut self, replica: usize) {
        let lifetimes = *self.scenario.policy.lifetimes();
        if !self.replicas[replica].may_sign(self.now, lifetimes.lease, lifetimes.skew) {
            return;
        }
        let active = self.database.versions[self.replicas[replica].view].active;
        for number in active.into_iter().flatten() {
            if !std::mem::replace(&mut self.database.keys[number].has_signed, true) {
                self.living.push(number);
                self.journal.note(self.now, || format!("key {number} begins to sign"));
                for verifier in 0..self.verifiers.len() {
                    self.judge(verifier, false);
                }
            }
        }
    }

    /// The tokens that a replica has signed with the keys of the view that it leaves.
    pub(crate) fn leave_view(&mut self, replica: usize) {
        let lifetimes = *self.scenario.policy.lifetimes();
        let process = &self.replicas[replica];
        // Until this moment it went by the look before.
        let (signed, view) = (process.signs_until(self.now - 1, lifetimes.lease), process.view);
        if process.clock_is_off(lifetimes.skew) {
            return;
        }
        let lives = signed.saturating_add_signed(process.clock) + millis(lifetimes.token);
        for number in self.database.versions[view].active.into_iter().flatten() {
            let key = &mut self.database.keys[number];
            key.tokens_live_until = key.tokens_live_until.max(lives);
            if let Some(stopped) = key.stopped_at {
                self.check_signed(number, replica, stopped, signed);
            }
        }
        let (now, keys) = (self.now, &self.database.keys);
        self.living.retain(|number| {
            keys[*number].stopped_at.is_none() || keys[*number].tokens_live_until + HOUR * 2 > now
        });
    }

    /// Per algorithm, its place in [`Algorithm::ALL`].
    pub(crate) fn algorithm(place: usize) -> Algorithm {
        Algorithm::ALL[place % Algorithm::ALL.len()]
    }
}

/// A small number for an event.
pub(crate) fn index(number: usize) -> u8 {
    u8::try_from(number).expect("there are few replicas")
}
