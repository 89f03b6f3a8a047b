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
//! 3. A folder that was removed or moved away is watched no more, whatever number the one has that takes
//!    its place.

mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

pub(super) use self::settle::Settle;
use super::files::{Files, parts_of};
use super::layers::Layers;
use super::requests::Requests;
use crate::sync::{Mutex, lock};

/// How many links are followed on the way to a file, as Linux does.
const MOST_LINKS: usize = 40;

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// Something has been put in its place, or closed after writing.
    Complete,
    /// Something has been made, removed or renamed.
    Begun,
    /// Something is being written, and not closed yet.
    Writing,
}

/// Whose events are hints.
#[derive(Debug, Default, PartialEq)]
struct Interest {
    /// The files, and the links on the way to them.
    paths: BTreeSet<PathBuf>,
    /// The folders in which any file is one of the configuration.
    folders: BTreeSet<PathBuf>,
    /// The folders that are watched.
    watched: BTreeSet<PathBuf>,
    /// Those of them that were removed or moved away since they were looked at.
    lost: BTreeSet<PathBuf>,
}

impl Interest {
    /// Notes which of the folders themselves is gone; `true` when one is.
    fn note_lost(&mut self, event: &Event) -> bool {
        let is_gone = matches!(
            event.kind,
            EventKind::Remove(_)
                | EventKind::Modify(ModifyKind::Name(RenameMode::From | RenameMode::Any))
        );
        let gone = event
            .paths
            .iter()
            .filter(|path| self.watched.contains(*path));
        let gone: Vec<PathBuf> = gone.filter(|_| is_gone).cloned().collect();
        let is_lost = !gone.is_empty();
        self.lost.extend(gone);
        is_lost
    }

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
    /// What is watched, and which folder that is: one that was made anew is another.
    watched: BTreeMap<PathBuf, Identity>,
}

impl Watch {
    pub(super) fn new(requests: Requests) -> Self {
        let interest = Arc::new(Mutex::new(Interest::default()));
        let shared = Arc::clone(&interest);
        let hint = move |event: notify::Result<Event>| {
            let hint = match event {
                Ok(event) => {
                    let mut interest = lock(&shared);
                    let is_lost = interest.note_lost(&event);
                    hint_of(&event, &interest).or(is_lost.then_some(Hint::Begun))
                }
                // Events were lost, or the watch was: look, to be certain.
                Err(_lost) => Some(Hint::Complete),
            };
            if let Some(hint) = hint {
                requests.hint(hint);
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
    pub(super) fn follow(&mut self, layers: &Layers, files: &Files) -> Followed {
        let mut interest = interest(layers, files);
        let parents: BTreeSet<PathBuf> = interest
            .paths
            .iter()
            .filter_map(|path| path.parent())
            .map(Path::to_owned)
            .collect();
        let folders = interest.folders.union(&parents);
        let present: BTreeMap<PathBuf, Identity> = folders
            .filter_map(|folder| Some((folder.clone(), Identity::of(folder)?)))
            .collect();
        let mut followed = Followed {
            is_all_there: files.main.is_none()
                || parents.iter().all(|folder| present.contains_key(folder)),
            is_new: false,
        };
        interest.watched = present.keys().cloned().collect();
        let lost = {
            let mut shared = lock(&self.interest);
            let lost = std::mem::take(&mut shared.lost);
            *shared = interest;
            lost
        };
        let Some(watcher) = &mut self.watcher else {
            return followed;
        };
        self.watched.retain(|folder, known| {
            let is_same = !lost.contains(folder) && present.get(folder) == Some(known);
            if !is_same {
                // Fails for a folder that is gone, and its watch with it.
                drop(watcher.unwatch(folder));
            }
            is_same
        });
        for (folder, identity) in present {
            if self.watched.contains_key(&folder) {
                continue;
            }
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    followed.is_new = true;
                    self.watched.insert(folder, identity);
                }
                Err(error) => {
                    tracing::debug!(folder = %folder.display(), %error, "cannot be watched; it is looked at every 30 s")
                }
            }
        }
        followed
    }
}

/// What came of following the files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Followed {
    /// Whether the folders that they were read from are all there.
    pub(super) is_all_there: bool,
    /// Whether a folder is watched that was not: what happened in it before was not seen.
    pub(super) is_new: bool,
}

/// Which folder it is that stands at a path.
#[derive(Debug, Clone, PartialEq)]
struct Identity {
    /// The device and the number, which a new folder may have from one that was removed.
    number: (u64, u64),
    /// When it was made, where the file system knows.
    made: Option<SystemTime>,
}

impl Identity {
    fn of(folder: &Path) -> Option<Self> {
        let found = fs::metadata(folder).ok().filter(fs::Metadata::is_dir)?;
        Some(Self {
            number: number_of(&found),
            made: found.created().ok(),
        })
    }
}

#[cfg(unix)]
fn number_of(folder: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (folder.dev(), folder.ino())
}

#[cfg(not(unix))]
fn number_of(_folder: &fs::Metadata) -> (u64, u64) {
    (0, 0)
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
    let places = match &files.main {
        Some(main) => std::slice::from_ref(&main.path),
        None => &layers.searched,
    };
    interest
        .folders
        .extend(places.iter().map(|path| parts_of(path)));
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
        EventKind::Modify(ModifyKind::Data(_)) => Some(Hint::Writing),
        _ => Some(Hint::Begun),
    }
}

#[cfg(test)]
mod tests;
