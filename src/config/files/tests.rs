//! Which files are found, and what is said of those that can't be read.

use std::path::{Path, PathBuf};

use super::rest::{Mark, Marks};
use super::{read, search_path};

/// A folder that is removed with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("perennial-config-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).expect("it can be made");
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder"))
            .expect("it can be made");
        std::fs::write(&path, text).expect("it can be written");
        path
    }

    /// Waits until the clock of the file system gives another time: what is written within one tick of it
    /// has one time.
    #[cfg(target_os = "linux")]
    pub(crate) fn next_tick(&self) {
        let tick = self.write("tick", "");
        let first = Mark::of(&tick);
        while Mark::of(&tick) == first {
            self.write("tick", "");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[test]
fn the_working_directory_comes_before_the_system_s() {
    let paths = search_path("app", Path::new("/somewhere"));
    assert_eq!(
        paths,
        [
            PathBuf::from("/somewhere/app.toml"),
            PathBuf::from("/etc/app/app.toml")
        ]
    );
}

#[test]
fn parts_are_read_in_the_order_of_their_names_and_nothing_else_is() {
    let folder = Folder::new("parts");
    let main = folder.write("app.toml", "");
    for name in [
        "20-b.toml",
        "10-a.toml",
        ".hidden.toml",
        "x.toml~",
        "README",
    ] {
        folder.write(&format!("conf.d/{name}"), "");
    }
    let files = read(
        &[folder.0.join("missing.toml"), main.clone()],
        false,
        &mut Marks::default(),
    )
    .expect("all can be read");
    let read: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(
        read,
        [
            main,
            folder.0.join("conf.d/10-a.toml"),
            folder.0.join("conf.d/20-b.toml")
        ]
    );
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let folder = Folder::new("missing");
    let missing = folder.0.join("app.toml");
    assert!(
        read(std::slice::from_ref(&missing), false, &mut Marks::default())
            .expect("it need not be there")
            .main
            .is_none()
    );
    let error = read(std::slice::from_ref(&missing), true, &mut Marks::default())
        .expect_err("it has to be there");
    assert_eq!(error.code(), "config_unreadable");
    assert!(
        error.to_string().contains("app.toml cannot be read"),
        "{error}"
    );
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = Folder::new("no-file");
    let error = read(
        std::slice::from_ref(&folder.0),
        false,
        &mut Marks::default(),
    )
    .expect_err("it is a folder");
    assert!(error.to_string().contains("not a regular file"), "{error}");
    let endless = PathBuf::from("/dev/zero");
    assert!(read(&[endless], false, &mut Marks::default()).is_err());
}

#[test]
fn parts_count_without_a_main_file_and_the_first_folder_that_has_some() {
    let folder = Folder::new("parts-alone");
    let searched =
        ["here/app.toml", "etc/app.toml", "other/app.toml"].map(|name| folder.0.join(name));
    std::fs::create_dir_all(folder.0.join("here/conf.d")).expect("a folder");
    let part = folder.write("etc/conf.d/1.toml", "");
    folder.write("other/conf.d/2.toml", "");
    let files = read(&searched, false, &mut Marks::default()).expect("all can be read");
    let paths: Vec<_> = files.iter().map(|file| &file.path).collect();
    assert_eq!(paths, [&part]);
    assert_eq!(files.place(), Some(&searched[1]));
    // Where a main file is, what lies beside it counts alone.
    let main = folder.write("here/app.toml", "");
    let files = read(&searched, false, &mut Marks::default()).expect("all can be read");
    assert_eq!(
        files.iter().map(|file| &file.path).collect::<Vec<_>>(),
        [&main]
    );
    assert!(
        read(&searched[2..], true, &mut Marks::default()).is_err(),
        "a file that was named has to be there"
    );
}
