//! The configuration as text, for whoever asks: the program's own code writes it, once for each
//! that was read.

use std::sync::Arc;

use super::configuration::{Configuration, Identity};
use super::lane::{Lane, LaneError};
use crate::sync::{Mutex, lock};

/// What was written last, and of which snapshot.
type Last = Option<(Identity, Arc<str>)>;

/// Where the text of the configuration is to be had.
#[derive(Debug, Clone)]
pub(super) struct Written {
    lane: Lane,
    last: Arc<Mutex<Last>>,
}

impl Written {
    pub(super) fn new() -> Self {
        Self {
            lane: Lane::new(),
            last: Arc::default(),
        }
    }

    /// Returns the configuration in force with the origin of every value.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, what is being written is kept for the next who asks.
    pub(super) async fn text(
        &self,
        configuration: &Arc<dyn Configuration>,
    ) -> Result<Arc<str>, LaneError> {
        if let Some(text) = self.of(&configuration.identity()) {
            return Ok(text);
        }
        let (written, configuration) = (self.clone(), Arc::clone(configuration));
        self.lane
            .run(move || {
                // Read first: what changes while it is written is written again for the next.
                let identity = configuration.identity();
                // Whoever had the place before may have wanted the same.
                if let Some(text) = written.of(&identity) {
                    return text;
                }
                let text: Arc<str> = configuration.effective().into();
                *lock(&written.last) = Some((identity, Arc::clone(&text)));
                text
            })
            .await
    }

    fn of(&self, identity: &Identity) -> Option<Arc<str>> {
        let last = lock(&self.last);
        let (of, text) = last.as_ref()?;
        Identity::ptr_eq(of, identity).then(|| Arc::clone(text))
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::Written;
    use crate::config::{Cause, ReloadError, Reloaded, Settings, ShutdownSettings};
    use crate::daemon::configuration::{BoxFuture, Configuration, Identity};
    use crate::sync::atomic::{AtomicUsize, Ordering};
    use crate::sync::{Mutex, lock};

    struct Counted {
        snapshot: Mutex<Arc<()>>,
        written: AtomicUsize,
    }

    impl Configuration for Counted {
        fn settings(&self) -> Settings {
            Settings::default()
        }

        fn shutdown(&self) -> ShutdownSettings {
            ShutdownSettings::default()
        }

        fn versions(&self) -> watch::Receiver<u64> {
            watch::Sender::new(1).subscribe()
        }

        fn request(&self, _cause: Cause) -> Result<(), ReloadError> {
            Ok(())
        }

        fn reload(&self, _cause: Cause) -> BoxFuture<Result<Reloaded, ReloadError>> {
            Box::pin(async { Ok(Reloaded::Unchanged { version: 1 }) })
        }

        fn effective(&self) -> String {
            let written = self.written.fetch_add(1, Ordering::Relaxed) + 1;
            format!("written {written}")
        }

        fn identity(&self) -> Identity {
            let snapshot: Arc<dyn Any + Send + Sync> = Arc::<()>::clone(&lock(&self.snapshot));
            Arc::downgrade(&snapshot)
        }
    }

    #[tokio::test]
    async fn what_was_read_is_written_once_and_the_next_anew() {
        let counted = Arc::new(Counted {
            snapshot: Mutex::default(),
            written: AtomicUsize::new(0),
        });
        let configuration: Arc<dyn Configuration> = Arc::<Counted>::clone(&counted);
        let written = Written::new();
        for expected in ["written 1", "written 1"] {
            let text = written.text(&configuration).await.expect("it is written");
            assert_eq!(&*text, expected);
        }
        *lock(&counted.snapshot) = Arc::default();
        let text = written.text(&configuration).await.expect("it is written");
        assert_eq!(&*text, "written 2");
    }
}
