//! What is broadcast: a text of the usual size, and the tree's own events.

use std::sync::Arc;

use perennial::{EventKind, SubsystemEvent, Supervisor};
use tokio::time::Instant;

/// Something that is made for each publish.
pub(super) trait Payload: Clone + Send + Sync + 'static {
    /// What the values are made from.
    type Source: Clone + Send + Sync + 'static;

    /// Prepares for making values.
    fn source() -> Self::Source;

    /// Makes a value.
    fn make(source: &Self::Source) -> Self;
}

/// 128 bytes behind a count.
pub(super) type Bytes = Arc<[u8]>;

/// What happens in a tree.
pub(super) type Event = SubsystemEvent;

impl Payload for Bytes {
    type Source = Self;

    fn source() -> Self {
        Arc::from([7; 128])
    }

    fn make(source: &Self) -> Self {
        Arc::clone(source)
    }
}

impl Payload for Event {
    type Source = Self;

    fn source() -> Self {
        // In a thread of its own: it may be asked for inside a runtime.
        let path = std::thread::spawn(|| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().ok()?;
            let tree = Supervisor::one_for_one("app");
            let running = runtime.block_on(tree.start()).ok()?;
            Some(running.path().clone())
        });
        let path = path
            .join()
            .expect("no panic")
            .expect("an empty tree starts");
        Self {
            seq: 1,
            at: Instant::now(),
            path,
            incarnation: 1,
            kind: EventKind::Started,
        }
    }

    fn make(source: &Self) -> Self {
        source.clone()
    }
}
