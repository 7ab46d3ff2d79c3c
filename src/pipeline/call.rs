//! One request outside the stream of keys, under the same budget, retries and pauses.

use std::time::Duration;

use rand::Rng;
use tokio::time::{Instant, sleep, sleep_until};

use crate::api::answer::Reply;
use crate::outcome::StopReason;
use crate::pipeline::retry::{Decision, History, RetryPolicy, Verdict, decide};
use crate::pipeline::state::Totals;
use crate::pipeline::stop::Stop;
use crate::quota::{Budget, NotYet};
use crate::terminal::{counted, duration};

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// The job cannot go on.
    Stop(Stop),
    /// The server refused this one call.
    Refused(Verdict),
}

/// What a listener hears before a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// What the last attempt came to.
    pub verdict: &'a Verdict,
    /// How long until the next one.
    pub wait: Duration,
}

/// Makes a call until it succeeds, is refused for good, or `policy` and `max_pause` are exhausted. Counts into
/// `totals`.
///
/// # Errors
/// [`Failed`] says whether the job has to stop.
pub async fn patiently<T, Fut>(
    budget: &mut Budget,
    policy: &RetryPolicy,
    max_pause: Duration,
    rng: &mut impl Rng,
    totals: &mut Totals,
    mut on_wait: impl FnMut(Waiting<'_>),
    call: impl Fn() -> Fut,
) -> Result<T, Failed>
where
    Fut: Future<Output = Result<T, Reply>>,
{
    let mut history = History::default();
    let mut attempts = 0u64;
    loop {
        let permit = loop {
            match budget.try_take(Instant::now()) {
                Ok(permit) => break permit,
                Err(NotYet::Until(moment)) => sleep_until(moment).await,
                // Nothing else draws on the budget while a call is made, so this one permit is always there.
                Err(NotYet::AnAnswer) => sleep(Duration::from_millis(10)).await,
            }
        };
        totals.requests += 1;
        totals.retries += u64::from(attempts > 0);
        attempts += 1;
        let result = call().await;
        let now = Instant::now();
        let decision = match result {
            Ok(value) => {
                budget.give_back(permit, now);
                return Ok(value);
            }
            Err(reply) => decide(reply.answer, history, policy, rng),
        };
        let failed = match decision {
            Decision::Retry(wait, verdict) => {
                history.failures += 1;
                Ok((wait, verdict))
            }
            Decision::Resend(verdict) => {
                history.resent = true;
                Ok((Duration::ZERO, verdict))
            }
            Decision::Pause(asked, verdict) => {
                totals.throttled += 1;
                let pause = budget.throttled(&permit, asked, now);
                if asked.unwrap_or(pause) > max_pause {
                    let (pause, most) = (duration(pause), duration(max_pause));
                    let why =
                        format!("the server asks for a pause of {pause}, longer than --max-pause {most}: {verdict}");
                    Err(Failed::Stop(Stop::new(StopReason::Outage, why)))
                } else {
                    Ok((pause, verdict))
                }
            }
            Decision::Stop(stop, _) => Err(Failed::Stop(stop)),
            Decision::Settle(verdict) if verdict.passes => {
                let why = format!("no good answer after {}: {verdict}", counted(attempts, "attempt"));
                Err(Failed::Stop(Stop::new(StopReason::Outage, why)))
            }
            Decision::Settle(verdict) => Err(Failed::Refused(verdict)),
            Decision::Success => Err(Failed::Refused(Verdict::unanswered("an answer of another kind".to_owned()))),
        };
        budget.give_back(permit, now);
        let (wait, verdict) = failed?;
        on_wait(Waiting { verdict: &verdict, wait });
        sleep(wait).await;
    }
}
