//! The command line.

use std::fmt;

use crate::heat::Effort;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Only these topics; all of them when empty.
    pub(crate) only: Vec<String>,
    pub(crate) effort: Effort,
    pub(crate) is_json: bool,
    /// One run of one contender of one heat: what a league asks of its own program.
    pub(crate) one: Option<(String, String)>,
}

/// An argument that means nothing here.
#[derive(Debug)]
pub(crate) struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\nusage: league [--only restart,tree,shutdown,messages,bus,daemon,config,errors] [--quick|--full] [--json]",
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
            one: None,
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
                "--json" => arguments.is_json = true,
                "--one" => arguments.one = Some((value()?, value()?)),
                _ => return Err(Wrong(format!("unknown argument: {argument}"))),
            }
        }
        Ok(arguments)
    }

    /// Tells whether a topic was asked for.
    pub(crate) fn wants(&self, topic: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == topic)
    }
}
