//! What to do after a job, a line each.

use super::{Begun, JobSummary};
use crate::command::error;
use crate::exit::ExitCode;
use crate::outcome::{Status, StopReason};
use crate::record::Content;
use crate::report::{Cause, Kind, Summary, Target};
use crate::terminal::{Escaped, shell_word};

impl JobSummary<'_> {
    /// What to do now, if something is left to do.
    pub(super) fn hints(&self, code: ExitCode) -> Vec<String> {
        let stop = self.stop.as_ref();
        let mut hints = stop.map(error::hints).unwrap_or_default();
        let has_unsent_part =
            matches!(self.begun, Begun::NotYet(_)) && !self.allow_partial && self.records.unwrap_or_default() > 0;
        if has_unsent_part && stop.is_some_and(|stop| stop.reason == StopReason::InputError) {
            hints.push("--allow-partial processes the records before the error".to_owned());
        }
        if let Some(list) = self.report.as_ref().filter(|_| stop.is_some() && self.listed.is_some()) {
            let (list, command) = (list.to_string_lossy(), self.options.command_line.resuming(None));
            hints.push(format!("{} is incomplete; to resume, run:\n  {command}", Escaped(&list)));
        }
        let (failures, begun) = (self.tally().failures(), self.tally() != self.unsent);
        let is_resumable = matches!(self.kind(), Some(Kind::Delete | Kind::Restore));
        let is_guard =
            matches!(stop, Some(stop) if matches!(stop.reason, StopReason::MaxFailures | StopReason::Canary));
        if let Some(report) = self.report.as_ref().filter(|_| is_guard) {
            hints.push(format!("for the causes, run:\n  kvsweep report {}", shell_word(report.as_os_str())));
        }
        // The same command would stop at the same key.
        let is_too_many = stop.is_some_and(|stop| stop.reason == StopReason::MaxKeys);
        if (stop.is_some() || failures > 0) && begun && is_resumable && !is_too_many && code != ExitCode::Success {
            hints.extend(self.resume_hint(if is_guard { " after fixing the cause" } else { "" }));
        }
        if stop.is_none() {
            hints.extend(self.invalid_hints());
        }
        if self.causes.len() > Summary::SHOWN_CAUSES {
            if let Some(report) = &self.report {
                hints.push(format!("for all causes, run:\n  kvsweep report {}", shell_word(report.as_os_str())));
            } else if *self.target == Target::Nowhere {
                hints.push("pass --report PATH for the cause of every record".to_owned());
            }
        }
        hints
    }

    /// What to do about invalid records. Keys that are only not to be put into a URL can be deleted; a listing has no others
    /// that a person could change.
    fn invalid_hints(&self) -> impl Iterator<Item = String> {
        let of_encoding =
            |cause: &&Cause| cause.status == Status::Invalid && cause.error.starts_with(Content::NEEDS_ENCODING);
        let encoded: u64 = self.causes.iter().filter(of_encoding).map(|cause| cause.count).sum();
        let others = self.tally().get(Status::Invalid).saturating_sub(encoded);
        let encoding =
            self.encoding_hint.filter(|_| encoded > 0).map(|hint| format!("for keys that need URL encoding, {hint}"));
        let fix = "fix or remove the invalid records of the input; they are never sent";
        encoding.into_iter().chain((others > 0 && !self.is_listing).then(|| fix.to_owned()))
    }

    /// The exact command that continues the job.
    fn resume_hint(&self, after: &str) -> Option<String> {
        let line = &self.options.command_line;
        if self.is_listing {
            let report = self.report.as_deref().filter(|_| matches!(self.target, Target::File(_)));
            return Some(format!("to delete the keys that are left{after}, run:\n  {}", line.again(report)));
        }
        let report = self.report.as_deref()?;
        let is_input = self.stop.as_ref().is_some_and(|stop| stop.reason == StopReason::InputError);
        let input = match (self.reads_stdin, is_input) {
            (true, true) => " with the corrected input on stdin",
            (true, false) => " with the same input on stdin",
            (false, _) => "",
        };
        Some(format!("to resume{after}, run{input}:\n  {}", line.resuming(Some(report))))
    }
}
