//! The lines of the protocol: from bytes to a request, from an answer to a line.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ErrorCode;
use crate::event::{EventFilter, EventKind};

/// What a client asks for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// To do something, or to be told something.
    Command(Command),
    /// To be told of events from now on.
    Events(EventFilter),
}

/// What a client asks to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Show the tree.
    Tree,
    /// Show the configuration with the origin of every value.
    Config,
    /// Show what the process uses.
    Resources,
    /// Stop the child at this path and start it again.
    Restart(String),
    /// Stop the child at this path.
    Stop(String),
    /// Start the child at this path, which is down.
    Start(String),
    /// Release the quarantined child at this path.
    Release(String),
    /// Set what is logged; show it without a level.
    Level(Option<String>),
    /// Read the configuration anew.
    Reload,
    /// Open the log file anew.
    Reopen,
    /// Watch for this long where processor time goes.
    Profile(Duration),
    /// Watch for this long where memory comes from.
    Heap(Duration),
    /// Shut the program down.
    Shutdown,
}

/// How long a profile takes when nothing was said.
const PROFILE_TIME_SECONDS: u64 = 10;

/// The longest that one may take: it weighs on the program meanwhile.
const MAX_PROFILE_TIME_SECONDS: u64 = 300;

impl Command {
    /// Returns its name, as a client writes it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Config => "config",
            Self::Resources => "resources",
            Self::Restart(_) => "restart",
            Self::Stop(_) => "stop",
            Self::Start(_) => "start",
            Self::Release(_) => "release",
            Self::Level(_) => "level",
            Self::Reload => "reload",
            Self::Reopen => "reopen",
            Self::Profile(_) => "profile",
            Self::Heap(_) => "heap",
            Self::Shutdown => "shutdown",
        }
    }

    /// Tells whether it changes anything, or weighs on the program while it lasts.
    #[must_use]
    pub fn is_change(&self) -> bool {
        !matches!(
            self,
            Self::Tree | Self::Config | Self::Resources | Self::Level(None)
        )
    }
}

/// Says why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    word: String,
    message: String,
}

impl Refusal {
    /// Makes one of the word of an error and what is wrong.
    pub fn new(word: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            word: word.into(),
            message: message.into(),
        }
    }
}

/// A line as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, rename = "id")]
    _id: Option<Value>,
    command: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    seconds: Option<u64>,
    /// Events: of the nodes at or below these paths.
    #[serde(default)]
    below: Vec<String>,
    /// Events: of these kinds.
    #[serde(default)]
    kinds: Vec<String>,
}

/// Reads a line: the id that the answer must carry, and the request.
pub(super) fn parse(line: &[u8]) -> (Option<Value>, Result<Request, Refusal>) {
    let usage = |message: String| Refusal::new("bad_request", message);
    let value = match serde_json::from_slice::<Value>(line) {
        Ok(value) => value,
        Err(error) => return (None, Err(usage(error.to_string()))),
    };
    // Also of a request that is none: who asked has to know which one.
    let id = value.get("id").cloned();
    match serde_json::from_value::<Line>(value) {
        Ok(line) => (id, request(line)),
        Err(error) => (id, Err(usage(error.to_string()))),
    }
}

fn request(line: Line) -> Result<Request, Refusal> {
    let usage = |message: String| Refusal::new("bad_request", message);

    let name = line.command.clone();
    let (has_path, has_level) = (line.path.is_some(), line.level.is_some());
    let has_seconds = line.seconds.is_some();
    let has_filter = !line.below.is_empty() || !line.kinds.is_empty();
    let path = || {
        line.path
            .clone()
            .ok_or_else(|| usage(format!("`{name}` needs a `path`")))
    };
    let time = || match line.seconds.unwrap_or(PROFILE_TIME_SECONDS) {
        seconds @ 1..=MAX_PROFILE_TIME_SECONDS => Ok(Duration::from_secs(seconds)),
        _ => Err(usage(format!(
            "`{name}` takes `seconds` from 1 to {MAX_PROFILE_TIME_SECONDS}"
        ))),
    };
    let (request, wants) = match name.as_str() {
        "tree" => (Request::Command(Command::Tree), ""),
        "config" => (Request::Command(Command::Config), ""),
        "resources" => (Request::Command(Command::Resources), ""),
        "restart" => (Request::Command(Command::Restart(path()?)), "path"),
        "stop" => (Request::Command(Command::Stop(path()?)), "path"),
        "start" => (Request::Command(Command::Start(path()?)), "path"),
        "release" => (Request::Command(Command::Release(path()?)), "path"),
        "level" => (
            Request::Command(Command::Level(line.level.clone())),
            "level",
        ),
        "reload" => (Request::Command(Command::Reload), ""),
        "reopen" => (Request::Command(Command::Reopen), ""),
        "profile" => (Request::Command(Command::Profile(time()?)), "seconds"),
        "heap" => (Request::Command(Command::Heap(time()?)), "seconds"),
        "shutdown" => (Request::Command(Command::Shutdown), ""),
        "events" => (Request::Events(filter(&line)?), "filter"),
        other => return Err(usage(format!("there is no command `{other}`"))),
    };
    let unwanted = [
        ("path", has_path),
        ("level", has_level),
        ("seconds", has_seconds),
        ("filter", has_filter),
    ];
    match unwanted
        .iter()
        .find(|(what, is_there)| *is_there && *what != wants)
    {
        Some((what, _)) => Err(usage(format!("`{name}` takes no {what}"))),
        None => Ok(request),
    }
}

/// Makes a filter. A kind that there is not would be waited for in vain.
fn filter(line: &Line) -> Result<EventFilter, Refusal> {
    let is_unknown = |kind: &&String| !EventKind::CODES.contains(&kind.as_str());
    if let Some(unknown) = line.kinds.iter().find(is_unknown) {
        let all = EventKind::CODES.join(", ");
        let message = format!("there are no events `{unknown}`; there are {all}");
        return Err(Refusal::new("unknown_event", message));
    }
    let below = line
        .below
        .iter()
        .fold(EventFilter::new(), |filter, path| filter.below(path));
    let kinds = line.kinds.iter();
    Ok(kinds.fold(below, |filter, kind| filter.kind(kind)))
}

/// Makes the line of an answer.
pub(super) fn answer(id: Option<Value>, answer: Result<Value, Refusal>) -> Value {
    match answer {
        Ok(value) => json!({ "id": id, "ok": value }),
        Err(refusal) => {
            let code = ErrorCode::named(&refusal.word);
            json!({ "id": id, "error": {
                "code": code.map(ErrorCode::number),
                "word": refusal.word,
                "is_retryable": code.is_some_and(ErrorCode::is_retryable),
                "message": refusal.message,
            } })
        }
    }
}

/// Makes the line of an event.
pub(super) fn event(shown: Value) -> Value {
    json!({ "event": shown })
}

/// Makes the line that says how many events were lost.
pub(super) fn lagged(lost: u64) -> Value {
    json!({ "lagged": lost })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Command, Refusal, Request, answer, parse};
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    #[test]
    fn a_line_is_a_command_with_what_it_needs_and_nothing_else() {
        for (line, expected) in [
            (r#"{"command":"tree"}"#, Ok(Command::Tree)),
            (
                r#"{"id":7,"command":"stop","path":"/a/b"}"#,
                Ok(Command::Stop("/a/b".to_owned())),
            ),
            (
                r#"{"command":"level","level":"debug"}"#,
                Ok(Command::Level(Some("debug".to_owned()))),
            ),
            (
                r#"{"command":"profile","seconds":3}"#,
                Ok(Command::Profile(Duration::from_secs(3))),
            ),
            (
                r#"{"command":"heap"}"#,
                Ok(Command::Heap(Duration::from_secs(10))),
            ),
            (
                r#"{"command":"profile","seconds":0}"#,
                Err("`profile` takes `seconds` from 1 to 300"),
            ),
            (
                r#"{"command":"tree","seconds":1}"#,
                Err("`tree` takes no seconds"),
            ),
            (r#"{"command":"stop"}"#, Err("`stop` needs a `path`")),
            (
                r#"{"command":"tree","path":"/a"}"#,
                Err("`tree` takes no path"),
            ),
            (r#"{"command":"trees"}"#, Err("there is no command `trees`")),
        ] {
            let parsed = match parse(line.as_bytes()).1 {
                Ok(Request::Command(command)) => Ok(command),
                Ok(other) => panic!("{other:?}"),
                Err(refusal) => Err(refusal),
            };
            assert_eq!(
                parsed,
                expected.map_err(|text| Refusal::new("bad_request", text)),
                "{line}"
            );
        }
        assert!(parse(br#"{"command":"tree","unknown":1}"#).1.is_err());
        assert!(matches!(
            parse(br#"{"command":"events","below":["/a"],"kinds":["started"]}"#).1,
            Ok(Request::Events(_))
        ));
    }

    #[test]
    fn a_kind_of_event_that_there_is_not_is_refused_with_those_that_there_are() {
        let refused = parse(br#"{"command":"events","kinds":["strated"]}"#).1;
        let refused = refused.expect_err("nobody would ever hear of it");
        assert_eq!(refused.word, "unknown_event");
        assert!(
            refused.message.contains("`strated`; there are "),
            "{refused:?}"
        );
        assert!(refused.message.contains("started, "), "{refused:?}");
    }

    #[test]
    fn the_id_comes_back_with_a_complaint_about_the_rest() {
        for line in [
            r#"{"id":7,"command":"tree","unknown":1}"#,
            r#"{"id":7,"command":1}"#,
            r#"{"id":7}"#,
            r#"{"id":7,"command":"trees"}"#,
        ] {
            let (id, refused) = parse(line.as_bytes());
            assert_eq!(id, Some(json!(7)), "{line}");
            assert!(refused.is_err(), "{line}");
        }
    }

    #[test]
    fn an_answer_carries_the_id_and_an_error_its_number() {
        assert_eq!(
            answer(Some(json!("x")), Ok(json!(1))),
            json!({ "id": "x", "ok": 1 })
        );
        let refused = answer(None, Err(Refusal::new("in_progress", "wait")));
        assert_eq!(refused["error"]["code"], 9002);
        assert_eq!(refused["error"]["is_retryable"], true);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in any::<Vec<u8>>()) {
            drop(parse(&line));
        }
    }
}
