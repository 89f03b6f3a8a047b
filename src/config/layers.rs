//! What a configuration is made of, from the lowest layer to the highest: the program's own values, the
//! files, the environment, the command line. The defaults of the structs stand below all of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::document::{Known, Table};
use super::files::rest::Marks;
use super::files::{self, Bytes, Files};
use super::given;
use super::merge::overlay;
use super::origin::Origin;
use super::problem::{ConfigError, Problem};
use super::settings::unify_durations;

/// Everything that a configuration is read from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    /// The program's own values.
    pub(crate) program: Table,
    /// Where the main file is looked for.
    pub(crate) searched: Vec<PathBuf>,
    /// Whether there has to be one: it was named.
    pub(crate) required: bool,
    /// What the names of variables begin with.
    pub(crate) prefix: String,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Arguments `section.key=value`.
    pub(crate) arguments: Vec<String>,
    /// The files as they were parsed last: most of the next text is the same.
    pub(crate) known: Vec<Known>,
    /// What stands above the files and never changes; read when it is asked for first.
    pub(crate) above: OnceLock<[Layer; 3]>,
}

/// One layer, or all that is wrong with it.
type Layer = Result<Table, Vec<Problem>>;

impl Layers {
    /// Keeps to the main file that was found: from now on it is this one or none. Another that is looked
    /// for before or after it must not take its place, nor the defaults when it is removed. Where only a
    /// `conf.d` was found, its place is kept to, and a main file may still appear there.
    pub(crate) fn keep_to(&mut self, files: &Files) {
        if let Some(place) = files.place() {
            self.searched = vec![place.clone()];
            self.required |= files.main.is_some();
        }
    }

    /// Reads the files, and notes the marks that they had before.
    ///
    /// # Errors
    ///
    /// What can't be read.
    pub(super) fn read_files(&self, marks: &mut Marks) -> Result<Files, ConfigError> {
        files::read(&self.searched, self.required, marks)
    }

    /// Lays all layers over one another.
    ///
    /// # Errors
    ///
    /// Every file that is not TOML, every variable and argument that is none.
    pub(crate) fn assemble(&mut self, files: &Files) -> Result<Table, ConfigError> {
        let mut problems = Vec::new();
        let mut table = Table::new();
        let mut lay = |layer: Layer| {
            let unified = layer.and_then(|mut layer| unify_durations(&mut layer).map(|()| layer));
            match unified {
                Ok(layer) => overlay(&mut table, layer),
                Err(found) => problems.extend(found),
            }
        };
        lay(Ok(self.program.clone()));
        let is_there = |known: &Known| files.iter().any(|file| file.path == known.path());
        self.known.retain(is_there);
        for file in files.iter() {
            lay(parse(&mut self.known, file));
        }
        for layer in self.above() {
            lay(layer.clone());
        }
        if problems.is_empty() {
            Ok(table)
        } else {
            Err(ConfigError::new(problems))
        }
    }

    fn above(&self) -> &[Layer; 3] {
        self.above.get_or_init(|| {
            let variables = self.environment.iter().cloned();
            let arguments = self.arguments.iter().map(String::as_str);
            [
                given::rust_log(&self.environment),
                given::environment(&self.prefix, variables),
                given::arguments(arguments, given::command_line),
            ]
        })
    }
}

/// Reads a file, which may be known but for a few values.
fn parse(known: &mut Vec<Known>, file: &Bytes) -> Layer {
    let before = known.iter_mut().find(|known| known.path() == file.path);
    if let Some(table) = before
        .as_ref()
        .and_then(|known| known.changed_to(&file.bytes))
    {
        return Ok(table);
    }
    let parsed = Known::parse(&file.path, file.bytes.clone())?;
    let table = parsed.table().clone();
    match before {
        Some(before) => *before = parsed,
        None => known.push(parsed),
    }
    Ok(table)
}

/// Makes the program's own layer of texts `section.key=value`.
///
/// # Errors
///
/// See [`given::arguments`].
pub(crate) fn program<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Table, ConfigError> {
    given::arguments(texts, |_, _| Origin::Builder).map_err(ConfigError::new)
}

#[cfg(test)]
mod tests;
