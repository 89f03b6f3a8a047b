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

#[tokio::test]
async fn one_who_listens_and_never_takes_a_connection_is_not_waited_for() {
    use rustix::net;

    let folder = Folder::made("full");
    let path = folder.socket();
    let address = net::SocketAddrUnix::new(&path).expect("it is short enough");
    let socket = || {
        let socket = net::socket(net::AddressFamily::UNIX, net::SocketType::STREAM, None);
        let socket = socket.expect("a socket");
        rustix::io::ioctl_fionbio(&socket, true).expect("it can be set");
        socket
    };
    let listens = socket();
    net::bind(&listens, &address).expect("nothing is there");
    net::listen(&listens, 0).expect("it can listen");
    let waiting: Vec<_> = std::iter::repeat_with(socket)
        .take_while(|socket| net::connect(socket, &address).is_ok())
        .collect();
    assert!(!waiting.is_empty() && waiting.len() < 100);
    let refused = Listener::bind(&path, &[]).expect_err("somebody listens");
    assert!(matches!(refused, SocketError::InUse { .. }));
    assert!(path.exists());
}

/// Connects as another user, and says what came of it.
fn connect_as(uid: u32, path: &std::path::Path) -> bool {
    use std::os::unix::process::CommandExt;

    let script = "use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0) or exit 2; \
        connect($s, sockaddr_un($ARGV[0])) or exit 3; exit(sysread($s, my $x, 2) == 2 ? 0 : 4)";
    let status = std::process::Command::new("perl")
        .args(["-e", script])
        .arg(path)
        .current_dir("/")
        .uid(uid)
        .status();
    status.expect("perl is there").success()
}

#[tokio::test]
async fn a_user_who_is_allowed_gets_in_and_another_does_not() {
    use tokio::io::AsyncWriteExt;

    const ALLOWED: u32 = 65_534;
    const OTHER: u32 = 65_533;
    let folder = Folder::new("allowed");
    let listener = Listener::bind(&folder.socket(), &[ALLOWED]).expect("nothing is there");
    let mode =
        |path: &std::path::Path| fs::symlink_metadata(path).expect("it is there").mode() & 0o777;
    assert_eq!((mode(&folder.0), mode(&folder.socket())), (0o711, 0o666));
    if super::own_uid() != 0 {
        // Only root can be somebody else.
        return;
    }
    let path = folder.socket();
    let clients =
        tokio::task::spawn_blocking(move || [OTHER, ALLOWED].map(|uid| connect_as(uid, &path)));
    let (mut stream, peer) = listener.accept().await.expect("somebody connects");
    assert_eq!(peer.uid, ALLOWED);
    stream.write_all(b"ok").await.expect("it reads");
    assert_eq!(clients.await.expect("it does not panic"), [false, true]);
}

#[tokio::test]
async fn a_folder_that_those_who_are_allowed_can_t_enter_is_refused_with_the_mode_that_it_needs() {
    let folder = Folder::made("closed");
    let bind = || Listener::bind(&folder.socket(), &[65_534]);
    let error = bind().expect_err("nobody can get to it").to_string();
    assert!(
        error.contains("cannot enter its folder: its mode must be 0711"),
        "{error}"
    );
    for (mode, is_well) in [(0o711, true), (0o755, true), (0o733, false), (0o777, false)] {
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(mode)).expect("it is ours");
        assert_eq!(bind().is_ok(), is_well, "{mode:o}");
    }
}

#[test]
fn those_who_may_not_connect_are_told_of_once_a_second_with_their_number() {
    use std::time::Duration;

    let mut knocks = super::Knocks::default();
    let began = tokio::time::Instant::now();
    for (milliseconds, told) in [
        (0, Some(1)),
        (1, None),
        (500, None),
        (999, None),
        (1_000, Some(4)),
        (1_001, None),
        (9_000, Some(2)),
    ] {
        let now = began + Duration::from_millis(milliseconds);
        assert_eq!(knocks.next(now), told, "{milliseconds}");
    }
}
