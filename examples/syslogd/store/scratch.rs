//! A directory for one test, removed at its end.
//!
//! The name has the process and the test in it, so tests that run at once do not meet.

use std::fs;
use std::path::{Path, PathBuf};

/// The directory; dropping it removes it.
#[derive(Debug)]
pub(crate) struct ScratchDir(PathBuf);

impl ScratchDir {
    /// Creates an empty directory; `name` is the test's own.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("syslogd-{}-{name}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path).unwrap();
        }
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Gives the path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        // What cannot be removed stays in the temporary directory, which is cleaned by others.
        drop(fs::remove_dir_all(&self.0));
    }
}
