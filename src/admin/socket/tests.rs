//! What a socket may be bound over, and what not.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use super::{Listener, SocketError};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("perennial-socket-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        Self(path)
    }

    fn made(name: &str) -> Self {
        let folder = Self::new(name);
        fs::create_dir(&folder.0).expect("it can be made");
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).expect("it is ours");
        folder
    }

    fn socket(&self) -> PathBuf {
        self.0.join("admin.sock")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn why(folder: &Folder) -> String {
    Listener::bind(&folder.socket(), &[])
        .expect_err("it may not")
        .to_string()
}

#[tokio::test]
async fn folder_and_socket_are_for_their_owner_alone_and_the_socket_goes_with_its_listener() {
    let folder = Folder::new("modes");
    let listener = Listener::bind(&folder.socket(), &[]).expect("nothing is there");
    let mode =
        |path: &std::path::Path| fs::symlink_metadata(path).expect("it is there").mode() & 0o777;
    assert_eq!((mode(&folder.0), mode(&folder.socket())), (0o700, 0o600));
    drop(listener);
    assert!(!folder.socket().exists());
}

#[tokio::test]
async fn a_live_socket_is_never_removed_and_a_dead_one_is_replaced() {
    let folder = Folder::new("live");
    let first = Listener::bind(&folder.socket(), &[]).expect("nothing is there");
    let refused = Listener::bind(&folder.socket(), &[]).expect_err("somebody listens");
    assert!(matches!(refused, SocketError::InUse { .. }));
    let client = tokio::net::UnixStream::connect(folder.socket())
        .await
        .expect("it still listens");
    let (_, peer) = first.accept().await.expect("somebody connects");
    assert_eq!(peer.uid, super::own_uid());
    drop(client);
    // A process that was killed leaves its socket behind.
    let dead = Folder::made("dead");
    drop(std::os::unix::net::UnixListener::bind(dead.socket()).expect("nothing is there"));
    assert!(dead.socket().exists());
    drop(Listener::bind(&dead.socket(), &[]).expect("nobody listens"));
}

#[tokio::test]
async fn who_comes_later_keeps_a_socket_that_took_the_place() {
    let folder = Folder::new("place");
    let first = Listener::bind(&folder.socket(), &[]).expect("nothing is there");
    fs::remove_file(folder.socket()).expect("it is there");
    let second = Listener::bind(&folder.socket(), &[]).expect("nothing is there");
    drop(first);
    assert!(folder.socket().exists(), "it is the second one's");
    drop(second);
}

#[tokio::test]
async fn what_is_no_socket_is_refused_and_left() {
    let folder = Folder::made("file");
    fs::write(folder.socket(), "precious").expect("it can be written");
    assert!(why(&folder).contains("no socket"));
    assert_eq!(
        fs::read_to_string(folder.socket()).expect("it is left"),
        "precious"
    );
    let folder = Folder::made("link");
    symlink("/tmp/elsewhere.sock", folder.socket()).expect("a link");
    assert!(why(&folder).contains("no socket"));
}

#[tokio::test]
async fn a_folder_that_others_can_enter_or_a_link_to_one_is_refused() {
    let folder = Folder::made("open");
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).expect("it is ours");
    assert!(why(&folder).contains("its mode must be 0700"));
    let link = Folder::new("folder-link");
    symlink(&folder.0, &link.0).expect("a link");
    assert!(why(&link).contains("a link to one"));
    fs::remove_file(&link.0).expect("it is there");
    let error = Listener::bind("admin.sock".as_ref(), &[]).expect_err("it has none");
    assert!(error.to_string().contains("a folder of its own"));
}
