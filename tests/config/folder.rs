//! A folder with a configuration, and the struct that it is read into.

use std::path::{Path, PathBuf};

use perennial::config::{Loader, Reloader, Secret};
use serde::{Deserialize, Serialize};

/// A folder that is removed with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("perennial-tests-config-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).expect("it can be made");
        Self(path)
    }

    /// Makes a folder inside this one.
    pub(crate) fn inside(&self, name: &str) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(&path).expect("it can be made");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file in place.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder"))
            .expect("it can be made");
        std::fs::write(&path, text).expect("it can be written");
        path
    }

    /// Writes another file and puts it in the place of this one, as an editor does.
    pub(crate) fn replace(&self, name: &str, text: impl AsRef<[u8]>) {
        let other = self.write(&format!("{name}.new"), text);
        std::fs::rename(other, self.path(name)).expect("it can be renamed");
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Two numbers that a valid configuration has equal, one at each end of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Pair {
    pub(crate) pair: Numbers,
    pub(crate) other: Other,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Numbers {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Other {
    pub(crate) text: String,
    pub(crate) key: Secret<String>,
}

/// The text of a valid configuration.
pub(crate) fn pair(number: u64) -> String {
    format!("[pair]\nfirst = {number}\nlast = {number}\n")
}

/// Loads the folder's `app.toml`; a pair that differs is refused.
pub(crate) fn loader(folder: &Folder) -> Loader<Pair> {
    Loader::new("app")
        .config::<Pair>()
        .file(folder.path("app.toml"))
        .environment([])
        .validate(|_old, new: &Pair| match new.pair.first == new.pair.last {
            true => Ok(()),
            false => Err(perennial::config::Invalid::at(
                "pair.last",
                "differs from `pair.first`",
            )),
        })
}

pub(crate) fn load(folder: &Folder) -> Reloader<Pair> {
    loader(folder).load().expect("it is valid")
}
