//! The arguments that every daemon understands.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// What the arguments of a program ask for.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandLine {
    /// `--config <file>`: the main file.
    pub config: Option<PathBuf>,
    /// `--set section.key=value`, in order.
    pub set: Vec<String>,
    /// What to do.
    pub task: Task,
}

/// What a program is asked to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Task {
    /// Run.
    #[default]
    Run,
    /// `--print-config`: print the merged configuration with the origin of every value.
    PrintConfig,
    /// `--check-config`: say whether the configuration can be used.
    CheckConfig,
    /// `--help`: say what can be asked.
    Help,
}

/// What `--help` prints, after the name.
pub const HELP: &str = "\
  --config <file>            read this file; it has to be there
  --set <section.key=value>  set one value, over everything else; can be repeated
  --print-config             print the configuration with the origin of every value
  --check-config             say whether the configuration can be used: exit 0 or 78
  --help                     print this
";

/// Says which argument is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UsageError {
    /// Nobody knows it. What stands behind its first `=`, or behind the letter of a short one, is left out:
    /// it may be a secret.
    #[error("unknown argument `{0}`; `--help` lists what there is")]
    Unknown(String),
    /// It is no option. Its text is left out: it may be a secret that belongs to the one before it.
    #[error("unexpected argument number {position}; `--help` lists what there is")]
    Unexpected {
        /// Which one it is, counted from 1.
        position: usize,
    },
    /// Only a program that hands its arguments over reads it.
    #[error("`{0}` is not read by this program, so it cannot be checked with it")]
    NotRead(&'static str),
    /// It needs a value, which is not there.
    #[error("`{0}` needs a value")]
    MissingValue(&'static str),
    /// It needs no value, and one is there.
    #[error("`{0}` takes no value")]
    UnwantedValue(&'static str),
    /// An assignment is not UTF-8.
    #[error("the value of `{0}` is not UTF-8")]
    NotUtf8(&'static str),
}

impl CommandLine {
    /// Reads arguments, without the program's own name before them.
    ///
    /// # Errors
    ///
    /// [`UsageError`], at the first that is not understood.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, UsageError> {
        let mut arguments = (1..).zip(arguments);
        let mut line = Self::default();
        while let Some((position, argument)) = arguments.next() {
            let text = argument.to_string_lossy();
            let (name, joined) = match text.split_once('=') {
                Some((name, value)) => (name, Some(OsString::from(value))),
                None => (&*text, None),
            };
            let mut value = |name| {
                joined
                    .clone()
                    .or_else(|| arguments.next().map(|(_, value)| value))
                    .ok_or(UsageError::MissingValue(name))
            };
            match name {
                "--config" => line.config = Some(value("--config")?.into()),
                "--set" => {
                    let text = value("--set")?.into_string();
                    line.set
                        .push(text.map_err(|_| UsageError::NotUtf8("--set"))?);
                }
                "--print-config" => {
                    line.choose(Task::PrintConfig, "--print-config", joined.as_ref())?
                }
                "--check-config" => {
                    line.choose(Task::CheckConfig, "--check-config", joined.as_ref())?
                }
                "--help" | "-h" => line.choose(Task::Help, "--help", joined.as_ref())?,
                _ => return Err(unknown(name, position)),
            }
        }
        Ok(line)
    }

    /// Reads the arguments of a program that does not hand them over: whether they ask about the
    /// configuration, and nothing else.
    ///
    /// # Errors
    ///
    /// [`UsageError::NotRead`] for a question that is asked together with what is not heeded.
    #[cfg(any(test, feature = "daemon"))]
    pub(crate) fn parse_questions(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, UsageError> {
        let mut line = Self::default();
        let mut not_read = None;
        for argument in arguments
            .into_iter()
            .take_while(|argument| argument != "--")
        {
            let text = argument.to_string_lossy();
            match text.split('=').next().unwrap_or_default() {
                "--print-config" => line.choose(Task::PrintConfig, "--print-config", None)?,
                "--check-config" => line.choose(Task::CheckConfig, "--check-config", None)?,
                "--config" => not_read = Some("--config"),
                "--set" => not_read = Some("--set"),
                _ => {}
            }
        }
        match not_read {
            Some(name) if line.task != Task::Run => Err(UsageError::NotRead(name)),
            _ => Ok(line),
        }
    }

    fn choose(
        &mut self,
        task: Task,
        name: &'static str,
        value: Option<&OsString>,
    ) -> Result<(), UsageError> {
        if value.is_some() {
            return Err(UsageError::UnwantedValue(name));
        }
        // Help wins: whoever asks for it knows least.
        if self.task != Task::Help {
            self.task = task;
        }
        Ok(())
    }
}

/// Shows of an argument what is no value.
fn unknown(name: &str, position: usize) -> UsageError {
    let letter = || name.chars().take(2).collect();
    match name {
        long if long.starts_with("--") => UsageError::Unknown(long.to_owned()),
        short if short.starts_with('-') => UsageError::Unknown(letter()),
        _ => UsageError::Unexpected { position },
    }
}

/// Shows what is set and not to what: a value may be a secret.
impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = |text: &'_ String| text.split('=').next().unwrap_or_default().to_owned();
        f.debug_struct("CommandLine")
            .field("config", &self.config)
            .field("set", &self.set.iter().map(key).collect::<Vec<_>>())
            .field("task", &self.task)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{CommandLine, Task, UsageError};

    fn parse(arguments: &[&str]) -> Result<CommandLine, UsageError> {
        CommandLine::parse(arguments.iter().map(Into::into))
    }

    #[test]
    fn values_stand_behind_a_space_or_an_equals_sign() {
        for arguments in [
            &["--config", "a.toml", "--set", "a.b=1", "--print-config"][..],
            &["--config=a.toml", "--print-config", "--set=a.b=1"],
        ] {
            let line = parse(arguments).expect("it is understood");
            assert_eq!(line.config.as_deref(), Some("a.toml".as_ref()));
            assert_eq!(
                (line.set, line.task),
                (vec!["a.b=1".to_owned()], Task::PrintConfig)
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(
            parse(&["--confg"]),
            Err(UsageError::Unknown("--confg".to_owned()))
        );
        assert_eq!(
            parse(&["--config"]),
            Err(UsageError::MissingValue("--config"))
        );
        assert_eq!(
            parse(&["--check-config=1"]),
            Err(UsageError::UnwantedValue("--check-config"))
        );
    }

    #[test]
    fn a_value_is_shown_neither_by_debug_nor_in_a_complaint() {
        let line = parse(&["--set", "db.password=hunter2"]).expect("it is understood");
        let shown = format!("{line:?}");
        assert!(shown.contains("db.password"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        for (arguments, expected) in [
            (
                &["--ste=db.password=hunter2"][..],
                "unknown argument `--ste`",
            ),
            (
                &["--set", "db.password=x", "hunter2"],
                "unexpected argument number 3",
            ),
            (&["-phunter2"], "unknown argument `-p`"),
        ] {
            let told = parse(arguments).expect_err("nobody knows it").to_string();
            assert!(
                told.starts_with(expected) && !told.contains("hunter2"),
                "{told}"
            );
        }
    }

    #[test]
    fn a_program_that_keeps_its_arguments_is_asked_about_its_configuration_all_the_same() {
        let parse = |arguments: &[&str]| {
            CommandLine::parse_questions(arguments.iter().map(Into::into)).map(|line| line.task)
        };
        for (arguments, expected) in [
            (
                &["serve", "--fast", "--config", "own.toml"][..],
                Ok(Task::Run),
            ),
            (&["serve", "--check-config"], Ok(Task::CheckConfig)),
            (&["--print-config", "x"], Ok(Task::PrintConfig)),
            (&["--", "--check-config"], Ok(Task::Run)),
            (
                &["--check-config", "--config=x"],
                Err(UsageError::NotRead("--config")),
            ),
        ] {
            assert_eq!(parse(arguments), expected, "{arguments:?}");
        }
    }
}
