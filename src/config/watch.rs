//! Watches the folders in which a configuration's files are, and says when it is worth a look.
//!
//! An event is a hint and nothing more: what a file says is what is read from it. Folders are watched and
//! not files, because an editor replaces a file by another, and Kubernetes replaces a link on the way
//! to it.
//!
//! # Invariants
//!
//! 1. The folders that are watched are those that the present files lie in, and those of the links on the
//!    way to them; each once. Nothing is left behind when a link leads somewhere else.
//! 2. An event of something else in these folders, a log file for one, is no hint.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::files::{Files, parts_of};
use super::layers::Layers;
use super::reload::Request;
use crate::sync::{Mutex, lock};

/// How many links are followed on the way to a file, as Linux does.
const MOST_LINKS: usize = 40;

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// Something has been put in its place, or closed after writing.
    Complete,
    /// Something is being written.
    Begun,
}

/// Whose events are hints.
#[derive(Debug, Default, PartialEq)]
struct Interest {
    /// The files, and the links on the way to them.
    paths: BTreeSet<PathBuf>,
    /// The folders in which any file is one of the configuration.
    folders: BTreeSet<PathBuf>,
}

impl Interest {
    fn covers(&self, path: &Path) -> bool {
        let is_inside = || {
            path.parent()
                .is_some_and(|parent| self.folders.contains(parent))
        };
        self.paths.contains(path) || is_inside()
    }
}

/// Watches folders; which ones follows from the files.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    interest: Arc<Mutex<Interest>>,
    /// What is watched, with its number: a folder that was made anew has another.
    watched: BTreeMap<PathBuf, u64>,
}

impl Watch {
    pub(super) fn new(requests: SyncSender<Request>) -> Self {
        let interest = Arc::new(Mutex::new(Interest::default()));
        let shared = Arc::clone(&interest);
        let hint = move |event: notify::Result<Event>| {
            let hint = match event {
                Ok(event) => hint_of(&event, &lock(&shared)),
                // Events were lost, or the watch was: look, to be certain.
                Err(_lost) => Some(Hint::Complete),
            };
            if let Some(hint) = hint {
                // When there is no room, somebody is about to look anyway.
                drop(requests.try_send(Request::Hint(hint)));
            }
        };
        let watcher = notify::recommended_watcher(hint);
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!(%error, "no events for changed files; they are looked at every 30 s");
        });
        Self {
            watcher: watcher.ok(),
            interest,
            watched: BTreeMap::new(),
        }
    }

    /// Watches where the files of the configuration are now.
    pub(super) fn follow(&mut self, layers: &Layers, files: &Files) {
        let interest = interest(layers, files);
        let mut folders: BTreeSet<PathBuf> = interest.folders.clone();
        folders.extend(
            interest
                .paths
                .iter()
                .filter_map(|path| path.parent())
                .map(Path::to_owned),
        );
        *lock(&self.interest) = interest;
        let present: BTreeMap<PathBuf, u64> = folders
            .into_iter()
            .filter_map(|folder| {
                let number = number_of(&folder)?;
                Some((folder, number))
            })
            .collect();
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for (folder, number) in &self.watched {
            if present.get(folder) != Some(number) {
                // Fails for a folder that is gone, and its watch with it.
                drop(watcher.unwatch(folder));
            }
        }
        let mut watched = BTreeMap::new();
        for (folder, number) in present {
            let is_watched = self.watched.get(&folder) == Some(&number);
            match is_watched || watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok() {
                true => drop(watched.insert(folder, number)),
                false => {
                    tracing::debug!(folder = %folder.display(), "cannot be watched; it is looked at every 30 s")
                }
            }
        }
        self.watched = watched;
    }
}

#[cfg(unix)]
fn number_of(folder: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder)
        .ok()
        .filter(fs::Metadata::is_dir)
        .map(|folder| folder.ino())
}

#[cfg(not(unix))]
fn number_of(folder: &Path) -> Option<u64> {
    folder.is_dir().then_some(0)
}

fn interest(layers: &Layers, files: &Files) -> Interest {
    let mut interest = Interest::default();
    let mut add = |path: &Path| {
        interest.paths.extend(on_the_way_to(path));
    };
    let main = files.main.as_ref().map(|main| vec![main.path.clone()]);
    for path in main.unwrap_or_else(|| layers.searched.clone()) {
        add(&path);
        add(&parts_of(&path));
    }
    for part in &files.parts {
        add(&part.path);
    }
    if let Some(main) = &files.main {
        interest.folders.insert(parts_of(&main.path));
    }
    interest
}

/// Lists what decides on the meaning of a path: every link on the way, and what stands at its end.
fn on_the_way_to(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    let mut rest: Vec<PathBuf> = Vec::new();
    push_components(&mut rest, path);
    let mut at = PathBuf::new();
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == Path::new("..") {
            at.pop();
            continue;
        }
        let next = at.join(name);
        match fs::read_link(&next) {
            Ok(target) if links < MOST_LINKS => {
                links += 1;
                found.push(next);
                if target.is_absolute() {
                    at = PathBuf::new();
                }
                push_components(&mut rest, &target);
            }
            _ => at = next,
        }
    }
    found.push(at);
    found
}

/// Puts the components of a path on the stack, the first on top.
fn push_components(stack: &mut Vec<PathBuf>, path: &Path) {
    let components = path
        .components()
        .filter(|component| *component != Component::CurDir);
    let names: Vec<PathBuf> = components
        .map(|component| PathBuf::from(component.as_os_str()))
        .collect();
    stack.extend(names.into_iter().rev());
}

fn hint_of(event: &Event, interest: &Interest) -> Option<Hint> {
    if event.need_rescan() {
        return Some(Hint::Complete);
    }
    if !event.paths.iter().any(|path| interest.covers(path)) {
        return None;
    }
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => {
            Some(Hint::Complete)
        }
        // Our own reading raises these.
        EventKind::Access(_) => None,
        _ => Some(Hint::Begun),
    }
}

#[cfg(test)]
mod tests;
