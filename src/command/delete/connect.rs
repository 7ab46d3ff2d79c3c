//! The requests before the first key: the namespace is found, seen, and compared with that of the report and of a plan.

use tokio::time::Instant;

use crate::api::{Client, Namespace};
use crate::command::encoding;
use crate::command::error::Error;
use crate::command::job::{Confirm, Connection, DeleteJob, Mode};
use crate::command::job_file::JobRecord;
use crate::command::limits::Limits;
use crate::command::locate::{Missed, client, locate};
use crate::command::preflight;
use crate::command::rehearsal::Rehearsal;
use crate::terminal::Escaped;

use super::Sending;
use super::scan::InputScan;

/// The namespace, found and seen, and the way to it.
pub(super) struct ConnectedTarget {
    pub(super) connection: Connection,
    pub(super) client: Client,
    pub(super) namespace: Namespace,
    pub(super) limits: Limits,
}

impl ConnectedTarget {
    pub(super) fn note(&self) -> String {
        format!("namespace: {} ({})", Escaped(&self.namespace.title), self.connection.namespace)
    }
}

impl Sending {
    /// Makes the first request, and checks that its namespace is that of the report and of a plan.
    pub(super) async fn connect_in_time(
        &mut self,
        job: &DeleteJob,
        rehearsal: Option<&Rehearsal>,
        record: &mut JobRecord,
        scan: &mut InputScan,
    ) -> Result<ConnectedTarget, Missed> {
        let began = *self.began.insert(Instant::now());
        let deadline = job.deadline.map(|deadline| began + deadline);
        let target = preflight::within(deadline, self.connect(job, rehearsal, scan)).await?;
        if rehearsal.is_none() {
            record.located(&target.connection, &target.namespace.title)?;
        }
        Ok(target)
    }

    async fn connect(
        &mut self,
        job: &DeleteJob,
        rehearsal: Option<&Rehearsal>,
        scan: &mut InputScan,
    ) -> Result<ConnectedTarget, Missed> {
        let caller = &mut self.caller;
        let connection = match (rehearsal, &job.mode) {
            (Some(rehearsal), _) => rehearsal.connection()?,
            (None, Mode::Real(connection) | Mode::Check(connection)) => locate(connection, job.timeout, caller).await?,
            (None, Mode::DryRun | Mode::Rehearsal) => {
                return Err(Error::Usage("a dry run has no connection".to_owned()).into());
            }
        };
        let client = client(&connection, job.timeout, job.concurrency)?;
        let namespace = preflight::namespace(caller, &client).await.map_err(Missed::Stop)?;
        let client = encoding::restricted(client, &namespace);
        scan.check_encoding(job, &namespace)?;
        let limits = Limits::over(&namespace, &job.rates, job.rates_from, job.shard());
        if matches!(job.mode, Mode::Real(_)) && limits.rates != job.rates {
            caller.budget.set_rates(&limits.rates, Instant::now());
            if job.confirm == Confirm::AssumeYes {
                limits.warn();
            }
        }
        Ok(ConnectedTarget { connection, client, namespace, limits })
    }
}
