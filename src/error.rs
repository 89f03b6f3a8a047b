//! Stable numbers for everything that can fail, and an error of a program's own that has one.
//!
//! Each error of the library is a type beside its code, with a lower-case word that does not change
//! (`code()`). Here each word has a number as well, by category, for whoever reads numbers: a dashboard, a
//! runbook, a client in another language. `docs/errors.md` lists them.

mod coded;

use std::fmt;

pub use self::coded::{CodedError, ErrorReport};

/// What kind of failure a code speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Category {
    /// 1xxx: what the program was told can't be.
    Config,
    /// 2xxx: signals.
    Signal,
    /// 3xxx: shutting down.
    Shutdown,
    /// 4xxx: children and their messages.
    Subsystem,
    /// 5xxx: files, sockets.
    Io,
    /// 6xxx: runtimes and threads.
    Runtime,
    /// 7xxx: something is full or used up.
    Resource,
    /// 8xxx: something took too long.
    Timeout,
    /// 9xxx: not now, or not any more.
    State,
    /// 10xxx: the operating system has it not, or allows it not.
    Platform,
    /// 20000 and more: the program's own.
    Own,
}

impl Category {
    /// Returns it as a stable lower-case word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Signal => "signal",
            Self::Shutdown => "shutdown",
            Self::Subsystem => "subsystem",
            Self::Io => "io",
            Self::Runtime => "runtime",
            Self::Resource => "resource",
            Self::Timeout => "timeout",
            Self::State => "state",
            Self::Platform => "platform",
            Self::Own => "own",
        }
    }
}

/// The number of a failure, and what is known of everything that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode {
    number: u32,
    word: &'static str,
    is_retryable: bool,
    meaning: &'static str,
}

/// Where the program's own numbers begin.
const OWN: u32 = 20_000;

impl ErrorCode {
    /// Makes a code of the program's own: the number is 20 000 and `number`.
    ///
    /// ```
    /// use perennial::error::ErrorCode;
    ///
    /// const DISK_SLOW: ErrorCode = ErrorCode::own(1, "disk_slow", true, "the disk answers late");
    /// assert_eq!(DISK_SLOW.number(), 20_001);
    /// ```
    #[must_use]
    pub const fn own(
        number: u16,
        word: &'static str,
        is_retryable: bool,
        meaning: &'static str,
    ) -> Self {
        Self {
            number: OWN + number as u32,
            word,
            is_retryable,
            meaning,
        }
    }

    /// Finds the code of a word, as the library's errors return it.
    ///
    /// ```
    /// use perennial::{Backoff, error::ErrorCode};
    /// # use std::time::Duration;
    ///
    /// let error = Backoff::try_new(Duration::ZERO, Duration::ZERO).unwrap_err();
    /// assert_eq!(ErrorCode::named(error.code()), Some(ErrorCode::FIRST_ZERO));
    /// ```
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.word == word)
    }

    /// Returns the number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Returns the word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        self.word
    }

    /// Tells whether the same thing may succeed when it is tried again later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        self.is_retryable
    }

    /// Says what it means.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.meaning
    }

    /// Returns the category, which follows from the number.
    #[must_use]
    pub const fn category(self) -> Category {
        match self.number / 1_000 {
            1 => Category::Config,
            2 => Category::Signal,
            3 => Category::Shutdown,
            4 => Category::Subsystem,
            5 => Category::Io,
            6 => Category::Runtime,
            7 => Category::Resource,
            8 => Category::Timeout,
            9 => Category::State,
            10 => Category::Platform,
            _ => Category::Own,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{:04} {}", self.number, self.word)
    }
}

macro_rules! codes {
    ($($name:ident = $number:literal, $word:literal, $is_retryable:literal, $meaning:literal;)*) => {
        impl ErrorCode {
            $(
                #[doc = concat!($number, ": ", $meaning, ".")]
                pub const $name: Self = Self {
                    number: $number,
                    word: $word,
                    is_retryable: $is_retryable,
                    meaning: $meaning,
                };
            )*

            /// Every code of the library, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

codes! {
    CONFIG_UNREADABLE = 1001, "config_unreadable", false, "a file or folder of the configuration can't be read";
    CONFIG_SYNTAX = 1002, "config_syntax", false, "a file is not TOML or not UTF-8, or a variable or argument has no meaning";
    CONFIG_UNKNOWN_KEY = 1003, "config_unknown_key", false, "nobody knows the key";
    CONFIG_RENAMED_KEY = 1004, "config_renamed_key", false, "the key is one of an earlier system";
    CONFIG_WRONG_TYPE = 1005, "config_wrong_type", false, "a value has the wrong type, or one that is needed is missing";
    CONFIG_INVALID = 1006, "config_invalid", false, "a value can't be used, by itself or together with others";
    CONFIG_REJECTED = 1007, "config_rejected", false, "a reload was refused, and the configuration before it stays";
    USAGE = 1008, "usage", false, "the command line is not understood";
    LOG_LEVEL = 1009, "log_level", false, "it is no level and no list of directives";
    LOG_ALREADY_SET = 1010, "log_already_set", false, "the program has a subscriber of its own";
    NOT_LOOPBACK = 1011, "not_loopback", false, "the address can be reached from other machines";
    TREE_REFUSED = 1012, "tree_refused", false, "the tree could not be made from the configuration";
    NO_TREE = 1013, "no_tree", false, "the daemon was given no tree";
    TOKEN_UNUSABLE = 1018, "token_unusable", false, "the file with the token for HTTP can't be read, or what it holds is no token";
    FIRST_ZERO = 1020, "first_zero", false, "the first backoff is no time at all";
    MAX_BELOW_FIRST = 1021, "max_below_first", false, "the longest backoff is shorter than the first";
    INVALID_FACTOR = 1022, "invalid_factor", false, "the factor of a backoff is no number of 1 or more";
    INVALID_JITTER = 1023, "invalid_jitter", false, "the jitter of a backoff is no number from 0 to 1";
    EMPTY_NAME = 1030, "empty_name", false, "a name is empty";
    LONG_NAME = 1031, "long_name", false, "a name is too long";
    INVALID_CHARACTER = 1032, "invalid_character", false, "a name has a character that paths can't have";
    INVALID_NAME = 1033, "invalid_name", false, "a child has a name that it can't have";
    DUPLICATE_NAME = 1034, "duplicate_name", false, "two children of one supervisor have the same name";
    CHILDREN_OF_DYNAMIC = 1035, "children_of_dynamic", false, "a dynamic supervisor was declared with children";
    SHARED_HANDLE = 1036, "shared_handle", false, "two children have one handle";
    INVALID_TREE = 1037, "invalid_tree", false, "the tree can't be run as it was declared";
    INVALID = 1038, "invalid", false, "the child can't be run as it was declared";
    METRIC_NAME = 1050, "metric_name", false, "Prometheus would not take the name";
    METRIC_RESERVED = 1051, "metric_reserved", false, "the name is one of the library's";
    METRIC_KIND = 1052, "metric_kind", false, "the name is a metric of another kind";
    METRIC_TOO_MANY = 1053, "metric_too_many", false, "there are too many series";
    METRIC_BUCKETS = 1054, "metric_buckets", false, "the bounds of a histogram do not rise";
    METRIC_LABEL_TWICE = 1055, "metric_label_twice", false, "two labels of a metric have the same name";
    METRIC_LINES = 1056, "metric_lines", false, "a histogram writes lines of the name of another metric";
    INVALID_SEED = 1060, "invalid_seed", false, "it is no seed";
    UNKNOWN_EVENT = 1061, "unknown_event", false, "it is no kind of event";
    BAD_REQUEST = 1062, "bad_request", false, "a line on the admin socket is no request";
    SIGNALS_FAILED = 2001, "signals_failed", false, "the signal handlers can't be installed";
    IMPOSSIBLE_PLAN = 3001, "impossible_plan", false, "what is reserved for children is more than the time there is";
    SHUT_DOWN = 3002, "shut_down", false, "the tree was shut down while it started";
    SHUTTING_DOWN = 3003, "shutting_down", false, "the tree is shutting down";
    START_FAILED = 4001, "start_failed", false, "a child did not start";
    FAILED = 4002, "failed", false, "a child returned an error";
    LOST = 4003, "lost", true, "the message or the run was lost with the incarnation that had it";
    GONE = 4004, "gone", false, "nobody will ever take the message";
    DOWN = 4005, "down", true, "nobody takes the message now";
    NOT_FOUND = 4006, "not_found", false, "there is no such child";
    ALREADY_PRESENT = 4007, "already_present", false, "there is such a child already";
    HUNG = 4008, "hung", false, "the child neither stops nor dies";
    WORK_DIR_FAILED = 5001, "work_dir_failed", false, "the working directory can't be changed into";
    PID_FILE_FAILED = 5002, "pid_file_failed", false, "the pid file can't be opened, locked or written";
    PID_FILE_NOT_A_FILE = 5003, "pid_file_not_a_file", false, "the pid file is a folder, a device, a pipe or a link";
    LOG_FILE_FAILED = 5004, "log_file_failed", false, "the log file can't be opened";
    LISTEN_FAILED = 5005, "listen_failed", true, "the address can't be listened on";
    SOCKET_PATH = 5010, "socket_path", false, "the path of the socket can't be used";
    SOCKET_FAILED = 5011, "socket_failed", true, "the socket can't be made";
    INSIDE_RUNTIME = 6001, "inside_runtime", false, "a runtime runs here already";
    OUTSIDE_RUNTIME = 6002, "outside_runtime", false, "no runtime runs here";
    RUNTIME_FAILED = 6003, "runtime_failed", true, "a runtime can't be made";
    RUNTIME = 6004, "runtime", true, "a runtime can't be made for a test";
    THREAD_FAILED = 6005, "thread_failed", true, "a thread can't be made";
    LOG_THREAD_FAILED = 6006, "log_thread_failed", true, "the thread that writes the log can't be made";
    DAEMON_LOST = 6007, "daemon_lost", false, "the thread that conducts the daemon has died";
    FULL = 7001, "full", true, "the mailbox is full";
    AT_CAPACITY = 7002, "at_capacity", true, "the supervisor has as many children as it may";
    LAGGED = 7003, "lagged", false, "events were lost by being too slow";
    RELOAD_BUSY = 7004, "reload_busy", true, "as many reloads as may wait already do";
    TOO_MANY_CLIENTS = 7005, "too_many_clients", true, "as many clients as may be are connected to the admin socket";
    TIMED_OUT = 8001, "timed_out", true, "it took longer than it may";
    STARTING = 9001, "starting", true, "the supervisor is starting";
    IN_PROGRESS = 9002, "in_progress", true, "another command or a restart is under way";
    RUNNING = 9003, "running", false, "the child is running";
    STOPPED = 9004, "stopped", false, "the child was stopped while it started";
    NOT_RUNNING = 9005, "not_running", false, "the supervisor is not running";
    NOT_QUARANTINED = 9006, "not_quarantined", false, "the child is not quarantined";
    UNBOUND = 9007, "unbound", false, "the handle was never given to a child";
    CLOSED = 9008, "closed", false, "the bus is closed";
    ENDED = 9009, "ended", false, "it has ended";
    ANSWERED = 9010, "answered", false, "the command line asked for something else than to run";
    INSTANCE_RUNNING = 9011, "instance_running", true, "another instance of the program runs";
    RELOAD_ENDED = 9012, "reload_ended", false, "nobody reloads the configuration any more";
    UNSUPPORTED = 10001, "unsupported", false, "this kind of child or platform can't do that";
    NICE_FAILED = 10002, "nice_failed", false, "the priority can't be set";
    PROFILE_FAILED = 10003, "profile_failed", false, "a profile can't be taken";
}

#[cfg(test)]
mod tests;
