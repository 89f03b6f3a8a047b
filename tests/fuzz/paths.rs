//! Bytes as names between slashes: each is refused for what is wrong with it, or is part of a path.

#[allow(dead_code, reason = "the library uses what is not used here")]
#[path = "../../src"]
mod library {
    pub(crate) mod path;
}

use self::library::path::{InvalidName, MAX_NAME_BYTES, Path, validate_name};

pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut names: Vec<&str> = Vec::new();
    // `//` ends a path, so that an empty name is tried too.
    for name in text.split('/') {
        match validate_name(name) {
            Ok(()) => names.push(name),
            Err(refused) => refused_rightly(name, &refused),
        }
    }
    if let Some((root, below)) = names.split_first() {
        joined(root, below);
    }
}

fn refused_rightly(name: &str, refused: &InvalidName) {
    match refused {
        InvalidName::Empty => assert_eq!(name, ""),
        InvalidName::TooLong { bytes } => {
            assert_eq!(*bytes, name.len());
            assert!(*bytes > MAX_NAME_BYTES);
        }
        InvalidName::Character { character, .. } => assert!(name.contains(*character)),
    }
    assert!(!refused.to_string().contains('\n'), "one line: {refused:?}");
}

fn joined(root: &str, below: &[&str]) {
    let mut path = Path::root(root);
    let mut above = vec![path.clone()];
    for name in below {
        assert!(!name.contains(['/', ' ', '\n', '"', '\\', '?', '#', '%']));
        let child = path.join(name);
        let longer = path.join(&format!("{name}x"));
        assert!(!longer.is_within(&child) && !child.is_within(&longer));
        above.push(child.clone());
        path = child;
    }
    let text = path.to_string();
    assert!(path == text.as_str() && path.as_str() == text && format!("{path:?}") == text);
    let names: Vec<&str> = text.split('/').collect();
    assert_eq!(names[0], "");
    assert_eq!((names[1], &names[2..]), (root, below));
    assert_eq!(path.name(), names[names.len() - 1]);
    for (depth, ancestor) in above.iter().enumerate() {
        assert!(path.is_within(ancestor));
        assert_eq!(ancestor.is_within(&path), depth == below.len());
        assert_eq!(ancestor.as_str(), names[..depth + 2].join("/"));
    }
}
