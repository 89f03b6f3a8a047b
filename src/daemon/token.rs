//! The file with the token for HTTP: a secret, so that it is read with care and told of with none of it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use super::DaemonError;
use crate::http::Token;

/// How long the file may be: a token of any make, and a line end.
const MOST_BYTES: u64 = 4 * 1024;

/// Reads the token; warns where others than those who run the daemon may read or change it.
pub(super) fn read(path: &Path) -> Result<Token, DaemonError> {
    let unusable = |why: String| DaemonError::Token {
        path: path.to_owned(),
        why,
    };
    let (text, found) = read_text(path).map_err(|error| unusable(error.to_string()))?;
    let token = Token::new(&text)
        .ok_or_else(|| unusable("it needs 16 characters at least, and no space".into()))?;
    if let Some(mode) = open_mode(&found) {
        tracing::warn!(
            path = %path.display(),
            mode = format!("{mode:o}"),
            "others can read the token or change it: take that from them with chmod o=,g-w"
        );
    }
    Ok(token)
}

/// Reads a small file, and waits for nobody.
fn read_text(path: &Path) -> io::Result<(String, Metadata)> {
    let file = open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MOST_BYTES {
        true => Err(io::Error::other("it is longer than 4 KiB")),
        false => Ok((text, found)),
    }
}

/// Opens a file; a pipe too, without waiting for somebody to write to it.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    let mut options = OpenOptions::new();
    options.read(true);
    if let Ok(flags) = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()) {
        options.custom_flags(flags);
    }
    options.open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// Returns the mode of a file that is open to others than its owner and its group, or that its group can
/// change. That the group may read it is how a secret gets to a program that is not its owner's.
#[cfg(unix)]
fn open_mode(found: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;

    let mode = found.permissions().mode() & 0o777;
    (mode & 0o027 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn open_mode(_found: &Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    use super::{MOST_BYTES, open_mode, read};

    fn path(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("perennial-token-{name}-{}", std::process::id()));
        drop(fs::remove_file(&path));
        path
    }

    fn refused(path: &Path) -> String {
        let error = read(path).expect_err("it is none");
        fs::remove_file(path).expect("it is there");
        error.to_string()
    }

    #[test]
    fn what_is_no_small_file_is_refused_and_nobody_waits_for_it() {
        let pipe = path("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo is there").success());
        assert!(refused(&pipe).contains("no regular file"));
        let long = path("long");
        fs::write(&long, vec![b'x'; MOST_BYTES as usize + 1]).expect("a file");
        assert!(refused(&long).contains("longer than 4 KiB"));
        let short = path("short");
        fs::write(&short, "short").expect("a file");
        assert!(refused(&short).contains("16 characters"));
    }

    #[test]
    fn a_token_that_others_can_read_or_the_group_can_change_is_told_of() {
        let path = path("mode");
        fs::write(&path, "0123456789abcdef\n").expect("a file");
        for (mode, is_open) in [
            (0o400, false),
            (0o440, false),
            (0o600, false),
            (0o640, false),
            (0o660, true),
            (0o644, true),
            (0o602, true),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
            let found = fs::metadata(&path).expect("it is there");
            assert_eq!(open_mode(&found).is_some(), is_open, "{mode:o}");
        }
        read(&path).expect("it is warned of and used");
        fs::remove_file(path).expect("it is there");
    }
}
