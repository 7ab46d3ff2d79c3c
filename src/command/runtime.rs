//! The runtime of a command.

use tokio::runtime::{Builder, Runtime};

use super::error::Error;

/// A runtime that is never dropped, because that would wait for a name that is still being looked up, or for a file on a
/// disk that does not answer. The process ends soon after.
pub(super) fn runtime() -> Result<&'static Runtime, Error> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map(|runtime| &*Box::leak(Box::new(runtime))).map_err(Error::system("start the runtime"))
}
