//! The namespaces of an account.

use std::io;

use crate::api::{Access, AccountClient};
use crate::exit::ExitCode;
use crate::key::AccountId;
use crate::terminal::Escaped;

use super::error::Error;
use super::job::JobOptions;
use super::locate::{Suspects, account, all};
use super::print::print_lines;
use super::session::Session;

/// Which account's namespaces to list.
#[derive(Debug)]
pub struct NamespacesJob {
    pub access: Access,
    /// Whose namespaces; those of the only account that the credentials can access, if there is none.
    pub account: Option<AccountId>,
    pub options: JobOptions,
}

/// Lists them, sorted by title.
pub(super) fn run(job: &NamespacesJob) -> Result<ExitCode, Error> {
    let client = AccountClient::new(job.access.clone(), job.options.timeout)?;
    let mut session = Session::new(&job.options)?;
    let suspects = Suspects::of(job.account.as_ref(), None);
    let listed = session.run(async |caller| {
        let (account, _) = account(caller, &client, job.account.as_ref()).await?;
        tracing::info!("listing the namespaces of account {account} at {}", job.access.base_url);
        Ok(all(caller, &client, &account).await?)
    });
    let mut namespaces = listed.map_err(|error| suspects.blame(error))?;
    namespaces.sort_by(|one, other| (&one.title, &one.id).cmp(&(&other.title, &other.id)));
    let lines = if job.options.json {
        let json = serde_json::to_string_pretty(&namespaces).map_err(io::Error::from);
        vec![json.map_err(Error::system("write the namespaces"))?]
    } else {
        // A line each, whatever a title holds.
        namespaces.iter().map(|namespace| format!("{}  {}", namespace.id, Escaped(&namespace.title))).collect()
    };
    print_lines(lines).map_err(Error::system("write the namespaces"))?;
    Ok(ExitCode::Success)
}
