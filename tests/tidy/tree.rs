//! The files that the rules look at, and what a rule reports.
//!
//! A tree is read from the disk once for each test, or built in memory by the tests of the rules.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use crate::source;

/// The folders whose `.rs` files are checked.
const FOLDERS: [&str; 5] = ["src", "examples", "tests", "benches", "perf-rigs"];

/// One file, with its path relative to the root of the workspace and `/` between its parts.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    /// Tells whether the file belongs to the library.
    pub(crate) fn is_library(&self) -> bool {
        self.path.starts_with("src/")
    }

    /// Tells whether the file holds nothing but tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.starts_with("tests/")
            || self.path.contains("/tests/")
    }

    /// Returns the module below `src/` that the file belongs to; none for the crate root.
    pub(crate) fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let module = inside.split('/').next()?;
        let module = module.strip_suffix(".rs").unwrap_or(module);
        (module != "lib").then_some(module)
    }

    /// Returns the violation of a rule at a byte offset of this file.
    pub(crate) fn violation_at(&self, offset: usize, what: impl Into<String>) -> Violation {
        self.violation_in(source::line_of(&self.text, offset), what)
    }

    /// Returns the violation of a rule in a line of this file.
    pub(crate) fn violation_in(&self, line: usize, what: impl Into<String>) -> Violation {
        Violation {
            path: self.path.clone(),
            line,
            what: what.into(),
        }
    }
}

/// Every file the rules look at, in the order of their paths, and the manifest.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<SourceFile>,
    pub(crate) manifest: String,
}

impl Tree {
    /// Reads the workspace at `root`.
    ///
    /// # Errors
    ///
    /// Fails when a folder or a file can't be read, and when there is nothing to check at all: a
    /// check of nothing would pass.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self {
            files: Vec::new(),
            manifest: fs::read_to_string(root.join("Cargo.toml"))?,
        };
        for folder in FOLDERS {
            if root.join(folder).is_dir() {
                tree.read_folder(root, folder)?;
            }
        }
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        if tree.file("src/lib.rs").is_none() {
            let message = format!("no src/lib.rs below {}", root.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        Ok(tree)
    }

    /// Returns the file with this path.
    pub(crate) fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Iterates over the files of the library.
    pub(crate) fn library(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.is_library())
    }

    fn read_folder(&mut self, root: &Path, folder: &str) -> io::Result<()> {
        for entry in fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = format!("{folder}/{name}");
            // `target` may be a build folder of a member; it holds sources that nobody wrote.
            if entry.file_type()?.is_dir() && !name.starts_with('.') && name != "target" {
                self.read_folder(root, &path)?;
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(entry.path())?;
                self.files.push(SourceFile { path, text });
            }
        }
        Ok(())
    }
}

/// A place where a rule is broken.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) path: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Builds a tree in memory from paths and texts.
pub(crate) fn in_memory(files: &[(&str, &str)]) -> Tree {
    let files = files.iter().map(|(path, text)| SourceFile {
        path: (*path).to_owned(),
        text: (*text).to_owned(),
    });
    Tree {
        files: files.collect(),
        manifest: String::new(),
    }
}

/// Returns `path:line` of each violation, for comparing.
pub(crate) fn places(violations: &[Violation]) -> Vec<String> {
    violations
        .iter()
        .map(|violation| format!("{}:{}", violation.path, violation.line))
        .collect()
}
