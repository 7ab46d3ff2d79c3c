//! Which part of the job this is, as a flag or the scheduler's environment says, and what of the rates is for it.
//!
//! | scheduler | number of the task | what else it says |
//! | --- | --- | --- |
//! | Kubernetes Indexed Job | `JOB_COMPLETION_INDEX`, from 0 | |
//! | AWS Batch array job | `AWS_BATCH_JOB_ARRAY_INDEX`, from 0 | `AWS_BATCH_JOB_ARRAY_SIZE`: how many tasks |
//! | Cloud Run job | `CLOUD_RUN_TASK_INDEX`, from 0 | `CLOUD_RUN_TASK_COUNT`: how many tasks |
//! | Slurm array | `SLURM_ARRAY_TASK_ID`, from `…_MIN` in steps of `…_STEP` | `…_MAX`; `…_COUNT`: how many tasks |
//!
//! A wrong number would leave keys undeleted, so whatever is missing or contradicts itself is an error.

use std::num::NonZeroU32;

use super::value::ShardArg;
use crate::command::UsageError;
use crate::quota::Rate;
use crate::shard::{Shard, ShardError};

/// Why it is not known which part this is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum SchedulerError {
    #[error("no scheduler numbers this task: none of {}, {SLURM_ID} is set", INDICES.map(|(name, _)| name).join(", "))]
    Missing,
    #[error("{0} says that this is task {1} (from 0), {2} says {3}")]
    Disagree(&'static str, u64, &'static str, u64),
    #[error("{0} is not a whole number")]
    Number(&'static str),
    #[error("{0} is set and {1} is not, so the number of the first task is unknown")]
    Without(&'static str, &'static str),
    #[error("{variable} says that there are {tasks} tasks, not {count}")]
    Tasks { variable: &'static str, tasks: u64, count: NonZeroU32 },
    #[error(
        "SLURM_ARRAY_TASK_ID, SLURM_ARRAY_TASK_MIN, SLURM_ARRAY_TASK_MAX and SLURM_ARRAY_TASK_STEP do not fit together"
    )]
    Uneven,
    #[error("{0} is out of range: {1}")]
    Index(&'static str, ShardError),
}

/// The part that is asked for.
///
/// # Errors
/// If it is the scheduler's to say, and it does not, or contradicts itself.
pub(super) fn shard(arg: Option<ShardArg>) -> Result<Option<Shard>, UsageError> {
    let count = match arg {
        None => return Ok(None),
        Some(ShardArg::Part(shard)) => return Ok(Some(shard)),
        Some(ShardArg::Auto(count)) => count,
    };
    let shard = by_scheduler(count, |name| std::env::var_os(name)?.into_string().map_or(Some(String::from("?")), Some));
    let shard = shard.map_err(|error| UsageError::AutoShard { count, source: error.into() })?;
    tracing::info!("the scheduler says that this is shard {shard}");
    Ok(Some(shard))
}

/// What of the rates is for this part.
///
/// # Errors
/// Where it is nothing.
pub(super) fn shared(rates: Vec<Rate>, shard: Option<Shard>) -> Result<Vec<Rate>, UsageError> {
    let Some(shard) = shard else { return Ok(rates) };
    let of = |rate: Rate| rate.share(shard.index(), shard.count()).ok_or(UsageError::NoShareOfRate { rate, shard });
    rates.into_iter().map(of).collect()
}

/// The variables that number a task from 0, and those with the number of tasks.
const INDICES: [(&str, Option<&str>); 3] = [
    ("JOB_COMPLETION_INDEX", None),
    ("AWS_BATCH_JOB_ARRAY_INDEX", Some("AWS_BATCH_JOB_ARRAY_SIZE")),
    ("CLOUD_RUN_TASK_INDEX", Some("CLOUD_RUN_TASK_COUNT")),
];

const SLURM_ID: &str = "SLURM_ARRAY_TASK_ID";

/// The part of this task among `count`; `variable` reads the environment.
fn by_scheduler(count: NonZeroU32, variable: impl Fn(&'static str) -> Option<String>) -> Result<Shard, SchedulerError> {
    let number = |name| number(name, variable(name));
    let check_tasks = |variable, tasks| match tasks {
        Some(tasks) if tasks != u64::from(count.get()) => Err(SchedulerError::Tasks { variable, tasks, count }),
        _ => Ok(()),
    };
    let mut indices = Vec::new();
    for (name, tasks) in INDICES {
        let Some(index) = number(name)? else { continue };
        if let Some(tasks) = tasks {
            check_tasks(tasks, number(tasks)?)?;
        }
        indices.push((name, index));
    }
    if let Some(id) = number(SLURM_ID)? {
        let first = number("SLURM_ARRAY_TASK_MIN")?;
        let first = first.ok_or(SchedulerError::Without(SLURM_ID, "SLURM_ARRAY_TASK_MIN"))?;
        let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1);
        let steps = |id: u64| {
            let apart = id.checked_sub(first).filter(|apart| step > 0 && apart % step == 0);
            apart.map(|apart| apart / step).ok_or(SchedulerError::Uneven)
        };
        indices.push((SLURM_ID, steps(id)?));
        let tasks = number("SLURM_ARRAY_TASK_COUNT")?;
        check_tasks("SLURM_ARRAY_TASK_COUNT", tasks)?;
        // An array such as `0,15` has two tasks, which are not numbered evenly.
        let last = number("SLURM_ARRAY_TASK_MAX")?.map(steps).transpose()?;
        let as_numbered = check_tasks("SLURM_ARRAY_TASK_MAX", last.map(|last| last.saturating_add(1)));
        as_numbered.map_err(|error| if tasks.is_some() { SchedulerError::Uneven } else { error })?;
    }
    let &(name, index) = indices.first().ok_or(SchedulerError::Missing)?;
    if let Some((other, differs)) = indices.into_iter().find(|(_, other)| *other != index) {
        return Err(SchedulerError::Disagree(name, index, other, differs));
    }
    Shard::new(index, count.get()).map_err(|error| SchedulerError::Index(name, error))
}

/// The number in a variable; an empty one is unset.
fn number(name: &'static str, text: Option<String>) -> Result<Option<u64>, SchedulerError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.map(Some).ok_or(SchedulerError::Number(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u32, variables: &[(&str, &str)]) -> Result<String, SchedulerError> {
        let read =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        by_scheduler(NonZeroU32::new(count).unwrap(), read).map(|shard| shard.to_string())
    }

    #[test]
    fn every_scheduler_numbers_in_its_own_way() {
        for variables in [
            &[("JOB_COMPLETION_INDEX", "2")][..],
            &[("AWS_BATCH_JOB_ARRAY_INDEX", "2"), ("JOB_COMPLETION_INDEX", "")],
            &[("AWS_BATCH_JOB_ARRAY_INDEX", "2"), ("AWS_BATCH_JOB_ARRAY_SIZE", "4")],
            &[("CLOUD_RUN_TASK_INDEX", "2")],
            &[("CLOUD_RUN_TASK_INDEX", "2"), ("JOB_COMPLETION_INDEX", "2")],
            &[("CLOUD_RUN_TASK_INDEX", "2"), ("CLOUD_RUN_TASK_COUNT", "4")],
            &[("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "4")],
            &[("SLURM_ARRAY_TASK_ID", "8"), ("SLURM_ARRAY_TASK_MIN", "0"), ("SLURM_ARRAY_TASK_STEP", "4")],
            &[("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_MAX", "4")],
        ] {
            assert_eq!(of(4, variables).as_deref(), Ok("3/4"), "{variables:?}");
        }
    }

    #[test]
    fn what_is_not_certain_is_refused() {
        use SchedulerError::{Disagree, Index, Missing, Number, Tasks, Uneven, Without};
        let count = NonZeroU32::new(4).unwrap();
        let beyond = || ShardError::Number { number: 5, count: 4 };
        for (variables, error) in [
            (&[][..], Missing),
            (&[("CLOUD_RUN_TASK_COUNT", "4")], Missing),
            (
                &[("JOB_COMPLETION_INDEX", "1"), ("CLOUD_RUN_TASK_INDEX", "2")],
                Disagree("JOB_COMPLETION_INDEX", 1, "CLOUD_RUN_TASK_INDEX", 2),
            ),
            (
                &[("JOB_COMPLETION_INDEX", "1"), ("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_MIN", "1")],
                Disagree("JOB_COMPLETION_INDEX", 1, "SLURM_ARRAY_TASK_ID", 0),
            ),
            (&[("JOB_COMPLETION_INDEX", "1"), ("CLOUD_RUN_TASK_INDEX", "x")], Number("CLOUD_RUN_TASK_INDEX")),
            (&[("JOB_COMPLETION_INDEX", "one")], Number("JOB_COMPLETION_INDEX")),
            (&[("JOB_COMPLETION_INDEX", "-1")], Number("JOB_COMPLETION_INDEX")),
            (&[("JOB_COMPLETION_INDEX", "+1")], Number("JOB_COMPLETION_INDEX")),
            (&[("JOB_COMPLETION_INDEX", " 1")], Number("JOB_COMPLETION_INDEX")),
            (&[("JOB_COMPLETION_INDEX", "4")], Index("JOB_COMPLETION_INDEX", beyond())),
            (
                &[("AWS_BATCH_JOB_ARRAY_INDEX", "0"), ("AWS_BATCH_JOB_ARRAY_SIZE", "3")],
                Tasks { variable: "AWS_BATCH_JOB_ARRAY_SIZE", tasks: 3, count },
            ),
            (
                &[("CLOUD_RUN_TASK_INDEX", "0"), ("CLOUD_RUN_TASK_COUNT", "8")],
                Tasks { variable: "CLOUD_RUN_TASK_COUNT", tasks: 8, count },
            ),
            (&[("SLURM_ARRAY_TASK_ID", "0")], Without("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN")),
            (&[("SLURM_ARRAY_TASK_ID", "5"), ("SLURM_ARRAY_TASK_MIN", "0"), ("SLURM_ARRAY_TASK_STEP", "4")], Uneven),
            (&[("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_MIN", "2")], Uneven),
            (&[("SLURM_ARRAY_TASK_ID", "5"), ("SLURM_ARRAY_TASK_MIN", "1")], Index("SLURM_ARRAY_TASK_ID", beyond())),
            (
                &[("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "3")],
                Tasks { variable: "SLURM_ARRAY_TASK_COUNT", tasks: 3, count },
            ),
            (
                &[("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_MAX", "8")],
                Tasks { variable: "SLURM_ARRAY_TASK_MAX", tasks: 8, count },
            ),
            (
                &[
                    ("SLURM_ARRAY_TASK_ID", "0"),
                    ("SLURM_ARRAY_TASK_MIN", "0"),
                    ("SLURM_ARRAY_TASK_MAX", "15"),
                    ("SLURM_ARRAY_TASK_COUNT", "4"),
                ],
                Uneven,
            ),
        ] {
            assert_eq!(of(4, variables), Err(error), "{variables:?}");
        }
    }
}
