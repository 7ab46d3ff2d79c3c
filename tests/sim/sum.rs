//! How often what happened, over all seeds.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::AddAssign;

use crate::log::{By, Kind, Said};
use crate::process::Ran;
use crate::server::denied;
use crate::world::World;

/// What has to happen somewhere, or the simulation proves nothing about it.
const NEEDED: [&str; 44] = [
    "absent",
    "accounted in a failed call",
    "backed up",
    "backup full",
    "bulk calls",
    "canary",
    "contradicted",
    "crash",
    "daily_limit",
    "deadline",
    "deleted",
    "denied alone",
    "failed",
    "input broken",
    "interrupted",
    "killed by a second signal",
    "left undeleted",
    "looked for",
    "looked for in vain",
    "lost",
    "max_failures",
    "max_keys",
    "outage",
    "outage: a longer pause",
    "page denied",
    "page refused",
    "page retried",
    "pages",
    "probes",
    "requests",
    "resumed",
    "retries",
    "runs",
    "signal before the first key",
    "signal in the preflight",
    "stale",
    "throttled",
    "throttled by a gateway",
    "unauthorized",
    "unaccounted",
    "unexpected",
    "unexpected_response",
    "unknown",
    "used up",
];

/// How often what happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    counts: BTreeMap<&'static str, u64>,
    /// Every request of every run, and its moment.
    trace: u64,
}

impl Sum {
    fn add(&mut self, what: &'static str, times: usize) {
        *self.counts.entry(what).or_default() += times as u64;
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NEEDED.into_iter().map(|what| (what, self.counts.get(what).copied().unwrap_or(0)))
    }

    pub(crate) fn count(&mut self, world: &World, ran: &Ran) {
        self.add("runs", 1);
        self.add("requests", ran.log.sent.len());
        self.add("backed up", ran.log.kept);
        for (nth, sent) in ran.log.sent.iter().enumerate() {
            let left = match sent.kind {
                Kind::Presence => "looked for in vain",
                _ => "left undeleted",
            };
            self.add(left, sent.left.len());
            match sent.kind {
                Kind::Presence => self.add("looked for", 1),
                Kind::Delete if sent.keys.len() > 1 => self.add("bulk calls", 1),
                Kind::Page => self.add("pages", 1),
                Kind::Namespace if nth >= ran.preflight => {
                    self.add("probes", 1);
                    let before = &ran.log.sent[..nth];
                    let is_out = |at| move |response: Option<_>| response.is_none_or(|(answered, _)| answered > at);
                    let at_once = before.iter().any(|b| b.kind == Kind::Namespace && is_out(sent.at)(b.response));
                    self.add("probes at once", usize::from(at_once));
                }
                _ => {}
            }
            let Some((_, said)) = sent.response else { continue };
            let good = matches!(said, Said::Deleted | Said::Read | Said::Absent);
            let name = match said {
                Said::Unkept => "backup full",
                Said::Nothing => "lost",
                Said::ConnectionClosed => "stale",
                Said::Unexpected => "unexpected",
                Said::Throttled(_, By::Api) => "throttled",
                Said::Throttled(_, By::Gateway) => "throttled by a gateway",
                Said::Refused if sent.kind == Kind::Page => "page refused",
                Said::Fatal if sent.kind == Kind::Page => "page denied",
                Said::Fatal if matches!(&sent.keys[..], [key] if denied(world, key).is_some()) => "denied alone",
                _ => "other answers",
            };
            self.add(name, 1);
            self.add("page retried", usize::from(sent.kind == Kind::Page && !good));
            self.add("accounted in a failed call", usize::from(sent.accounted && !good));
            self.add("unaccounted", usize::from(sent.bulk && !sent.accounted));
            self.add("contradicted", usize::from(sent.bulk && !sent.accounted && said == Said::Nothing));
            self.add("used up", usize::from(sent.used_up_until.is_some()));
        }
        for row in &ran.rows {
            self.add(row.status.as_str(), 1);
        }
        self.count_end(ran);
        let mut hasher = DefaultHasher::new();
        self.trace.hash(&mut hasher);
        for sent in &ran.log.sent {
            let response = sent.response.map(|(at, said)| (at - ran.began, format!("{said:?}")));
            (&sent.keys, &sent.left, sent.at - ran.began, response).hash(&mut hasher);
        }
        self.trace = hasher.finish();
    }

    fn count_end(&mut self, ran: &Ran) {
        let Some(end) = &ran.end else { return self.add("crash", 1) };
        self.add("retries", usize::try_from(end.totals.retries).expect("not that many"));
        self.add("resumed", usize::try_from(end.totals.resumed).expect("not that many"));
        self.add(end.stop.as_ref().map_or("done", |stop| stop.reason.as_str()), 1);
        let longer = end.stop.as_ref().is_some_and(|stop| stop.why.contains("longer than --max-wait"));
        self.add("outage: a longer pause", usize::from(longer));
        self.add("input broken", usize::from(end.broken.is_some()));
        let given_up = ran.log.sent.iter().any(|sent| sent.response.is_none());
        self.add("killed by a second signal", usize::from(given_up && ran.signals.len() > 1));
        if let Some((_, sent)) = ran.signals.first().filter(|(_, sent)| *sent <= ran.preflight) {
            let signalled = end.stop.as_ref().is_some_and(|stop| stop.signal.is_some());
            let unanswered = ran.log.sent[..*sent].last().is_none_or(|sent| sent.response.is_none());
            self.add("signal in the preflight", usize::from(signalled && unanswered));
            self.add("signal before the first key", usize::from(signalled && !unanswered));
        }
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.trace = self.trace.rotate_left(1).wrapping_add(other.trace);
        for (what, times) in other.counts {
            *self.counts.entry(what).or_default() += times;
        }
    }
}
