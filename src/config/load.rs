//! Loads a configuration for the first time.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::files::rest::{Marks, Rest};
use super::files::search_path;
use super::given::environment_prefix;
use super::layers::{self, Layers};
use super::live::Live;
use super::problem::{ConfigError, Invalid, Problem, ProblemKind};
use super::reload::Reloader;
use super::requests::requests;
use super::settings::{Settings, blame};
use super::snapshot::{Config, NoConfig, Snapshot};
use crate::exit::catch_blocking;

type Validate<C> = dyn Fn(Option<&C>, &C) -> Result<(), Invalid> + Send;
type Check = dyn Fn(&Settings) -> Result<(), Invalid> + Send;

/// Who has a say in whether a configuration can be used.
pub(super) struct Validators<C> {
    /// The program.
    validate: Vec<Box<Validate<C>>>,
    /// Those who know what the daemon's own values mean.
    checks: Vec<Box<Check>>,
}

impl<C: Config> Validators<C> {
    /// Asks everybody.
    ///
    /// # Errors
    ///
    /// What each of them said.
    pub(super) fn check(
        &self,
        before: Option<&Snapshot<C>>,
        after: &Snapshot<C>,
    ) -> Result<(), ConfigError> {
        let checks = self.checks.iter().map(|check| check(after.settings()));
        let before = before.map(Snapshot::config);
        let validations = self.validate.iter().map(|validate| {
            let answer = catch_blocking(|| validate(before, after.config()));
            answer.unwrap_or_else(|panic| Err(format!("the validation panicked: {panic}").into()))
        });
        let refusals = checks.chain(validations).filter_map(Result::err);
        let problems: Vec<Problem> = refusals
            .map(|invalid| blame(&after.given, &invalid.key, invalid.message))
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::new(problems))
        }
    }
}

/// Says where a configuration comes from, and loads it. A daemon has one; a program without a daemon can
/// use it by itself.
///
/// ```
/// # use perennial::config::Loader;
/// # fn main() -> Result<(), perennial::config::ConfigError> {
/// let mut reloader = Loader::new("example").set("logging.level=debug").load()?;
/// let live = reloader.live();
/// assert_eq!(live.snapshot().settings().logging.level, "debug");
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is loaded before `load`"]
pub struct Loader<C = NoConfig> {
    name: String,
    file: Option<PathBuf>,
    program: Vec<String>,
    environment: Option<Vec<(OsString, OsString)>>,
    arguments: Vec<String>,
    validators: Validators<C>,
}

impl Loader {
    /// Makes one for the program of this name, without sections of its own.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            file: None,
            program: Vec::new(),
            environment: None,
            arguments: Vec::new(),
            validators: Validators {
                validate: Vec::new(),
                checks: Vec::new(),
            },
        }
    }

    /// Reads what is not the daemon's into this struct.
    pub fn config<C: Config>(self) -> Loader<C> {
        Loader {
            name: self.name,
            file: self.file,
            program: self.program,
            environment: self.environment,
            arguments: self.arguments,
            validators: Validators {
                validate: Vec::new(),
                checks: self.validators.checks,
            },
        }
    }
}

impl<C: Config> Loader<C> {
    /// Names the main file, which then has to be there. Default: `<name>.toml` in the working directory,
    /// then `/etc/<name>/<name>.toml`, and it need not.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Sets a value of the program's own, `section.key=value`; files and everything above them win.
    pub fn set(mut self, assignment: impl Into<String>) -> Self {
        self.program.push(assignment.into());
        self
    }

    /// Adds assignments of the command line, `section.key=value`; they win over everything.
    pub fn arguments(mut self, assignments: impl IntoIterator<Item = String>) -> Self {
        self.arguments.extend(assignments);
        self
    }

    /// Sets the environment. Default: that of the process.
    pub fn environment(
        mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        self.environment = Some(variables.into_iter().collect());
        self
    }

    /// Lets the program refuse a configuration. It is given the one in force, `None` at the start, and
    /// the new one.
    pub fn validate(
        mut self,
        validate: impl Fn(Option<&C>, &C) -> Result<(), Invalid> + Send + 'static,
    ) -> Self {
        self.validators.validate.push(Box::new(validate));
        self
    }

    /// Lets somebody refuse what the daemon's own sections say.
    #[cfg(feature = "daemon")]
    pub(crate) fn check(
        mut self,
        check: impl Fn(&Settings) -> Result<(), Invalid> + Send + 'static,
    ) -> Self {
        self.validators.checks.push(Box::new(check));
        self
    }

    /// Returns the name that files and variables are called by.
    #[cfg(feature = "daemon")]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Reads everything and makes version 1.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn load(self) -> Result<Reloader<C>, ConfigError> {
        let mut layers = self.layers()?;
        let files = layers.read_files(&mut Marks::default())?;
        layers.keep_to(&files);
        let given = layers.assemble(&files)?;
        let snapshot = Snapshot::interpret(given, &files, 1)?;
        self.validators.check(None, &snapshot)?;
        let (requests, hearing) = requests();
        let live = Live::new(snapshot, requests.clone());
        Ok(Reloader {
            layers,
            validators: self.validators,
            live,
            files,
            rest: Rest::default(),
            refused: None,
            requests,
            hearing,
        })
    }

    fn layers(&self) -> Result<Layers, ConfigError> {
        let here = std::env::current_dir().map_err(|error| {
            Problem::new(
                ProblemKind::Unreadable,
                format!("there is no working directory: {error}"),
            )
        })?;
        // Absolute, so that it means the same after the working directory has changed.
        let searched = match &self.file {
            Some(file) => vec![here.join(file)],
            None => search_path(&self.name, &here).to_vec(),
        };
        let process = || std::env::vars_os().collect();
        Ok(Layers {
            program: layers::program(self.program.iter().map(String::as_str))?,
            searched,
            required: self.file.is_some(),
            prefix: environment_prefix(&self.name),
            environment: self.environment.clone().unwrap_or_else(process),
            arguments: self.arguments.clone(),
            ..Layers::default()
        })
    }
}

impl<C> fmt::Debug for Loader<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("name", &self.name)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
