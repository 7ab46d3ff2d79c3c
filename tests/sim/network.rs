//! What is between the job and the server: latency, lost requests and responses, outages, the client's timeout.

use std::time::Duration;

use kvsweep::KeyName;
use kvsweep::internals::{
    Accounting, Answer, BulkReply, KeyAction, Metadata, Page, Presence, Refusal, Reply, Request, Response,
    TransientError,
};
use rand::RngExt;
use tokio::time::{Instant, sleep};

use crate::faults::OutageKind;
use crate::log::{Kind, Said, Sent};
use crate::pages::number_of;
use crate::server::{Outcome, Shared, failing, refusal, unexpected};

/// The client's limit for one attempt.
const TIMEOUT: Duration = Duration::from_secs(30);

fn nothing(what: &str) -> Answer {
    Answer::Transient(TransientError::no_answer(what))
}

/// Sends one request to it.
pub(crate) async fn send(server: Shared, request: Request) -> Response {
    let (kind, keys) = keys_of(&request);
    let number = begin(&server, &request, kind, &keys);
    let outcome = attempt(&server, number, kind, &keys).await;
    let kept = if kind == Kind::Value && outcome.answer == Answer::Success {
        let disk = server.borrow().faults.disk;
        sleep(disk).await;
        server.borrow_mut().keep(&keys[0])
    } else {
        true
    };
    let Outcome { answer, left, accounted } = outcome;
    let http_status = http_status(&answer);
    let mut server = server.borrow_mut();
    let now = Instant::now();
    let answered = http_status.is_some();
    let quota = if answered { server.news(now) } else { Vec::new() };
    let used_up_until = server.used_up_until(now).filter(|_| answered);
    server.log.in_flight -= 1;
    let sent = &mut server.log.sent[number];
    let said = match kind.said(&answer) {
        _ if !kept => Said::Unkept,
        // An account that contradicts itself.
        Said::Deleted if sent.bulk && !accounted => Said::Nothing,
        said => said,
    };
    sent.response = Some((now, said));
    sent.left.clone_from(&left);
    (sent.accounted, sent.used_up_until) = (accounted, used_up_until);
    let reply = Reply { answer, http_status, rate_limits: quota };
    match request {
        Request::Delete(_) => Response::Delete(reply),
        Request::DeleteMany(_) | Request::PutMany(_) => {
            let is_put = matches!(request, Request::PutMany(_));
            let unprocessed = left.into_iter().map(String::into_boxed_str).collect();
            let accounting = if accounted { Accounting::Complete { unprocessed } } else { Accounting::Missing };
            let reply = BulkReply { reply, accounting };
            if is_put { Response::PutMany(reply) } else { Response::DeleteMany(reply) }
        }
        Request::Namespace if reply.answer == Answer::Success => Response::Namespace(Ok(())),
        Request::Namespace => Response::Namespace(Err(reply)),
        Request::Page(_) if reply.answer == Answer::Success => {
            Response::Page(Ok(Page { keys: Vec::new(), next: None, rate_limits: reply.rate_limits }))
        }
        Request::Page(_) => Response::Page(Err(reply)),
        Request::Presence(_) => {
            let is_put = server.world.is_put();
            let found = |key: &String| if left.contains(key) == is_put { Presence::Present } else { Presence::Absent };
            let found = keys.iter().map(found).collect();
            Response::Presence(reply, found)
        }
        Request::Metadata(key) => {
            let metadata = metadata_of(key.as_str()).filter(|_| reply.answer == Answer::Success);
            Response::Metadata(reply, metadata)
        }
        Request::BackUp(..) if kept => Response::BackedUp(Ok(reply)),
        Request::BackUp(..) => Response::BackedUp(Err("the disk is full".to_owned())),
        Request::Compare(..) => unreachable!("no run here compares"),
    }
}

fn keys_of(request: &Request) -> (Kind, Vec<String>) {
    let names = |keys: &[KeyName]| keys.iter().map(|key| key.as_str().to_owned()).collect();
    match request {
        Request::Delete(key) => (Kind::Delete, vec![key.as_str().to_owned()]),
        Request::DeleteMany(keys) => (Kind::Delete, names(keys)),
        Request::PutMany(pairs) => (Kind::Delete, pairs.iter().map(|pair| pair.key.as_str().to_owned()).collect()),
        Request::Compare(..) => unreachable!("no run here compares"),
        Request::Presence(keys) => (Kind::Presence, names(keys)),
        Request::Metadata(key) => (Kind::Metadata, vec![key.as_str().to_owned()]),
        Request::BackUp(key, metadata) => {
            assert_eq!(*metadata, metadata_of(key.as_str()), "what was read is what is kept");
            (Kind::Value, vec![key.as_str().to_owned()])
        }
        Request::Namespace => (Kind::Namespace, Vec::new()),
        Request::Page(_) => (Kind::Page, Vec::new()),
    }
}

/// Writes down that a request was sent: its number.
fn begin(server: &Shared, request: &Request, kind: Kind, keys: &[String]) -> usize {
    let mut server = server.borrow_mut();
    if kind == Kind::Delete && server.world.action == KeyAction::BackUpThenDelete {
        assert!(keys.iter().all(|key| server.kept.contains(key)), "{keys:?} before the backup is on the disk");
    }
    let page = if let Request::Page(page) = request { Some(number_of(page)) } else { None };
    let log = &mut server.log;
    let number = log.sent.len();
    log.sent.push(Sent {
        kind,
        keys: keys.to_vec(),
        page,
        at: Instant::now(),
        response: None,
        left: Vec::new(),
        bulk: matches!(request, Request::DeleteMany(_) | Request::PutMany(_)),
        accounted: false,
        used_up_until: None,
    });
    log.in_flight += 1;
    log.most_in_flight = log.most_in_flight.max(log.in_flight);
    if kind == Kind::Delete {
        server.under_way.insert(number, keys.to_vec());
    }
    number
}

fn http_status(answer: &Answer) -> Option<u16> {
    let of = |refusal: &Refusal| refusal.http_status;
    match answer {
        Answer::Success => Some(200),
        Answer::Absent(refusal)
        | Answer::Refused(refusal)
        | Answer::DailyLimit(refusal)
        | Answer::TokenReplaced(refusal)
        | Answer::Fatal(_, refusal) => of(refusal),
        Answer::Throttled { error, .. } | Answer::Transient(error) => of(error.refusal()),
        Answer::ConnectionClosed { .. } => None,
    }
}

/// Every other key has some.
fn metadata_of(key: &str) -> Option<Metadata> {
    let raw = serde_json::value::to_raw_value(key).expect("JSON");
    key.len().is_multiple_of(2).then(|| Metadata::new(&raw)).flatten()
}

async fn attempt(server: &Shared, number: usize, kind: Kind, keys: &[String]) -> Outcome {
    let mut there = server.borrow_mut().latency();
    if kind == Kind::Namespace {
        there += server.borrow().faults.namespace_latency;
    }
    sleep(there).await;
    let outage = server.borrow().outage(kind, Instant::now());
    let lost = {
        let mut server = server.borrow_mut();
        server.under_way.remove(&number);
        let (lost, stale) = (server.faults.lost_before, server.faults.stale);
        if server.one_in_a_thousand(stale) {
            return Answer::ConnectionClosed { text: "the connection was closed".to_owned(), unprocessed: false }
                .into();
        }
        server.one_in_a_thousand(lost)
    };
    let answer = match outage {
        Some(OutageKind::Refused) => nothing("connection refused"),
        Some(OutageKind::Unavailable) => failing(503),
        Some(OutageKind::Gateway) => Answer::Transient(TransientError::NoAnswer(refusal(502, None))),
        Some(OutageKind::NotTheApi) => unexpected(403),
        Some(OutageKind::Busy) => server.borrow_mut().busy(),
        Some(OutageKind::Silent | OutageKind::Hanging) => {
            {
                let mut server = server.borrow_mut();
                if server.rng.random_bool(0.3) {
                    server.arrive(kind, keys, Instant::now());
                }
            }
            sleep(TIMEOUT.saturating_sub(there)).await;
            nothing("timed out")
        }
        None if lost => nothing("connection reset"),
        None => {
            let (arrived, back, lost) = {
                let mut server = server.borrow_mut();
                let arrived = server.arrive(kind, keys, Instant::now());
                let (back, share) = (server.latency(), server.faults.lost_after);
                (arrived, back, server.one_in_a_thousand(share))
            };
            sleep(back).await;
            return if lost { nothing("connection reset").into() } else { arrived };
        }
    };
    answer.into()
}
