//! Which events are worth a look, and what decides on the meaning of a path.

use std::path::{Path, PathBuf};

use notify::Event;
use notify::event::{
    AccessKind, AccessMode, CreateKind, DataChange, EventKind, Flag, ModifyKind, RemoveKind,
    RenameMode,
};

use super::{Hint, Interest, hint_of, on_the_way_to};
use crate::config::files::tests::Folder;

#[test]
fn an_event_is_worth_a_look_when_something_of_ours_is_complete() {
    let interest = Interest {
        paths: [PathBuf::from("/c/app.toml")].into(),
        folders: [PathBuf::from("/c/conf.d")].into(),
        ..Interest::default()
    };
    let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
    for (kind, path, expected) in [
        (closed, "/c/app.toml", Some(Hint::Complete)),
        (renamed, "/c/app.toml", Some(Hint::Complete)),
        (renamed, "/c/conf.d/1.toml", Some(Hint::Complete)),
        (
            EventKind::Modify(ModifyKind::Data(DataChange::Any)),
            "/c/app.toml",
            Some(Hint::Writing),
        ),
        (
            EventKind::Create(CreateKind::File),
            "/c/app.toml",
            Some(Hint::Begun),
        ),
        (
            EventKind::Remove(RemoveKind::File),
            "/c/app.toml",
            Some(Hint::Begun),
        ),
        (
            EventKind::Access(AccessKind::Open(AccessMode::Any)),
            "/c/app.toml",
            None,
        ),
        (
            EventKind::Access(AccessKind::Close(AccessMode::Read)),
            "/c/app.toml",
            None,
        ),
        (closed, "/c/app.log", None),
        (renamed, "/c/app.toml~", None),
    ] {
        let event = Event::new(kind).add_path(path.into());
        assert_eq!(hint_of(&event, &interest), expected, "{kind:?} {path}");
    }
    let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
    assert_eq!(hint_of(&overflow, &interest), Some(Hint::Complete));
}

#[cfg(unix)]
#[test]
fn every_link_on_the_way_decides_on_the_meaning_of_a_path() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new("links");
    folder.write("..1/app.toml", "");
    let at = |name: &str| folder.0.join(name);
    symlink("..1", at("..data")).expect("a link");
    symlink("..data/app.toml", at("app.toml")).expect("a link");
    let found = on_the_way_to(&at("app.toml"));
    for name in ["app.toml", "..data", "..1/app.toml"] {
        assert!(found.contains(&at(name)), "{name}: {found:?}");
    }
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_end() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new("circle");
    symlink("b", folder.0.join("a")).expect("a link");
    symlink("a", folder.0.join("b")).expect("a link");
    assert!(on_the_way_to(&folder.0.join("a")).len() < 50);
    assert!(on_the_way_to(Path::new("/")).len() < 3);
}
