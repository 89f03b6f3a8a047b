//! A configuration as it was at one moment: whole, valid, and never changed again.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::document::{self, Node, Table, Value};
use super::files::Files;
use super::origin::Origin;
use super::problem::ConfigError;
use super::reader::{self, Findings};
use super::secret::REDACTED;
use super::settings::{SECTIONS, Settings, blame};
use crate::sync::atomic::{AtomicBool, Ordering};

/// What the sections of a program can be read into: a plain struct with `Serialize` and `Deserialize`.
///
/// A field without a default must be given; `#[serde(default)]` takes the struct's. Written out again it
/// shows the defaults of what nobody set.
pub trait Config: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<C: Serialize + DeserializeOwned + Send + Sync + 'static> Config for C {}

/// The sections of a program that has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NoConfig {}

/// A configuration at one moment.
pub struct Snapshot<C> {
    /// Whether another one is in force instead.
    is_replaced: AtomicBool,
    version: u64,
    settings: Settings,
    config: C,
    /// What was given, all layers merged.
    pub(super) given: Table,
    /// What was found out about secrets while the structs were read.
    findings: Findings,
    /// The keys that are not shown; looked for when something is shown.
    secrets: OnceLock<BTreeSet<String>>,
    files: Vec<PathBuf>,
    searched: Vec<PathBuf>,
}

impl<C: Config> Snapshot<C> {
    /// Reads merged layers into the structs and looks for contradictions.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub(crate) fn interpret(
        given: Table,
        files: &Files,
        version: u64,
    ) -> Result<Self, ConfigError> {
        let is_ours = |name: &String| SECTIONS.contains(&name.as_str());
        let (ours, mut theirs): (Table, Table) =
            given.into_iter().partition(|(name, _)| is_ours(name));
        let settings = reader::read::<Settings>(&ours, &[]);
        let config = reader::read::<C>(&theirs, &SECTIONS);
        let mut given = ours;
        given.append(&mut theirs);
        let (settings, config) = match (settings, config) {
            (Ok(settings), Ok(config)) => (settings, config),
            (settings, config) => {
                let problems = [settings.err(), config.err()]
                    .into_iter()
                    .flatten()
                    .flatten();
                return Err(ConfigError::new(problems.collect()));
            }
        };
        let contradictions = settings.0.contradictions();
        if !contradictions.is_empty() {
            let blamed = contradictions
                .into_iter()
                .map(|(key, message)| blame(&given, key, message));
            return Err(ConfigError::new(blamed.collect()));
        }
        Ok(Self {
            is_replaced: AtomicBool::new(false),
            version,
            settings: settings.0.complete(),
            config: config.0,
            findings: config.1,
            secrets: OnceLock::new(),
            given,
            files: files.iter().map(|file| file.path.clone()).collect(),
            searched: files.searched.clone(),
        })
    }

    /// Renders the whole configuration with the origin of every value, as [`Live::effective`] does.
    ///
    /// [`Live::effective`]: super::Live::effective
    #[must_use]
    pub fn effective(&self) -> String {
        super::print::effective(self)
    }

    /// Tells whether the key, or one around it, holds a secret.
    pub(super) fn is_secret(&self, key: &str) -> bool {
        let covers = |secret: &String| {
            key.strip_prefix(secret.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let secrets = self
            .secrets
            .get_or_init(|| secrets(&self.findings, written_out(&self.config)));
        secrets.iter().any(covers)
    }

    /// What nobody gave, as the structs have it.
    pub(super) fn with_defaults(&self) -> Table {
        let mut table = defaults_of(&self.settings);
        table.extend(defaults_of(&self.config));
        super::merge::overlay(&mut table, self.given.clone());
        table
    }
}

impl<C> Snapshot<C> {
    /// Says that another one is in force instead.
    pub(super) fn mark_as_replaced(&self) {
        self.is_replaced.store(true, Ordering::Release);
    }

    /// Tells whether another one is in force instead, which is then found by whoever looks for it.
    pub(super) fn is_replaced(&self) -> bool {
        self.is_replaced.load(Ordering::Acquire)
    }

    /// Tells the same to whoever asks [`is_replaced`](Self::is_replaced) again before he looks for the other:
    /// it does not hold up what is read from this one.
    #[inline]
    pub(super) fn seems_replaced(&self) -> bool {
        self.is_replaced.load(Ordering::Relaxed)
    }

    /// Returns which version this is: 1 at the start, one more for each change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the daemon's own sections.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the program's sections.
    #[must_use]
    pub fn config(&self) -> &C {
        &self.config
    }

    /// Returns where the value of a dotted key, such as `logging.level`, comes from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        document::find(&self.given, key).map_or(Origin::Default, |node| node.origin.clone())
    }

    /// Returns the files it was read from, the lowest layer first.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns where the main file was looked for, in order.
    pub fn searched(&self) -> impl Iterator<Item = &Path> {
        self.searched.iter().map(PathBuf::as_path)
    }
}

/// Shows no values: what is no secret by its type may be one all the same.
impl<C> fmt::Debug for Snapshot<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("version", &self.version)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// Lists the keys that are not shown.
///
/// Of a value that serde has put aside the reader does not learn the type. The struct written out tells:
/// a secret is written as what is shown in its stead. Where nothing is written in the same place, as with
/// an alias, the value may have become one.
fn secrets(findings: &Findings, written: toml::Table) -> BTreeSet<String> {
    let mut seen = Written {
        secrets: findings.secrets.clone(),
        untyped: findings.untyped.clone(),
    };
    seen.look_into(&mut String::new(), &toml::Value::Table(written));
    seen.secrets.append(&mut seen.untyped);
    seen.secrets
}

/// What is looked for in a struct that was written out, by key.
struct Written {
    /// The secrets; each that is found is added.
    secrets: BTreeSet<String>,
    /// What has been put aside; what is found in the open is taken out.
    untyped: BTreeSet<String>,
}

impl Written {
    /// Looks at a value and what is in it; the key is as before when it returns.
    fn look_into(&mut self, key: &mut String, value: &toml::Value) {
        let length = key.len();
        match value {
            toml::Value::Table(table) => {
                for (name, value) in table {
                    if length > 0 {
                        key.push('.');
                    }
                    key.push_str(name);
                    self.look_into(key, value);
                    key.truncate(length);
                }
            }
            toml::Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    // Never fails: it is written to memory.
                    let _is_written = write!(key, "[{index}]");
                    self.look_into(key, value);
                    key.truncate(length);
                }
            }
            toml::Value::String(text) if text == REDACTED => {
                self.secrets.insert(key.clone());
            }
            _ => {
                self.untyped.remove(key);
            }
        }
    }
}

/// Writes a struct out; one that is no table, or holds what TOML can't, shows nothing.
fn written_out(value: &impl Serialize) -> toml::Table {
    match toml::Value::try_from(value) {
        Ok(toml::Value::Table(table)) => table,
        _ => toml::Table::new(),
    }
}

/// Writes a struct out as a document.
fn defaults_of(value: &impl Serialize) -> Table {
    let written = written_out(value).into_iter();
    written
        .map(|(name, value)| (name, default_node(value)))
        .collect()
}

fn default_node(value: toml::Value) -> Node {
    let value = match value {
        toml::Value::Boolean(value) => Value::Boolean(value),
        toml::Value::Integer(value) => Value::Integer(value),
        toml::Value::Float(value) => Value::Float(value),
        toml::Value::String(value) => Value::String(value),
        toml::Value::Datetime(value) => Value::Datetime(value),
        toml::Value::Array(values) => {
            Value::Array(Arc::new(values.into_iter().map(default_node).collect()))
        }
        toml::Value::Table(table) => {
            let entries = table
                .into_iter()
                .map(|(name, value)| (name, default_node(value)));
            Value::Table(Arc::new(entries.collect()))
        }
    };
    Node::new(value, Origin::Default)
}
