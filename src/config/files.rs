//! Which files a configuration is read from, and their bytes.
//!
//! The main file is the first that exists of those that are looked for; the files of the folder `conf.d`
//! beside it are laid over it in the order of their names. Where there is none of them, the first `conf.d`
//! counts that has files, of those beside the places where it was looked for.

pub(super) mod rest;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use self::rest::Marks;
use super::problem::{ConfigError, Problem, ProblemKind};

/// The folder of further files, beside the main file.
const PARTS: &str = "conf.d";

/// How the name of each of them ends.
const EXTENSION: &str = "toml";

/// The most that is read of one file: far more than anybody writes, and little enough that a device or a
/// wrong file can't fill the memory.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A file and what was in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bytes {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// What was found where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// Where a main file was looked for, in order.
    pub(crate) searched: Vec<PathBuf>,
    pub(crate) main: Option<Bytes>,
    /// In the order in which they are laid over it.
    pub(crate) parts: Vec<Bytes>,
}

impl Files {
    /// Iterates over the files, the lowest layer first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.main.iter().chain(&self.parts)
    }

    /// Returns the place of the main file, whether there is one or only what lies beside it.
    pub(crate) fn place(&self) -> Option<&PathBuf> {
        let folder = || self.parts.first()?.path.parent();
        let is_beside = |path: &&PathBuf| Some(parts_of(path).as_path()) == folder();
        match &self.main {
            Some(main) => Some(&main.path),
            None => self.searched.iter().find(is_beside),
        }
    }
}

/// Lists where the main file of a program is looked for when it was not named: `<name>.toml` in the
/// working directory, then `/etc/<name>/<name>.toml`.
#[must_use]
pub fn search_path(program: &str, working_directory: &Path) -> [PathBuf; 2] {
    let file = format!("{program}.{EXTENSION}");
    let system = Path::new("/etc").join(program).join(&file);
    [working_directory.join(file), system]
}

/// Reads the first of the files that exists, and its parts. When the file is `required`, it has to. Notes the
/// mark of everything that is looked at.
///
/// # Errors
///
/// What can't be read; a file that is not there is an error only where it is required.
pub(super) fn read(
    searched: &[PathBuf],
    required: bool,
    marks: &mut Marks,
) -> Result<Files, ConfigError> {
    for path in searched {
        marks.note(path);
        let bytes = match read_file(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => continue,
            Err(error) => return Err(unreadable(path, &error).into()),
        };
        let main = Bytes {
            path: path.clone(),
            bytes,
        };
        return Ok(Files {
            searched: searched.to_vec(),
            main: Some(main),
            parts: read_parts(&parts_of(path), marks)?,
        });
    }
    for path in searched {
        let parts = read_parts(&parts_of(path), marks)?;
        if !parts.is_empty() {
            return Ok(Files {
                searched: searched.to_vec(),
                main: None,
                parts,
            });
        }
    }
    Ok(Files {
        searched: searched.to_vec(),
        ..Files::default()
    })
}

/// Returns the folder of further files that belongs to a main file.
pub(crate) fn parts_of(main: &Path) -> PathBuf {
    main.with_file_name(PARTS)
}

fn read_parts(folder: &Path, marks: &mut Marks) -> Result<Vec<Bytes>, ConfigError> {
    marks.note(folder);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder, &error).into()),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        // An editor's own files are hidden, or end otherwise.
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden
            && path
                .extension()
                .is_some_and(|extension| extension == EXTENSION)
        {
            paths.push(path);
        }
    }
    paths.sort();
    let read = paths.into_iter().map(|path| {
        marks.note(&path);
        match read_file(&path) {
            Ok(bytes) => Ok(Bytes { path, bytes }),
            Err(error) => Err(ConfigError::from(unreadable(&path, &error))),
        }
    });
    // One that was removed since the folder was read is an error too: what is asked for next reads it anew.
    read.collect()
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    // Asked first: to open a pipe would wait for its writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let mut bytes =
        Vec::with_capacity(usize::try_from(metadata.len().min(MAX_FILE_BYTES)).unwrap_or(0) + 1);
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than 64 MiB",
        ));
    }
    Ok(bytes)
}

/// Says that a path can't be read.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let message = format!("{} cannot be read: {error}", path.display());
    Problem::new(ProblemKind::Unreadable, message)
}

#[cfg(test)]
pub(crate) mod tests;
