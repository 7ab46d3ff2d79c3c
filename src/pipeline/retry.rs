//! What to do after an attempt: one answer, the key's history and chance in, one decision out.

use std::fmt;
use std::time::Duration;

use rand::{Rng, RngExt};

use crate::api::answer::{Answer, Fatal, Refusal, TransientError};
use crate::outcome::{Status, Stop, StopReason};

/// How often and how soon a key is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many failed attempts are repeated; 0 for none. Pauses after a 429 and outages do not count.
    pub retries: u32,
    /// The upper bound of the first wait; it doubles with each one.
    pub base: Duration,
    /// No wait is longer.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { retries: 8, base: Duration::from_millis(250), cap: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// Exponential backoff with full jitter: anything from zero to `base * 2^failures`, at most `cap`.
    ///
    /// Full jitter spreads keys that failed together over the whole span
    /// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
    pub fn backoff(&self, failures: u32, rng: &mut impl Rng) -> Duration {
        let most = self.base.saturating_mul(2u32.saturating_pow(failures)).min(self.cap);
        rng.random_range(Duration::ZERO..=most)
    }
}

/// The state of a key that is not, or not surely, deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `failed`, `unknown` or `absent`.
    pub status: Status,
    /// HTTP status, code and message of the response.
    pub refusal: Refusal,
    /// Whether the cause may be temporary: the server's fault and not the key's.
    pub is_transient: bool,
}

impl Failure {
    fn refused(status: Status, refusal: Refusal) -> Self {
        Self { status, refusal, is_transient: false }
    }

    /// The failure that `answer` is, if it is temporary.
    pub(crate) fn temporary(answer: &Answer) -> Option<Self> {
        match answer {
            Answer::Throttled { error, .. } | Answer::Transient(error) => Some(error.clone().into()),
            Answer::ConnectionClosed { text, .. } => Some(Self::unanswered(text.clone())),
            _ => None,
        }
    }

    /// No readable response came.
    pub fn unanswered(what: String) -> Self {
        Self { status: Status::Unknown, refusal: Refusal::without_response(what), is_transient: true }
    }
}

/// With the status and code of the answer, if there was one.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl From<TransientError> for Failure {
    fn from(error: TransientError) -> Self {
        match error {
            TransientError::Refused(refusal) => Self { is_transient: true, ..Self::refused(Status::Failed, refusal) },
            TransientError::NoAnswer(refusal) | TransientError::Unexpected(refusal) => {
                Self { is_transient: true, ..Self::refused(Status::Unknown, refusal) }
            }
        }
    }
}

/// What is to be done about a key after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is done.
    Success,
    /// It has another final state.
    Settle(Failure),
    /// Try it again after this wait; costs one retry. The failure is final if the job ends before.
    Retry(Duration, Failure),
    /// Try it again at once; costs no retry.
    Resend(Failure),
    /// Try it again once the pause is over that the server asked for; costs no retry.
    Pause(Failure),
    /// The job ends; the key has this state.
    Stop(Stop, Failure),
}

/// The failed attempts at one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Attempts that failed for a temporary reason, and count.
    pub failures: u32,
    /// How often it was sent again because the connection was closed.
    pub resent: u32,
}

impl History {
    /// Whether a request that met a closed connection costs no retry: if the server reports that it did not process it, several
    /// times, because one connection carries many requests; otherwise once, because the second is no accident of keep-alive.
    pub(crate) fn allows_resend(self, unprocessed: bool) -> bool {
        self.resent < if unprocessed { MAX_UNPROCESSED } else { 1 }
    }
}

/// So many refusals in a row of one request to a server that answers others are no accident either.
const MAX_UNPROCESSED: u32 = 32;

pub(crate) fn decide(answer: Answer, history: History, policy: &RetryPolicy, rng: &mut impl Rng) -> Decision {
    let retry = |error: TransientError, rng: &mut _| {
        let failure = Failure::from(error);
        if history.failures >= policy.retries {
            return Decision::Settle(failure);
        }
        Decision::Retry(policy.backoff(history.failures, rng), failure)
    };
    match answer {
        Answer::Success => Decision::Success,
        Answer::Absent(refusal) => Decision::Settle(Failure::refused(Status::Absent, refusal)),
        Answer::Refused(refusal) => Decision::Settle(Failure::refused(Status::Failed, refusal)),
        Answer::Throttled { error, .. } => Decision::Pause(error.into()),
        Answer::DailyLimit(refusal) => stop(StopReason::DailyLimit, refusal),
        Answer::Fatal(Fatal::NoToken, refusal) => {
            let hint = Some("run the command in a shell: it has to print the API token and nothing else".to_owned());
            let stop = Stop { hint, ..Stop::new(StopReason::Unauthorized, refusal.message.clone()) };
            Decision::Stop(stop, Failure::refused(Status::Failed, refusal))
        }
        Answer::Fatal(fatal, refusal) => stop(fatal.into(), refusal),
        Answer::TokenReplaced(refusal) if history.allows_resend(true) => {
            Decision::Resend(Failure::refused(Status::Failed, refusal))
        }
        Answer::TokenReplaced(refusal) => stop(StopReason::Unauthorized, refusal),
        Answer::Transient(error) => retry(error, rng),
        Answer::ConnectionClosed { text, unprocessed } if history.allows_resend(unprocessed) => {
            Decision::Resend(Failure::unanswered(text))
        }
        Answer::ConnectionClosed { text, .. } => retry(TransientError::no_answer(text), rng),
    }
}

impl From<Fatal> for StopReason {
    fn from(fatal: Fatal) -> Self {
        match fatal {
            Fatal::Unauthorized | Fatal::NoToken => Self::Unauthorized,
            Fatal::NamespaceNotFound => Self::NamespaceNotFound,
            Fatal::AccountNotFound => Self::AccountNotFound,
        }
    }
}

fn stop(reason: StopReason, refusal: Refusal) -> Decision {
    let what = match reason {
        StopReason::Unauthorized => "the credentials were refused",
        StopReason::NamespaceNotFound => "the account has no such namespace",
        StopReason::AccountNotFound => "no such account or namespace",
        _ => "the daily limit is reached",
    };
    Decision::Stop(Stop::new(reason, format!("{what}: {refusal}")), Failure::refused(Status::Failed, refusal))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn refusal(http_status: u16) -> Refusal {
        Refusal { http_status: Some(http_status), code: Some(10_001), message: "no".into() }
    }

    fn after(answer: Answer, history: History) -> Decision {
        decide(answer, history, &RetryPolicy::default(), &mut StdRng::seed_from_u64(7))
    }

    fn closed() -> Answer {
        Answer::ConnectionClosed { text: "closed".into(), unprocessed: false }
    }

    fn worn_out() -> History {
        History { failures: 8, resent: MAX_UNPROCESSED }
    }

    #[test]
    fn what_the_server_settled_is_settled() {
        assert_eq!(after(Answer::Success, History::default()), Decision::Success);
        for (answer, status) in
            [(Answer::Absent(refusal(404)), Status::Absent), (Answer::Refused(refusal(400)), Status::Failed)]
        {
            let Decision::Settle(failure) = after(answer, History::default()) else { panic!("not settled") };
            assert_eq!((failure.status, failure.refusal.code), (status, Some(10_001)));
        }
    }

    #[test]
    fn when_retries_are_used_up_the_last_answer_decides() {
        let Decision::Settle(heard) = after(Answer::Transient(TransientError::Refused(refusal(503))), worn_out())
        else {
            panic!("retried")
        };
        assert_eq!((heard.status, heard.refusal.http_status), (Status::Failed, Some(503)));
        let Decision::Settle(unheard) = after(Answer::Transient(TransientError::no_answer("timed out")), worn_out())
        else {
            panic!("retried")
        };
        assert_eq!((unheard.status, unheard.refusal.http_status), (Status::Unknown, None));
    }

    #[test]
    fn a_429_costs_no_retry_even_when_none_is_left() {
        let throttled = Answer::Throttled { error: TransientError::Refused(refusal(429)), pause: None };
        assert!(matches!(after(throttled, worn_out()), Decision::Pause(_)));
    }

    #[test]
    fn a_stale_connection_is_believed_once() {
        assert!(matches!(after(closed(), History::default()), Decision::Resend(_)));
        let again = |resent| History { failures: 0, resent };
        assert!(matches!(after(closed(), again(1)), Decision::Retry(..)));
        let refused = || Answer::ConnectionClosed { text: "refused".into(), unprocessed: true };
        assert!(matches!(after(refused(), again(MAX_UNPROCESSED - 1)), Decision::Resend(_)));
        assert!(matches!(after(refused(), again(MAX_UNPROCESSED)), Decision::Retry(..)));
    }

    #[test]
    fn a_token_is_replaced_a_limited_number_of_times() {
        let replaced = |resent| after(Answer::TokenReplaced(refusal(401)), History { failures: 0, resent });
        assert!(matches!(replaced(MAX_UNPROCESSED - 1), Decision::Resend(_)));
        let Decision::Stop(stop, _) = replaced(MAX_UNPROCESSED) else { panic!("sent again") };
        assert_eq!(stop.reason, StopReason::Unauthorized);
    }

    #[test]
    fn fatal_answers_and_the_daily_limit_stop_the_job() {
        for (answer, reason, what) in [
            (Answer::Fatal(Fatal::Unauthorized, refusal(403)), StopReason::Unauthorized, "the credentials"),
            (Answer::Fatal(Fatal::NamespaceNotFound, refusal(404)), StopReason::NamespaceNotFound, "the account has"),
            (Answer::Fatal(Fatal::AccountNotFound, refusal(404)), StopReason::AccountNotFound, "no such account"),
            (Answer::DailyLimit(refusal(429)), StopReason::DailyLimit, "the daily limit"),
        ] {
            let Decision::Stop(stop, _) = after(answer, History::default()) else { panic!("{what}: not stopped") };
            assert_eq!(stop.reason, reason);
            assert!(stop.why.starts_with(what), "{}", stop.why);
        }
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_the_cap_nor_than_its_doubling(seed: u64, failures in 0u32..80) {
            let policy = RetryPolicy::default();
            let wait = policy.backoff(failures, &mut StdRng::seed_from_u64(seed));
            prop_assert!(wait <= policy.cap);
            prop_assert!(wait <= policy.base * 2u32.pow(failures.min(20)));
        }
    }

    #[test]
    fn jitter_uses_the_whole_span() {
        let policy = RetryPolicy::default();
        let mut rng = StdRng::seed_from_u64(1);
        let waits: Vec<_> = (0..1_000).map(|_| policy.backoff(3, &mut rng)).collect();
        assert!(waits.iter().min().unwrap() < &Duration::from_millis(50));
        assert!(waits.iter().max().unwrap() > &Duration::from_millis(1_950));
    }
}
