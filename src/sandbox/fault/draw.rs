//! Which fault strikes a request: chance, numbers and counts of attempts.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Fault, Scope, What, When};
use crate::sandbox::lock::locked;

pub(in crate::sandbox) struct Faults {
    state: Mutex<State>,
}

struct State {
    rng: StdRng,
    armed: Vec<Armed>,
    script: VecDeque<Option<What>>,
}

struct Armed {
    fault: Fault,
    seen: u64,
    /// How often it struck, where that does not go by keys.
    struck: u32,
    attempts: HashMap<String, u32>,
}

#[derive(Debug, PartialEq)]
pub(in crate::sandbox) struct Hit {
    pub(in crate::sandbox) what: What,
    /// Which of its names the fault met.
    pub(in crate::sandbox) names: Vec<String>,
}

impl Faults {
    pub(in crate::sandbox) fn new(faults: Vec<Fault>, seed: u64) -> Self {
        let state = State { rng: StdRng::seed_from_u64(seed), armed: arm(faults), script: VecDeque::new() };
        Self { state: Mutex::new(state) }
    }

    /// Replaces the faults; the new ones remember nothing.
    pub(in crate::sandbox) fn set(&self, faults: Vec<Fault>) {
        locked(&self.state).armed = arm(faults);
    }

    /// Replaces the script: what happens to the next calls about keys, one after the other; `None` is nothing.
    pub(in crate::sandbox) fn set_script(&self, steps: impl IntoIterator<Item = Option<What>>) {
        locked(&self.state).script = steps.into_iter().collect();
    }

    /// What strikes a request of this scope about these names. A script comes before all faults.
    pub(in crate::sandbox) fn draw(&self, scope: Scope, names: &[&str]) -> Option<Hit> {
        let mut state = locked(&self.state);
        let State { rng, armed, script } = &mut *state;
        if scope == Scope::Data
            && let Some(step) = script.pop_front()
        {
            return step.map(|what| Hit { what, names: owned(names) });
        }
        let mut met = armed.iter_mut().filter(|armed| armed.fault.scope == Scope::All || scope == Scope::Data);
        let struck = met.by_ref().find_map(|armed| {
            let names = armed.strike(names, rng)?;
            let what = armed.fault.what.clone();
            Some(Hit { what, names })
        });
        // Later ones still count it.
        met.for_each(|armed| armed.seen += 1);
        struck
    }
}

fn arm(faults: Vec<Fault>) -> Vec<Armed> {
    let armed = |fault| Armed { fault, seen: 0, struck: 0, attempts: HashMap::new() };
    faults.into_iter().map(armed).collect()
}

impl Armed {
    /// Counts the request and says which of its names the fault strikes; `None` where it does not strike at all.
    fn strike(&mut self, names: &[&str], rng: &mut StdRng) -> Option<Vec<String>> {
        self.seen += 1;
        let times = self.fault.times;
        let mut by_name = |met: &dyn Fn(&str) -> bool| {
            let mut names: Vec<String> = names.iter().filter(|name| met(name)).map(ToString::to_string).collect();
            if let Some(times) = times {
                names.retain(|name| {
                    let attempts = self.attempts.entry(name.clone()).or_default();
                    *attempts = attempts.saturating_add(1);
                    *attempts <= times
                });
            }
            (!names.is_empty()).then_some(names)
        };
        let strikes = match &self.fault.when {
            When::Key(key) => return by_name(&|name| name == key),
            When::Prefix(prefix) => return by_name(&|name| name.starts_with(prefix.as_str())),
            When::Probability(probability) => rng.random::<f64>() < *probability,
            When::Nth(numbers) => numbers.contains(&self.seen),
        };
        if !strikes || times.is_some_and(|times| self.struck >= times) {
            return None;
        }
        self.struck = self.struck.saturating_add(1);
        Some(owned(names))
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::BulkResult;

    /// Which of these requests, each about one key, are struck.
    fn struck(faults: &Faults, scope: Scope, names: &[&str]) -> Vec<bool> {
        names.iter().map(|name| faults.draw(scope, &[name]).is_some()).collect()
    }

    #[test]
    fn a_key_is_struck_on_its_first_attempts() {
        let faults = Faults::new(vec![Fault::new(When::Prefix("a".into()), What::Hang).times(2)], 0);
        let seen = struck(&faults, Scope::Data, &["a1", "a2", "b", "a1", "a1", "a2", "a2"]);
        assert_eq!(seen, [true, true, false, true, false, true, false]);
    }

    #[test]
    fn of_many_names_those_met_are_told() {
        let faults =
            Faults::new(vec![Fault::new(When::Key("b".into()), What::Unsuccessful(BulkResult::Partial)).times(1)], 0);
        let names = ["a", "b", "c"];
        assert_eq!(faults.draw(Scope::Data, &names).unwrap().names, ["b"]);
        assert_eq!(faults.draw(Scope::Data, &names), None);
    }

    #[test]
    fn numbers_count_within_the_scope_whatever_else_strikes() {
        let nth = Fault::new(When::Nth(2..=3), What::Hang);
        let faults = Faults::new(vec![Fault::new(When::Key("x".into()), What::Giant), nth.clone()], 0);
        assert_eq!(struck(&faults, Scope::All, &["", ""]), [false, false], "not its scope");
        assert_eq!(struck(&faults, Scope::Data, &["x", "b", "x", "d"]), [true, true, true, false]);
        faults.set(vec![nth.everywhere().times(1)]);
        assert_eq!(struck(&faults, Scope::All, &["", "", ""]), [false, true, false]);
    }

    #[test]
    fn chance_repeats_with_its_seed() {
        let run = |seed| {
            let faults = Faults::new(vec![Fault::new(When::Probability(0.3), What::Hang)], seed);
            struck(&faults, Scope::Data, &["k"; 1_000])
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        let hits = run(1).into_iter().filter(|hit| *hit).count();
        assert!((200..400).contains(&hits), "{hits}");
        for (probability, expected) in [(0.0, false), (1.0, true), (f64::NAN, false)] {
            let faults = Faults::new(vec![Fault::new(When::Probability(probability), What::Hang)], 3);
            assert_eq!(struck(&faults, Scope::Data, &["k"; 50]), [expected; 50]);
        }
    }

    #[test]
    fn a_script_comes_first_and_ends() {
        let faults = Faults::new(vec![Fault::new(When::Probability(1.0), What::Hang)], 0);
        faults.set_script([Some(What::Garbage), None]);
        let next = || faults.draw(Scope::Data, &["k"]).map(|struck| struck.what);
        assert_eq!([next(), next(), next()], [Some(What::Garbage), None, Some(What::Hang)]);
    }
}
