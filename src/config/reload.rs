//! From a wish to a new snapshot: read, merge, validate, ask for votes, swap.
//!
//! All of it happens on one thread, [`ReloadThread`], because validation is the user's code and files may
//! be slow: neither belongs on a runtime. A panic of that code is a refusal and never the thread's end.

mod thread;

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

pub use self::thread::ReloadThread;
use super::files::rest::{Marks, Rest};
use super::files::{Bytes, Files};
use super::layers::Layers;
use super::live::Live;
use super::load::Validators;
use super::merge::differences;
use super::problem::{ConfigError, Problem, ProblemKind};
use super::requests::{Hearing, Requests};
use super::settings::{blame, needs_restart};
use super::snapshot::{Config, Snapshot};
use crate::exit::{Panic, catch_blocking};

/// Why a configuration is read anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A file seems to have changed.
    File,
    /// SIGHUP.
    Signal,
    /// The program asked.
    Call,
    /// Somebody asked over the admin socket.
    Admin,
    /// A message on a bus.
    Bus,
}

impl Cause {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Signal => "signal",
            Self::Call => "call",
            Self::Admin => "admin",
            Self::Bus => "bus",
        }
    }
}

/// What a reload came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reloaded {
    /// Everything is as it was.
    Unchanged {
        /// The version in force.
        version: u64,
    },
    /// Another configuration is in force.
    Changed {
        /// Its version.
        version: u64,
        /// The dotted keys that differ, in alphabetical order.
        keys: Arc<[String]>,
        /// Those among them that do nothing before a restart.
        needs_restart: Arc<[String]>,
    },
}

/// Reads a configuration again and again.
pub struct Reloader<C> {
    pub(super) layers: Layers,
    pub(super) validators: Validators<C>,
    pub(super) live: Live<C>,
    /// What the present snapshot was made of.
    pub(super) files: Files,
    /// Whether they have to be read to know that they are the same.
    pub(super) rest: Rest,
    /// What was refused last, so that it is told once and not at each look.
    pub(super) refused: Option<Refused>,
    pub(super) requests: Requests,
    pub(super) hearing: Hearing,
}

/// What was refused: files, or the words of an error that came before there were any.
#[derive(PartialEq)]
pub(super) enum Refused {
    Files(Files),
    Unreadable(String),
}

impl<C: Config> Reloader<C> {
    /// Returns the configuration that this keeps up to date.
    #[must_use]
    pub fn live(&self) -> Live<C> {
        self.live.clone()
    }

    /// Reads everything anew and swaps, or changes nothing.
    ///
    /// Files whose bytes are as they were are not read into structs again; those that are known to be as
    /// they were are not read.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the new configuration.
    pub fn reload(&mut self, cause: Cause) -> Result<Reloaded, ConfigError> {
        let began = now();
        if self.rest.lasts(began) {
            self.refused = None;
            return Ok(self.unchanged());
        }
        let mut marks = Marks::default();
        let files = self.read(cause, &mut marks).inspect_err(|error| {
            self.rest.disturb();
            self.refused = Some(Refused::Unreadable(error.to_string()));
        })?;
        if files == self.files {
            self.rest.note(marks, (began, now()));
            self.refused = None;
            return Ok(self.unchanged());
        }
        self.rest.disturb();
        match self.accept_or_catch(&files) {
            Ok(reloaded) => {
                self.layers.keep_to(&files);
                self.files = files;
                self.rest.note(marks, (began, now()));
                self.refused = None;
                Ok(reloaded)
            }
            Err(error) => {
                self.refused = Some(Refused::Files(files));
                Err(error)
            }
        }
    }

    /// Does the same when a file seems to have changed; `None` when that is no news. That what was refused
    /// is taken back is news, although nothing is another than it was.
    fn look(&mut self) -> Option<Result<Reloaded, ConfigError>> {
        let before = self.refused.take();
        let result = self.reload(Cause::File);
        let is_news = match &result {
            Ok(Reloaded::Unchanged { .. }) => before.is_some(),
            Ok(Reloaded::Changed { .. }) => true,
            Err(_) => before.is_none() || before != self.refused,
        };
        is_news.then_some(result)
    }

    fn read(&self, cause: Cause, marks: &mut Marks) -> Result<Files, ConfigError> {
        let files = self.layers.read_files(marks)?;
        let is_empty = |file: &&Bytes| file.bytes.trim_ascii().is_empty();
        let was_full = |file: &&Bytes| {
            let mut before = self.files.iter();
            before.any(|old| old.path == file.path && !is_empty(&old))
        };
        // A write that failed half way leaves the same behind: nothing says that it was meant, whoever asks.
        if let Some(empty) = files.main.as_ref().filter(is_empty).filter(was_full) {
            return Err(meant("is empty", empty, "; a comment alone takes it back"));
        }
        if cause != Cause::File {
            return Ok(files);
        }
        // Between two writes, and between a removal and the next file, there is nothing to be seen that
        // anybody meant. Whoever does mean it asks for a reload.
        let gone = |old: &&Bytes| !files.iter().any(|new| new.path == old.path);
        if let Some(gone) = self.files.iter().find(gone) {
            return Err(meant("is not there any more", gone, UNTIL_ASKED));
        }
        if let Some(empty) = files.parts.iter().filter(is_empty).find(was_full) {
            return Err(meant("is empty", empty, UNTIL_ASKED));
        }
        Ok(files)
    }

    /// Makes a refusal of a panic: how a value is read, compared and dropped is the user's code.
    fn accept_or_catch(&mut self, files: &Files) -> Result<Reloaded, ConfigError> {
        catch_blocking(|| self.accept(files)).unwrap_or_else(|panic| {
            let message = format!("to read it panicked: {panic}");
            Err(Problem::new(ProblemKind::Invalid, message).into())
        })
    }

    fn accept(&mut self, files: &Files) -> Result<Reloaded, ConfigError> {
        let before = self.live.snapshot();
        let given = self.layers.assemble(files)?;
        let keys = differences(&before.given, &given);
        // Other bytes that mean the same are no new version; they say where its values stand now.
        let version = before.version() + u64::from(!keys.is_empty());
        let after = Snapshot::interpret(given, files, version)?;
        self.validators.check(Some(&before), &after)?;
        for (name, vote) in self.live.voters() {
            let answer = catch_blocking(|| vote(&before, &after));
            let refusal = match answer {
                Ok(Ok(())) => continue,
                Ok(Err(invalid)) => (invalid.key, invalid.message),
                Err(panic) => (String::new(), format!("the vote panicked: {panic}")),
            };
            let message = format!("`{name}` refuses: {}", refusal.1);
            return Err(blame(&after.given, &refusal.0, message).into());
        }
        let replaced = self.live.replace(after);
        // The new one is in force: a panic of the old one's drop is no refusal of it.
        tell_of_panic(
            "the drop of a replaced configuration",
            catch_blocking(|| drop((before, replaced))),
        );
        if keys.is_empty() {
            return Ok(self.unchanged());
        }
        let restart: Vec<String> = keys
            .iter()
            .filter(|key| needs_restart(key))
            .cloned()
            .collect();
        Ok(Reloaded::Changed {
            version,
            keys: keys.into(),
            needs_restart: restart.into(),
        })
    }

    fn unchanged(&self) -> Reloaded {
        Reloaded::Unchanged {
            version: self.live.snapshot().version(),
        }
    }
}

impl<C> fmt::Debug for Reloader<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader")
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the clock of a file system goes on while tokio's is paused"
)]
fn now() -> Instant {
    std::time::Instant::now().into()
}

/// Logs a panic that changes nothing. The subscriber is the program's and may panic too; after that
/// there is nobody left to tell.
fn tell_of_panic(what: &str, caught: Result<(), Panic>) {
    if let Err(panic) = caught {
        drop(catch_blocking(
            || tracing::error!(%panic, "{what} panicked"),
        ));
    }
}

/// What is wrong only as long as nobody says that it was meant.
const UNTIL_ASKED: &str = " until a reload is asked for";

fn meant(what: &str, file: &Bytes, until: &str) -> ConfigError {
    let path = file.path.display();
    let message = format!("{path} {what}; what it said stays in force{until}");
    Problem::new(ProblemKind::Unreadable, message).into()
}

#[cfg(test)]
mod tests;
