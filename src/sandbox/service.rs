//! The way of one request: arrival, quota, credentials, path, body, fault, effect, answer.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use hyper::Request;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::header::RETRY_AFTER;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use thiserror::Error;
use tokio::time::Instant;

use super::account::Account;
use super::answer::{Problem, Response};
use super::auth::Auth;
use super::calls::{Call, Done, Payload, perform};
use super::connection::Connection;
use super::fault::{Faults, Hit, Scope, What, broken};
use super::lock::locked;
use super::options::{RetryAfter, SandboxOptions};
use super::quota::{Quotas, Verdict, ceil_seconds};
use super::request_log::{Entry, RequestLog};
use super::route::Target;
use super::store::since_epoch;

pub(super) struct Service {
    start: Instant,
    pub(super) account: Account,
    auth: Auth,
    pub(super) quotas: Quotas,
    pub(super) faults: Faults,
    pub(super) request_log: RequestLog,
    rng: Mutex<StdRng>,
    pub(super) requests: AtomicU64,
}

/// Tells the connection to go away without an answer.
#[derive(Debug, Error)]
#[error("the connection is dropped on purpose")]
pub(super) struct Dropped;

enum Ending {
    Answer(Response),
    Drop,
    Hang,
}

impl Service {
    pub(super) fn new(options: SandboxOptions) -> Self {
        let start = Instant::now();
        Self {
            start,
            auth: Auth::new(options.token.clone(), options.token_expires_after),
            quotas: Quotas::new(&options.quotas, start),
            faults: Faults::new(options.faults.clone(), options.seed),
            request_log: RequestLog::new(options.request_log),
            rng: Mutex::new(StdRng::seed_from_u64(options.seed)),
            requests: AtomicU64::new(0),
            account: Account::new(options),
        }
    }

    fn options(&self) -> &SandboxOptions {
        &self.account.options
    }

    /// Serves one request; an error drops the connection.
    pub(super) async fn serve(&self, request: Request<Incoming>, connection: &Connection) -> Result<Response, Dropped> {
        let arrived = Instant::now();
        self.requests.fetch_add(1, Ordering::Relaxed);
        let _busy = connection.busy();
        let verdict = self.quotas.judge(arrived);
        let (head, body) = request.into_parts();
        let head = Request::from_parts(head, ());
        let access = self.auth.check(head.headers());
        let target = Target::parse(head.uri().path(), self.options().supports_url_encoding);
        let line = self.request_log.open(|| Entry {
            at: arrived - self.start,
            method: head.method().to_string(),
            path: head.uri().path().to_owned(),
            key: target.as_ref().ok().and_then(Target::key).map(ToOwned::to_owned),
            status: 0,
            applied: false,
            authorized: access.is_ok(),
            body_keys: Vec::new(),
        });
        let (ending, changed) = match self.refusal(&verdict, access) {
            None => self.handle(&head, target, body, line, connection).await,
            Some(refusal) => {
                self.delay().await;
                (Ending::Answer(refusal), false)
            }
        };
        let status = if let Ending::Answer(response) = &ending { response.status().as_u16() } else { 0 };
        if self.options().verbose {
            let path = head.uri().path_and_query().map_or("", |path| path.as_str());
            match status {
                0 => tracing::info!("{} {path}: no response", head.method()),
                status => tracing::info!("{} {path}: {status}", head.method()),
            }
        }
        self.request_log.amend(line, |entry| (entry.status, entry.applied) = (status, changed));
        match ending {
            Ending::Answer(mut response) => {
                verdict.add_headers(response.headers_mut());
                Ok(response)
            }
            Ending::Drop => {
                connection.reset(head.version());
                Err(Dropped)
            }
            Ending::Hang => std::future::pending().await,
        }
    }

    /// The answer to what the quotas or the auth refuse.
    fn refusal(&self, verdict: &Verdict, access: Result<(), Problem>) -> Option<Response> {
        let Some(wait) = verdict.wait else {
            return access.err().map(Response::from);
        };
        let message = "Please wait and consider throttling your request speed";
        let mut response = Response::from(Problem::new(StatusCode::TOO_MANY_REQUESTS, 971, message));
        if let Some(value) = retry_after(self.options().retry_after, wait) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
        Some(response)
    }

    /// Reads the body, lets chance decide, waits, does what is asked for and answers; and whether it changed something.
    async fn handle(
        &self,
        head: &Request<()>,
        target: Result<Target<'_>, Problem>,
        body: Incoming,
        line: Option<usize>,
        connection: &Connection,
    ) -> (Ending, bool) {
        let target = target.and_then(|target| self.known(target, head));
        let payload = match &target {
            Ok(target) => Payload::read(&target.route, head.method(), body).await,
            Err(problem) => Err(problem.clone()),
        };
        let names = payload.as_ref().map_or_else(|_| Vec::new(), Payload::names);
        if !names.is_empty() {
            self.request_log.amend(line, |entry| entry.body_keys = names.iter().map(ToString::to_string).collect());
        }
        let struck = self.draw(target.as_ref().ok(), names);
        self.delay().await;
        let (what, met) = struck.map_or((None, Vec::new()), |struck| (Some(struck.what), struck.names));
        if let Some(ending) = what.as_ref().and_then(instead) {
            return (ending, false);
        }
        let done = async {
            let call = Call {
                head,
                target: &target?,
                payload: payload?,
                unprocessed: match &what {
                    Some(What::Unsuccessful(result)) => Some((*result, &met)),
                    _ => None,
                },
            };
            perform(&self.account, call).await
        };
        let (response, changed) = match done.await {
            Ok(Done { response, changed }) => (response, changed),
            Err(problem) => (problem.into(), false),
        };
        let ending = match what {
            Some(What::ResetAfter) => Ending::Drop,
            Some(What::HangAfter) => Ending::Hang,
            Some(What::Truncate) => Ending::Answer(broken::truncated(response).await),
            Some(What::Garbage) => Ending::Answer(broken::garbage()),
            Some(What::Giant) => Ending::Answer(broken::giant()),
            Some(What::CloseIdle) => Ending::Answer(connection.close_after(response)),
            _ => Ending::Answer(response),
        };
        (ending, changed)
    }

    /// Refuses accounts and namespaces that do not exist.
    fn known<'a>(&self, target: Target<'a>, head: &Request<()>) -> Result<Target<'a>, Problem> {
        let (only, given) = (self.options().account.as_deref(), target.account);
        if only.zip(given).is_some_and(|(only, given)| only != given) {
            return Err(Problem::could_not_route(head.uri().path()));
        }
        target.namespace.map(|id| self.account.namespace(id)).transpose()?;
        Ok(target)
    }

    fn draw<'a>(&self, target: Option<&'a Target<'_>>, mut names: Vec<&'a str>) -> Option<Hit> {
        let scope = if target.is_some_and(Target::is_data) { Scope::Data } else { Scope::All };
        names.extend(target.and_then(Target::key));
        self.faults.draw(scope, &names)
    }

    async fn delay(&self) {
        if let Some((least, most)) = self.options().latency {
            let latency: Duration = locked(&self.rng).random_range(least..=most.max(least));
            tokio::time::sleep(latency).await;
        }
    }
}

fn instead(what: &What) -> Option<Ending> {
    match what {
        What::Answer(canned) => Some(Ending::Answer(broken::canned(canned))),
        What::ResetBefore => Some(Ending::Drop),
        What::Hang => Some(Ending::Hang),
        _ => None,
    }
}

fn retry_after(style: RetryAfter, wait: Duration) -> Option<HeaderValue> {
    match style {
        RetryAfter::Seconds => Some(ceil_seconds(wait).into()),
        RetryAfter::HttpDate => {
            let since = since_epoch() + wait;
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(ceil_seconds(since)));
            HeaderValue::from_str(&date).ok()
        }
        RetryAfter::Zero => Some(HeaderValue::from_static("0")),
        RetryAfter::Absent => None,
    }
}
