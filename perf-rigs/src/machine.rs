//! What a figure was measured on: the machine, the versions, the commit.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Names the commit where the program is not run in its checkout.
pub const COMMIT: &str = "PERENNIAL_COMMIT";

/// What a figure was measured on. What can't be found out is `unknown`, or 0.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// The model of the processor.
    pub processor: String,
    /// How many processors this program may use.
    pub processors: usize,
    /// How much memory there is.
    pub memory_bytes: u64,
    /// The kernel.
    pub kernel: String,
    /// How busy the machine was over the last minute, in processors, before the rig began.
    pub load: f64,
    /// The compiler, with which the rig is taken to be built.
    pub rustc: String,
    /// Whether the rig is optimised.
    pub is_release: bool,
    /// The commit of the checkout, with `-dirty` behind it where files differ from it.
    pub commit: String,
    /// The versions of perennial and of what it stands on.
    pub versions: Vec<String>,
}

impl Machine {
    /// Looks at this machine.
    #[must_use]
    pub fn here() -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let meminfo = read("/proc/meminfo");
        let kilobytes = value(&meminfo, "MemTotal").and_then(|text| {
            let number = text.split_whitespace().next();
            number.and_then(|number| number.parse::<u64>().ok())
        });
        let (load, kernel) = (read("/proc/loadavg"), read("/proc/sys/kernel/osrelease"));
        Self {
            processor: value(&cpuinfo, "model name")
                .unwrap_or("unknown")
                .to_owned(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: kilobytes.unwrap_or(0) * 1_024,
            // What a builder appends to the version says nothing about speed.
            kernel: or_unknown(kernel.split('-').next().unwrap_or_default().trim()),
            load: load
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(0.0),
            rustc: or_unknown(&output(Command::new("rustc").arg("--version"))),
            is_release: !cfg!(debug_assertions),
            commit: commit(),
            versions: versions_of(&["perennial", "tokio", "ractor"]),
        }
    }

    /// Says it in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let build = if self.is_release { "release" } else { "debug" };
        format!(
            "{} × {}, {:.1} GiB, Linux {}, load {}, {}, {build} build, commit {}, {}",
            self.processors,
            self.processor,
            self.memory_bytes as f64 / f64::from(1 << 30),
            self.kernel,
            self.load,
            self.rustc,
            self.commit,
            self.versions.join(", "),
        )
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Returns what stands behind a name and a colon.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn or_unknown(text: &str) -> String {
    let text = if text.is_empty() { "unknown" } else { text };
    text.to_owned()
}

/// Returns what a command prints; nothing where it can't be run or fails.
fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}

fn commit() -> String {
    if let Ok(commit) = std::env::var(COMMIT) {
        return commit;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git =
        |arguments: &[&str]| output(Command::new("git").arg("-C").arg(folder).args(arguments));
    let commit = or_unknown(&git(&["rev-parse", "--short=12", "HEAD"]));
    let differs = git(&["status", "--porcelain", "--untracked-files=no"]);
    if differs.is_empty() {
        commit
    } else {
        commit + "-dirty"
    }
}

/// Returns the versions that these crates are built in, as `name version`.
#[must_use]
pub fn versions_of(names: &[&str]) -> Vec<String> {
    versions(include_str!("../../Cargo.lock"), names)
}

/// Finds versions in a lock file.
fn versions(lock: &str, names: &[&str]) -> Vec<String> {
    let mut lines = lock.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let name = line
            .strip_prefix("name = ")
            .map(|name| name.trim_matches('"'));
        if let Some(name) = name.filter(|name| names.contains(name)) {
            let version = lines
                .next()
                .and_then(|line| line.strip_prefix("version = "));
            found.extend(version.map(|version| format!("{name} {}", version.trim_matches('"'))));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Machine, versions};

    #[test]
    fn the_versions_are_those_of_the_lock_file() {
        let lock = "[[package]]\nname = \"ractor\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"other\"\nversion = \"4.0.0\"\n";
        assert_eq!(versions(lock, &["ractor"]), ["ractor 1.2.3"]);
    }

    #[test]
    fn a_machine_says_what_it_is() {
        let here = Machine::here();
        assert!(here.processors > 0);
        assert_eq!(here.versions.len(), 3, "{:?}", here.versions);
        assert!(here.line().contains("tokio 1."), "{}", here.line());
    }
}
