//! Which part of the job this is, as a flag or the scheduler's environment says, and what of the rates is for it.

use std::num::NonZeroU32;

use super::schedule::ScheduleArgs;
use crate::command::Error;
use crate::quota::Rate;
use crate::shard::{Shard, ShardError};

/// The variables that number a task.
const INDICES: [&str; 4] =
    ["JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX", "CLOUD_RUN_TASK_INDEX", "SLURM_ARRAY_TASK_ID"];

/// Why it is not known which part this is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum SchedulerError {
    /// No scheduler numbers this task.
    #[error("no scheduler says which one this is: none of {} is set; give --shard K/N", INDICES.join(", "))]
    Nobody,
    /// Several do.
    #[error("{0} and {1} are both set; give --shard K/N")]
    Several(&'static str, &'static str),
    /// A variable holds no number.
    #[error("{0} is no number")]
    Number(&'static str),
    /// A variable that explains another is missing.
    #[error("{0} is set and {1} is not, so the first task is not known; give --shard K/N")]
    Without(&'static str, &'static str),
    /// There are more or fewer tasks than parts.
    #[error("{variable} says that there are {tasks} tasks, and --shards {shards}: each part needs one task")]
    Tasks {
        /// Who says so.
        variable: &'static str,
        /// How many.
        tasks: u64,
        /// How many parts there are.
        shards: NonZeroU32,
    },
    /// The tasks of a Slurm array are not numbered evenly.
    #[error("the numbers of this Slurm array are not evenly apart; give --shard K/N")]
    Uneven,
    /// There is no such part.
    #[error("{0} says that this is another task than there are shards: {1}")]
    Index(&'static str, ShardError),
}

/// The part that is asked for.
///
/// # Errors
/// Where the scheduler does not say which one it is.
pub(super) fn shard(args: &ScheduleArgs) -> Result<Option<Shard>, Error> {
    let Some(count) = args.shards else { return Ok(args.shard) };
    let shard = by_scheduler(count, |name| std::env::var(name).ok());
    let shard = shard.map_err(|error| Error::Usage(format!("--shards {count}: {error}")))?;
    tracing::info!("the scheduler says that this is shard {shard}");
    Ok(Some(shard))
}

/// What of the rates is for this part.
///
/// # Errors
/// Where it is nothing.
pub(super) fn shared(rates: Vec<Rate>, shard: Option<Shard>) -> Result<Vec<Rate>, Error> {
    let Some(shard) = shard else { return Ok(rates) };
    let of = |rate: Rate| {
        rate.share(shard.index(), shard.count()).ok_or_else(|| {
            Error::Usage(format!("--rate {rate} has no request for shard {shard}: give a higher rate, or fewer shards"))
        })
    };
    rates.into_iter().map(of).collect()
}

/// The part of this task among `count`; `variable` reads the environment.
///
/// Kubernetes, AWS Batch and Cloud Run number from 0. Slurm numbers from `SLURM_ARRAY_TASK_MIN` in steps of
/// `SLURM_ARRAY_TASK_STEP`. Where the number of tasks is said as well (`CLOUD_RUN_TASK_COUNT`,
/// `SLURM_ARRAY_TASK_COUNT`), it has to be `count`.
///
/// # Errors
/// [`SchedulerError`] where it is not certain.
fn by_scheduler(count: NonZeroU32, variable: impl Fn(&'static str) -> Option<String>) -> Result<Shard, SchedulerError> {
    let number = |name: &'static str| {
        let text = variable(name).filter(|text| !text.is_empty());
        text.map(|text| text.parse::<u64>().map_err(|_| SchedulerError::Number(name))).transpose()
    };
    let mut given = INDICES.into_iter().filter(|name| variable(name).is_some_and(|text| !text.is_empty()));
    let name = given.next().ok_or(SchedulerError::Nobody)?;
    if let Some(other) = given.next() {
        return Err(SchedulerError::Several(name, other));
    }
    let id = number(name)?.ok_or(SchedulerError::Nobody)?;
    let mut index = id;
    let tasks = match name {
        "CLOUD_RUN_TASK_INDEX" => "CLOUD_RUN_TASK_COUNT",
        "SLURM_ARRAY_TASK_ID" => {
            let first = number("SLURM_ARRAY_TASK_MIN")?;
            let first = first.ok_or(SchedulerError::Without(name, "SLURM_ARRAY_TASK_MIN"))?;
            let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1);
            let apart = id.checked_sub(first).filter(|apart| step > 0 && apart % step == 0);
            index = apart.ok_or(SchedulerError::Uneven)? / step;
            "SLURM_ARRAY_TASK_COUNT"
        }
        _ => "",
    };
    if let Some(tasks_given) = Some(tasks).filter(|name| !name.is_empty()).map(number).transpose()?.flatten()
        && tasks_given != u64::from(count.get())
    {
        return Err(SchedulerError::Tasks { variable: tasks, tasks: tasks_given, shards: count });
    }
    Shard::new(index, count.get()).map_err(|error| SchedulerError::Index(name, error))
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
            &[("CLOUD_RUN_TASK_INDEX", "2")],
            &[("CLOUD_RUN_TASK_INDEX", "2"), ("CLOUD_RUN_TASK_COUNT", "4")],
            &[("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "4")],
            &[("SLURM_ARRAY_TASK_ID", "8"), ("SLURM_ARRAY_TASK_MIN", "0"), ("SLURM_ARRAY_TASK_STEP", "4")],
        ] {
            assert_eq!(of(4, variables).as_deref(), Ok("3/4"), "{variables:?}");
        }
    }

    #[test]
    fn what_is_not_certain_is_refused() {
        use SchedulerError::{Index, Nobody, Number, Several, Tasks, Uneven, Without};
        let shards = NonZeroU32::new(4).unwrap();
        let beyond = || ShardError::Number { number: 5, count: 4 };
        for (variables, error) in [
            (&[][..], Nobody),
            (&[("CLOUD_RUN_TASK_COUNT", "4")], Nobody),
            (
                &[("JOB_COMPLETION_INDEX", "1"), ("SLURM_ARRAY_TASK_ID", "1")],
                Several("JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID"),
            ),
            (&[("JOB_COMPLETION_INDEX", "one")], Number("JOB_COMPLETION_INDEX")),
            (&[("JOB_COMPLETION_INDEX", "-1")], Number("JOB_COMPLETION_INDEX")),
            (&[("JOB_COMPLETION_INDEX", "4")], Index("JOB_COMPLETION_INDEX", beyond())),
            (
                &[("CLOUD_RUN_TASK_INDEX", "0"), ("CLOUD_RUN_TASK_COUNT", "8")],
                Tasks { variable: "CLOUD_RUN_TASK_COUNT", tasks: 8, shards },
            ),
            (&[("SLURM_ARRAY_TASK_ID", "0")], Without("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN")),
            (&[("SLURM_ARRAY_TASK_ID", "5"), ("SLURM_ARRAY_TASK_MIN", "0"), ("SLURM_ARRAY_TASK_STEP", "4")], Uneven),
            (&[("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_MIN", "2")], Uneven),
            (
                &[("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "3")],
                Tasks { variable: "SLURM_ARRAY_TASK_COUNT", tasks: 3, shards },
            ),
        ] {
            assert_eq!(of(4, variables), Err(error), "{variables:?}");
        }
    }
}
