//! The command line.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::claims;
use crate::heat::Effort;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Only these topics; all of them when empty.
    pub(crate) only: Vec<String>,
    pub(crate) effort: Effort,
    pub(crate) is_json: bool,
    /// How often everything is done; by the effort when nothing is said.
    rounds: Option<usize>,
    /// How long all of it may take, as long as each heat has its least number of rounds.
    minutes: Option<usize>,
    /// Where the pages and plots are written.
    pub(crate) out: Option<PathBuf>,
    /// One run of one contender of one heat: what a league asks of its own program.
    pub(crate) one: Option<(String, String)>,
    /// One scene with one library, likewise.
    pub(crate) scene: Option<(String, String)>,
    /// A daemon of this library, until it is killed.
    pub(crate) alone: Option<String>,
}

/// An argument that means nothing here.
#[derive(Debug)]
pub(crate) struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\nusage: league [--only restart,tree,shutdown,messages,bus,daemon,config,errors,claims,capabilities] [--quick|--full] [--rounds N] [--minutes N] [--out DIR] [--json]",
            self.0
        )
    }
}

impl Arguments {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    ///
    /// On an argument that is not known, or one that lacks its value.
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, Wrong> {
        let mut arguments = Self {
            only: Vec::new(),
            effort: Effort::Quick,
            is_json: false,
            rounds: None,
            minutes: None,
            out: None,
            one: None,
            scene: None,
            alone: None,
        };
        while let Some(argument) = given.next() {
            let mut value = || {
                let value = given.next();
                value.ok_or_else(|| Wrong(format!("{argument} needs a value")))
            };
            match argument.as_str() {
                "--only" => arguments.only = value()?.split(',').map(str::to_owned).collect(),
                "--quick" => arguments.effort = Effort::Quick,
                "--full" => arguments.effort = Effort::Full,
                "--rounds" => arguments.rounds = Some(count(&value()?)?),
                "--minutes" => arguments.minutes = Some(count(&value()?)?),
                "--out" => arguments.out = Some(value()?.into()),
                "--json" => arguments.is_json = true,
                "--one" => arguments.one = Some((value()?, value()?)),
                claims::ALONE => arguments.alone = Some(value()?),
                "--scene" => arguments.scene = Some((value()?, value()?)),
                _ => return Err(Wrong(format!("unknown argument: {argument}"))),
            }
        }
        Ok(arguments)
    }

    /// Returns how often everything is done.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or_else(|| self.effort.rounds())
    }

    /// Returns how long all of it may take: with full effort twenty minutes, when nothing is said of rounds either.
    pub(crate) fn budget(&self) -> Option<Duration> {
        let usual = (self.effort == Effort::Full && self.rounds.is_none()).then_some(20);
        let minutes = self.minutes.or(usual)?;
        Some(Duration::from_secs(60) * u32::try_from(minutes).unwrap_or(u32::MAX))
    }

    /// Tells whether it is to be found out what each library does: that takes two minutes.
    pub(crate) fn wants_capabilities(&self) -> bool {
        match self.only.is_empty() {
            true => self.effort == Effort::Full,
            false => self.wants("capabilities"),
        }
    }

    /// Tells whether a topic was asked for.
    pub(crate) fn wants(&self, topic: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == topic)
    }
}

fn count(text: &str) -> Result<usize, Wrong> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| Wrong(format!("`{text}` is no number of at least 1")))
}
