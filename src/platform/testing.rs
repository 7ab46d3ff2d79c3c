//! For tests that differ between operating systems.

use std::path::Path;

/// Who may read and write the file; nothing on Windows, where files have no such mode.
pub(crate) fn assert_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
    #[cfg(windows)]
    let _ = (path, mode);
}
