//! Something that is made once and outlives the runs that use it: a listening socket, a pool, a
//! cache.
//!
//! A child that binds its port in its own body loses the connections that wait for it whenever it is
//! restarted. A [`Resource`] belongs to the declaration instead: the first run that asks for it makes
//! it, the next ones find it made, and it is dropped with the tree.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::exit::BoxError;

type Make<T> = dyn Fn() -> Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>> + Send + Sync;

/// Made by the first child that asks, kept across restarts. Clones speak of the same thing.
///
/// ```
/// use perennial::{Child, Inbox, resource::Resource};
/// use tokio::net::TcpListener;
///
/// let listener = Resource::new(|| async { Ok(TcpListener::bind("127.0.0.1:0").await?) });
/// let accept = Child::task_with("accept", listener, |_cx, listener| async move {
///     let listener = listener.get().await?; // bound once, however often this child is restarted
///     loop {
///         let (_connection, _from) = listener.accept().await?;
///     }
/// });
/// # drop(accept);
/// ```
pub struct Resource<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    make: Box<Make<T>>,
    made: OnceCell<Arc<T>>,
}

impl<T: Send + Sync + 'static> Resource<T> {
    /// Declares a resource; nothing is made until a child asks for it.
    pub fn new<F, Fut>(make: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, BoxError>> + Send + 'static,
    {
        let shared = Shared {
            make: Box::new(move || Box::pin(make())),
            made: OnceCell::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Returns the resource, and makes it first if nobody has.
    ///
    /// Of several that ask at the same time one makes it and the others wait.
    ///
    /// # Errors
    ///
    /// What making it returned. Nothing is kept then: the next one that asks tries again.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped while it makes the resource, the next one that asks begins anew.
    pub async fn get(&self) -> Result<Arc<T>, BoxError> {
        let make = || async { (self.shared.make)().await.map(Arc::new) };
        self.shared.made.get_or_try_init(make).await.cloned()
    }

    /// Returns the resource if it has been made.
    #[must_use]
    pub fn get_if_made(&self) -> Option<Arc<T>> {
        self.shared.made.get().cloned()
    }
}

impl<T> Clone for Resource<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> fmt::Debug for Resource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("is_made", &self.shared.made.initialized())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Resource;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn it_is_made_once_and_again_only_after_a_failure() {
        let tries = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&tries);
        let resource = Resource::new(move || {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                match number {
                    0 => Err("not yet".into()),
                    number => Ok(number),
                }
            }
        });
        assert!(resource.get().await.is_err());
        assert!(resource.get_if_made().is_none());
        let (one, other) = tokio::join!(resource.get(), resource.get());
        assert!(Arc::ptr_eq(&one.expect("made"), &other.expect("made")));
        assert_eq!(tries.load(Ordering::Relaxed), 2);
    }
}
