//! Files: how the text of those that users write is read; replaced in one step, and told apart by what they hold.

mod hash;
mod replace;
pub mod text;

use std::path::{Path, PathBuf};

pub use hash::hash;
pub use replace::{Access, create, folder_of, replace};

/// The job file beside a report: its name with `.job.json`.
pub fn job_file(report: &Path) -> PathBuf {
    let mut path = report.as_os_str().to_owned();
    path.push(".job.json");
    path.into()
}
