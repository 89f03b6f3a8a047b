//! Values from outside of every file: environment variables, and arguments `section.key=value`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use super::document::{self, Node, Table, Value, parse_given};
use super::origin::{Given, Origin};
use super::problem::{Problem, ProblemKind};

/// How deep a variable may reach into tables; TOML's own parser stops at 80.
const MAX_DEPTH: usize = 32;

/// Returns what the names of a program's variables begin with: `MY_DAEMON__` for `my-daemon`.
#[must_use]
pub fn environment_prefix(program: &str) -> String {
    let letter = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_uppercase(),
        false => '_',
    };
    let name: String = program.chars().map(letter).collect();
    format!("{name}__")
}

/// Makes a document of the variables that begin with the prefix: `X__LOGGING__MAX_FILES=3` is
/// `logging.max_files = 3`. Names are taken in lower case, as keys are written; one that has capital letters
/// can't be reached by a variable.
///
/// # Errors
///
/// Names without a key, two that mean the same key or a key and something inside it, and values that are
/// not UTF-8.
pub(crate) fn environment(
    prefix: &str,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Table, Vec<Problem>> {
    // Sorted, so that the same variables make the same complaint.
    let mine = variables.into_iter().filter_map(|(name, text)| {
        // What is not UTF-8 in a name is replaced, and then it is no key that anybody knows.
        let name = name.to_string_lossy().into_owned();
        name.starts_with(prefix).then_some((name, text))
    });
    let mine: BTreeMap<String, OsString> = mine.collect();
    let mut table = Table::new();
    let mut problems = Vec::new();
    let mut keys: BTreeMap<String, &str> = BTreeMap::new();
    for (name, text) in &mine {
        let key = name[prefix.len()..].to_ascii_lowercase();
        if let Some(other) = clashing(&keys, &key) {
            let origin = Origin::Environment(Given::new(name, ""));
            problems.push(*at(
                &origin,
                &format!(
                    "means what `{other}` means, or something inside it; unset one of the two"
                ),
            ));
            continue;
        }
        keys.insert(key.clone(), name);
        let names: Vec<&str> = key.split("__").collect();
        let origin = |text: &str| Origin::Environment(Given::new(name, text));
        let inserted = match text.to_str() {
            Some(text) => insert(&mut table, &names, text, &origin(text)),
            None => Err(at(&origin(""), "the value is not UTF-8")),
        };
        problems.extend(inserted.err().map(|problem| *problem));
    }
    if problems.is_empty() {
        Ok(table)
    } else {
        Err(problems)
    }
}

/// Finds the variable that a key can't stand beside: of the same key, or of one around or inside it.
fn clashing<'a>(keys: &BTreeMap<String, &'a str>, key: &str) -> Option<&'a str> {
    let is_around = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("__"))
    };
    let found = keys
        .iter()
        .find(|(known, _)| is_around(known, key) || is_around(key, known));
    found.map(|(_, name)| *name)
}

/// The variable in which programs that log with `tracing` or `log` look for their level.
const RUST_LOG: &str = "RUST_LOG";

/// The words that are levels, as `tracing` knows them; a number from 0 to 5 is one too.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Spells out a word that is no level: in this variable it is a target, of which everything is logged.
/// `logging.level` takes no such word, because one that is misspelt would turn everything off.
fn spelled_out(text: &str) -> String {
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let is_word = text
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    match is_word && !is_level(text) && text.parse::<u8>().is_err() {
        true => format!("{text}=trace"),
        false => text.to_owned(),
    }
}

/// Makes a document of `RUST_LOG`, which stands below the program's own variables.
///
/// # Errors
///
/// A value that is not UTF-8.
pub(crate) fn rust_log(variables: &[(OsString, OsString)]) -> Result<Table, Vec<Problem>> {
    let mut table = Table::new();
    let found = variables
        .iter()
        .find(|(name, text)| name == RUST_LOG && !text.is_empty());
    if let Some((_, text)) = found {
        let origin = |text: &str| Origin::Environment(Given::new(RUST_LOG, text));
        let inserted = match text.to_str() {
            Some(text) => {
                let text = spelled_out(text.trim());
                insert(&mut table, &["logging", "level"], &text, &origin(&text))
            }
            None => Err(at(&origin(""), "the value is not UTF-8")),
        };
        inserted.map_err(|problem| vec![*problem])?;
    }
    Ok(table)
}

/// Makes a document of arguments `section.key=value`; of two for the same key the later wins.
///
/// # Errors
///
/// Arguments without a `=` or without a key, and a key together with something inside it.
pub(crate) fn arguments<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    origin: impl Fn(&str, &str) -> Origin,
) -> Result<Table, Vec<Problem>> {
    let mut table = Table::new();
    let mut problems = Vec::new();
    for text in texts {
        // Without a `=` it may be anything, a secret too: then it is not shown.
        let (key, value) = text.split_once('=').unwrap_or_default();
        let origin = origin(key, value);
        let names: Vec<&str> = key.split('.').map(str::trim).collect();
        let mut one = Table::new();
        let inserted = match text.contains('=') {
            true => insert(&mut one, &names, value, &origin),
            false => Err(at(&origin, "expected `section.key=value`, with the `=`")),
        };
        problems.extend(inserted.err().map(|problem| *problem));
        super::merge::overlay(&mut table, one);
    }
    if problems.is_empty() {
        Ok(table)
    } else {
        Err(problems)
    }
}

/// The origin of an argument of the command line.
pub(crate) fn command_line(key: &str, value: &str) -> Origin {
    let by = match key {
        "" => "--set".to_owned(),
        key => format!("--set {key}"),
    };
    Origin::CommandLine(Given::new(&by, value))
}

fn at(origin: &Origin, message: &str) -> Box<Problem> {
    Box::new(Problem {
        origin: origin.clone(),
        ..Problem::new(ProblemKind::Syntax, message)
    })
}

fn insert(
    table: &mut Table,
    names: &[&str],
    text: &str,
    origin: &Origin,
) -> Result<(), Box<Problem>> {
    if names.len() > MAX_DEPTH {
        return Err(at(origin, "the key is too deep"));
    }
    let (Some((last, above)), false) = (names.split_last(), names.contains(&"")) else {
        return Err(at(origin, "a part of the key is empty"));
    };
    let clash = || at(origin, "this key is given as a value and as a table");
    let mut inside = table;
    for name in above {
        let empty = || Node::new(Value::Table(Arc::default()), origin.clone());
        let node = inside.entry((*name).to_owned()).or_insert_with(empty);
        let Value::Table(next) = &mut node.value else {
            return Err(clash());
        };
        inside = Arc::make_mut(next);
    }
    if inside.contains_key(*last) {
        return Err(clash());
    }
    let node = parse_given(text, origin);
    let node = node.map_err(|problem| document::inside(&names.join("."), problem))?;
    inside.insert((*last).to_owned(), node);
    Ok(())
}

#[cfg(test)]
mod tests;
