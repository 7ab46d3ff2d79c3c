//! What the process says at its end: every exit code with its meaning, and the one table from what became of a
//! job to its code.
//!
//! A script asks two things: did all of it work, and is running it again worth it?

use crate::outcome::{Signal, StopReason, Tally};

/// An exit code of `kvsweep`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Every key is gone or deliberately kept, or the dry run found nothing wrong.
    Success = 0,
    /// An input or the report cannot be read or written, or a bug. Run again after mending.
    Error = 1,
    /// Wrong usage or configuration, or not confirmed: nothing was sent.
    Usage = 2,
    /// Finished, but some keys are failed, unknown or invalid; the report says which. Run again with `--resume`.
    Incomplete = 3,
    /// Stopped early by something that passes. Run again later with `--resume`.
    Stopped = 5,
    /// Stopped by a fatal answer: the credentials, the account or the namespace. Run again after mending.
    Fatal = 7,
    /// Stopped by `--max-keys`, `--min-keys`, `--expect`, `--max-failures` or `--canary`. Run again after checking.
    Guard = 8,
    /// Another run holds the report. Run again later.
    Locked = 11,
    /// SIGHUP (128 + 1): the terminal is gone. Run again with `--resume`.
    HungUp = 129,
    /// SIGINT (128 + 2). Run again with `--resume`.
    Interrupted = 130,
    /// SIGTERM (128 + 15). Run again with `--resume`.
    Terminated = 143,
}

impl ExitCode {
    /// The number that the shell sees.
    pub fn as_u8(self) -> u8 {
        self as u8
    }

    /// The code of a job: that of its stop, or of its tally where it came to its end.
    pub fn for_job(stopped: Option<StopReason>, signal: Option<Signal>, tally: &Tally) -> Self {
        match stopped {
            Some(reason) => Self::for_stop(reason, signal),
            None if tally.trouble() == 0 => Self::Success,
            None => Self::Incomplete,
        }
    }

    /// The code of a job that ended early; `signal` is the one that interrupted it, if one did.
    pub fn for_stop(reason: StopReason, signal: Option<Signal>) -> Self {
        match reason {
            StopReason::IoError | StopReason::InputError => Self::Error,
            StopReason::DailyLimit | StopReason::Outage | StopReason::Deadline => Self::Stopped,
            StopReason::Unauthorized
            | StopReason::NamespaceNotFound
            | StopReason::AccountNotFound
            | StopReason::UnexpectedResponse => Self::Fatal,
            StopReason::MaxFailures
            | StopReason::MaxKeys
            | StopReason::MinKeys
            | StopReason::Expect
            | StopReason::Canary => Self::Guard,
            StopReason::Interrupted => match signal {
                Some(Signal::Terminate) => Self::Terminated,
                Some(Signal::Hangup) => Self::HungUp,
                Some(Signal::Interrupt) | None => Self::Interrupted,
            },
        }
    }

    /// The code of a command line that ended in the parser: help and version are no mistakes.
    pub fn for_usage(error: &clap::Error) -> Self {
        if error.use_stderr() { Self::Usage } else { Self::Success }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.as_u8())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::outcome::Status;

    #[test]
    fn every_stop_has_the_code_of_the_contract() {
        let codes = [
            (StopReason::Unauthorized, 7),
            (StopReason::NamespaceNotFound, 7),
            (StopReason::AccountNotFound, 7),
            (StopReason::DailyLimit, 5),
            (StopReason::MaxFailures, 8),
            (StopReason::MaxKeys, 8),
            (StopReason::MinKeys, 8),
            (StopReason::Expect, 8),
            (StopReason::Canary, 8),
            (StopReason::Outage, 5),
            (StopReason::Deadline, 5),
            (StopReason::Interrupted, 130),
            (StopReason::InputError, 1),
            (StopReason::IoError, 1),
            (StopReason::UnexpectedResponse, 7),
        ];
        for (reason, code) in codes {
            assert_eq!(ExitCode::for_stop(reason, None).as_u8(), code, "{reason}");
        }
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../docs/schema/summary.schema.json")).unwrap();
        let published =
            schema["properties"]["stopped"]["enum"].as_array().unwrap().iter().filter_map(|name| name.as_str());
        let names: BTreeSet<_> = codes.iter().map(|(reason, _)| reason.as_str()).collect();
        assert_eq!(names, published.collect(), "each has a code");
    }

    #[test]
    fn a_signal_colours_only_its_own_stop() {
        let code = |reason, signal| ExitCode::for_stop(reason, Some(signal)).as_u8();
        assert_eq!(code(StopReason::Interrupted, Signal::Interrupt), 130);
        assert_eq!(code(StopReason::Interrupted, Signal::Terminate), 143);
        assert_eq!(code(StopReason::Deadline, Signal::Terminate), 5);
        assert_eq!(code(StopReason::IoError, Signal::Interrupt), 1);
    }

    #[test]
    fn one_record_of_a_state_decides_the_code_of_a_finished_job() {
        let expected = [
            (Status::Deleted, 0),
            (Status::Absent, 0),
            (Status::Kept, 0),
            (Status::Failed, 3),
            (Status::Unknown, 3),
            (Status::Invalid, 3),
            (Status::Duplicate, 0),
            (Status::Planned, 0),
            (Status::Restored, 0),
            (Status::Restorable, 0),
        ];
        assert_eq!(expected.map(|(status, _)| status), Status::ALL);
        for (status, code) in expected {
            let mut tally = Tally::default();
            tally.add(Status::Deleted);
            tally.add(status);
            assert_eq!(ExitCode::for_job(None, None, &tally).as_u8(), code, "{status}");
        }
        assert_eq!(ExitCode::for_job(None, None, &Tally::default()), ExitCode::Success);
    }

    #[test]
    fn a_stop_outranks_the_tally() {
        let mut tally = Tally::default();
        tally.add(Status::Failed);
        assert_eq!(ExitCode::for_job(None, None, &tally), ExitCode::Incomplete);
        assert_eq!(ExitCode::for_job(Some(StopReason::MaxFailures), None, &tally), ExitCode::Guard);
    }
}
