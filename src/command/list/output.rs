//! Where a list goes, and how far it has come there.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum as _;

use crate::command::earlier;
use crate::command::error::Error;
use crate::command::job::{Connection, ListJob};
use crate::files::{IfExists, OutputFile};
use crate::listing::{Checkpoint, Listing, Position};
use crate::pipeline::call::ApiCaller;
use crate::platform;

/// Where the list goes. Clones write to the same place.
#[derive(Clone)]
pub(super) enum Output {
    File(Arc<OutputFile>),
    /// A duplicate of stdout, without the line buffer that std has in front of it.
    Stdout(Arc<File>),
}

/// Counts what the earlier run of a listing that is resumed has sent, before anything else is.
pub(super) fn count_earlier(job: &ListJob, caller: &mut ApiCaller) -> Result<(), Error> {
    let Some(path) = job.output.as_deref().filter(|_| job.existing == IfExists::Resume) else { return Ok(()) };
    if let Some(mark) = Checkpoint::read(path)? {
        let sent = mark.requests.iter().map(|made| UNIX_EPOCH + Duration::from_millis(*made)).collect();
        // A request that was given up, or, if the run was killed, a page and its retries.
        let unrecorded = if mark.ended { 1 } else { 1 + job.options.retry.retries as usize };
        earlier::count_requests(&mut caller.budget, sent, unrecorded, job.options.timeout);
    }
    Ok(())
}

/// When requests were made, as a checkpoint holds it.
pub(super) fn made(caller: &ApiCaller) -> Vec<u64> {
    let since_1970 = |made: SystemTime| made.duration_since(UNIX_EPOCH).ok();
    let made = earlier::latest_requests(&caller.budget).into_iter().filter_map(since_1970);
    made.filter_map(|made| u64::try_from(made.as_millis()).ok()).collect()
}

/// Opens the output and finds out where the listing stands.
pub(super) fn open(job: &ListJob, connection: &Connection) -> Result<(Output, Checkpoint), Error> {
    let (protect, only) = job.selection.names.patterns();
    let listing = Listing {
        base_url: connection.access.base_url.to_string(),
        account: connection.account.to_string(),
        namespace: connection.namespace.to_string(),
        format: job.format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default(),
        prefixes: job.prefixes.clone(),
        only: only.concat(),
        protect,
        expiring_before: job.selection.expiring_before.clone(),
        without_expiration: job.selection.without_expiration,
        metadata: job.selection.metadata.clone(),
    };
    let fresh = Checkpoint {
        listing,
        position: Position::default(),
        bytes: 0,
        keys: 0,
        skipped: 0,
        requests: Vec::new(),
        ended: false,
    };
    let Some(path) = &job.output else {
        let stdout = platform::duplicate(io::stdout()).map_err(Error::system("use stdout"))?;
        return Ok((Output::Stdout(Arc::new(stdout)), fresh));
    };
    let mut file = OutputFile::open(path.clone(), job.existing)?;
    let length = file.file().metadata().map_err(Error::system("look at the output"))?.len();
    let mark = match job.existing {
        IfExists::Refuse | IfExists::Overwrite => fresh,
        IfExists::Resume => match Checkpoint::read(path)? {
            Some(mark) => unchanged(mark, &fresh.listing, path, length)?,
            None if length == 0 => fresh,
            None => {
                return Err(Error::Usage(format!(
                    "{} is complete or not a listing of kvsweep: there is no {} to resume from\nhint: pass --overwrite to list from scratch",
                    path.display(),
                    Checkpoint::path(path).display()
                )));
            }
        },
    };
    // First that nothing is there yet, then that it is so: killed in between, it starts from scratch.
    mark.write(path)?;
    file.begin(mark.bytes)?;
    file.write_lock_owner();
    Ok((Output::File(Arc::new(file)), mark))
}

fn unchanged(mark: Checkpoint, listing: &Listing, path: &Path, length: u64) -> Result<Checkpoint, Error> {
    let shown = Checkpoint::path(path);
    if !mark.listing.is_the_same(listing) {
        return Err(Error::Usage(format!(
            "{} belongs to another listing\nhint: resume it with the same namespace, format and selection, or pass --overwrite to list from scratch",
            shown.display()
        )));
    }
    if length < mark.bytes {
        return Err(Error::Usage(format!(
            "{} is shorter than {} says, so it has been changed\nhint: pass --overwrite to list from scratch",
            path.display(),
            shown.display()
        )));
    }
    // From now on this run may be killed with requests that it does not hold.
    Ok(Checkpoint { ended: false, ..mark })
}

pub(super) fn write(output: &Output, rows: &[u8], mark: &Checkpoint) -> Result<bool, Error> {
    match output {
        Output::Stdout(stdout) => match (&**stdout).write_all(rows) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            written => written.map(|()| true).map_err(Error::system("write the list")),
        },
        Output::File(file) => {
            let mut out = file.file();
            out.write_all(rows).and_then(|()| out.sync_data()).map_err(Error::system("write the list"))?;
            file.check_in_place()?;
            mark.write(file.path())?;
            Ok(true)
        }
    }
}
