//! Where messages for a child go: to the run that is up, into what is held for the next, or back.
//!
//! # Invariants
//!
//! 1. What is held is handed to the next run before its route is visible, under the lock that every
//!    sender reads: so nothing that is sent later overtakes it.
//! 2. An address that is gone is down again only when a run of its child is launched: the supervisor
//!    above was restarted, and its declaration brought the child back.
//! 3. Locks are taken in the order route, held, mailbox; no message is dropped under one.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use super::durations::HandlerDurations;
use super::ledger::Ledger;
use super::queue::{Messages, drop_each};
use super::{CastError, DEFAULT_MAILBOX_CAPACITY};
use crate::policy::while_down::WhileDown;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Mutex, Notify, RwLock, lock, read, write};

/// Accepts messages for one run of a child.
pub(crate) trait Deliver<M>: Send + Sync {
    /// Queues a message, or gives it back.
    fn deliver(&self, message: M) -> Result<(), Refused<M>>;
    /// Queues messages that were accepted before this run, beyond its bound if need be; leaves what
    /// it can't take. Runs under the address' locks.
    fn take_over(&self, held: &mut Messages<M>);
    /// Wakes the receiver after a take-over, when no lock is held any more.
    fn rouse(&self);
    /// Says that no sender finds it any more: what waits is all that comes.
    fn leave(&self);
    /// Returns how many messages wait, and when the oldest was sent.
    fn waiting(&self) -> (usize, Option<Instant>);
    /// Returns since when the run has been at what it received, by the coarse clock; `None` where it
    /// waits for more, or where that is not known here.
    fn busy_since(&self) -> Option<u64> {
        None
    }
}

/// Why a run did not accept a message.
#[derive(Debug)]
pub(crate) enum Refused<M> {
    /// As many wait as may.
    Full(M),
    /// It only finishes what it has.
    Draining(M),
    /// It does not receive any more; the message is the next run's, if there is one.
    Ended(M),
}

/// A child's address without the type of its messages: what a supervisor and a reader see.
pub(crate) trait AnyAddress: fmt::Debug + Send + Sync {
    /// Reads what waits and what was counted.
    fn read(&self) -> MailboxReading;
    /// Returns since when the run has been at what it received: see [`Deliver::busy_since`].
    fn busy_since(&self) -> Option<u64>;
    /// Says that the run it leads to is up.
    fn acknowledge(&self);
    /// Takes the route down: a run that is about to be killed accepts nothing more. Its inbox does not
    /// end by that: a worker must not return, and look as if it had ended well.
    fn close(&self);
    /// Says that no run can follow.
    fn retire(&self);
}

/// A mailbox at one moment, what is held for the next run included.
#[derive(Debug, Clone)]
pub(crate) struct MailboxReading {
    pub(crate) depth: usize,
    /// When the oldest message that waits was sent.
    pub(crate) oldest: Option<Instant>,
    pub(crate) capacity: usize,
    pub(crate) lost: u64,
    pub(crate) rejected: u64,
    pub(crate) handled: u64,
    pub(crate) durations: Option<Box<HandlerDurations>>,
}

/// Where messages for a child go.
pub(crate) struct Address<M> {
    route: RwLock<Route<M>>,
    /// Whether the run that the route leads to has acknowledged its start.
    is_ready: AtomicBool,
    held: Mutex<Held<M>>,
    pub(super) changed: Notify,
    capacity: AtomicUsize,
    ledger: Arc<Ledger>,
    /// How many children claim this address; more than one is a mistake in the declaration.
    claims: AtomicUsize,
}

enum Route<M> {
    Unbound,
    Down,
    Up(Arc<dyn Deliver<M>>),
    Gone,
}

/// What waits for the next run.
struct Held<M> {
    waiting: Messages<M>,
    limit: usize,
}

impl<M> Address<M> {
    /// Makes an address that belongs to no child yet.
    pub(super) fn unbound() -> Arc<Self> {
        let held = Held {
            waiting: Messages::new(),
            limit: 0,
        };
        Arc::new(Self {
            route: RwLock::new(Route::Unbound),
            is_ready: AtomicBool::new(false),
            held: Mutex::new(held),
            changed: Notify::new(),
            capacity: AtomicUsize::new(DEFAULT_MAILBOX_CAPACITY),
            ledger: Arc::default(),
            claims: AtomicUsize::new(0),
        })
    }

    /// Says how many messages may wait, and what becomes of them while the child is down.
    pub(crate) fn set_bounds(&self, capacity: usize, while_down: WhileDown) {
        self.capacity.store(capacity, Ordering::Relaxed);
        lock(&self.held).limit = while_down.limit(capacity);
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed)
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Tells whether two children were declared with this address.
    pub(crate) fn is_shared(&self) -> bool {
        self.claims.load(Ordering::Relaxed) > 1
    }

    /// Returns the route in a word.
    pub(super) fn route_code(&self) -> &'static str {
        match &*read(&self.route) {
            Route::Unbound => "unbound",
            Route::Down => "down",
            Route::Up(_) => "up",
            Route::Gone => "gone",
        }
    }

    /// Tells whether a run can be sent to and is up; `None` says that none can follow.
    pub(super) fn is_up(&self) -> Option<bool> {
        match &*read(&self.route) {
            Route::Up(_) => Some(self.is_ready.load(Ordering::Acquire)),
            Route::Unbound | Route::Down => Some(false),
            Route::Gone => None,
        }
    }

    /// Delivers or holds a message, or gives it back; a message that comes back is not counted yet.
    pub(super) fn offer(&self, message: M) -> Result<(), CastError<M>> {
        match &*read(&self.route) {
            Route::Up(mailbox) => match mailbox.deliver(message) {
                Ok(()) => Ok(()),
                Err(Refused::Full(message)) => Err(CastError::Full(message)),
                Err(Refused::Draining(message)) => Err(CastError::Down(message)),
                Err(Refused::Ended(message)) => self.hold(message),
            },
            Route::Down => self.hold(message),
            Route::Unbound => Err(CastError::Unbound(message)),
            Route::Gone => Err(CastError::Gone(message)),
        }
    }

    /// Counts a message that goes back to its sender for good.
    pub(super) fn reject(&self, refused: CastError<M>) -> CastError<M> {
        // An address without a child has nobody to count for.
        if !matches!(refused, CastError::Unbound(_)) {
            self.ledger.reject();
        }
        refused
    }

    /// Keeps a message for the next run. Called with the route read, which keeps that run out.
    fn hold(&self, message: M) -> Result<(), CastError<M>> {
        let mut held = lock(&self.held);
        if held.limit == 0 {
            return Err(CastError::Down(message));
        }
        if held.waiting.len() >= held.limit {
            return Err(CastError::Full(message));
        }
        held.waiting.push_back((Instant::now(), message));
        Ok(())
    }

    /// Says that a run begins after all.
    pub(crate) fn revive(&self) {
        let mut route = write(&self.route);
        if matches!(*route, Route::Gone) {
            *route = Route::Down;
        }
    }

    /// Routes to a run for as long as the returned guard lives; not once the child is gone, whose
    /// run may be a late one that hung.
    pub(crate) fn route_to(self: &Arc<Self>, mailbox: Arc<dyn Deliver<M>>) -> Routed<M> {
        let previous = {
            let mut route = write(&self.route);
            match *route {
                Route::Gone => None,
                _ => {
                    mailbox.take_over(&mut lock(&self.held).waiting);
                    let next = Route::Up(Arc::clone(&mailbox));
                    Some(std::mem::replace(&mut *route, next))
                }
            }
        };
        match previous {
            None => mailbox.leave(),
            Some(previous) => {
                // That of a run that hung: it may be the last to hold messages (invariant 3).
                if let Route::Up(previous) = previous {
                    previous.leave();
                }
                mailbox.rouse();
            }
        }
        self.changed.notify_waiters();
        Routed(Arc::clone(self))
    }

    /// Takes the route down, if it is up, and returns where it led.
    fn take_down(&self) -> Option<Arc<dyn Deliver<M>>> {
        let previous = {
            let mut route = write(&self.route);
            // A hung run that ends after its child was retired must not bring the address back.
            match &*route {
                Route::Up(_) => {
                    self.is_ready.store(false, Ordering::Release);
                    std::mem::replace(&mut *route, Route::Down)
                }
                Route::Unbound | Route::Down | Route::Gone => return None,
            }
        };
        self.changed.notify_waiters();
        match previous {
            Route::Up(mailbox) => Some(mailbox),
            Route::Unbound | Route::Down | Route::Gone => None,
        }
    }
}

impl<M: Send + 'static> AnyAddress for Address<M> {
    fn read(&self) -> MailboxReading {
        let route = read(&self.route);
        let (held, first_held) = {
            let held = lock(&self.held);
            (held.waiting.len(), held.waiting.front().map(|(at, _)| *at))
        };
        let (queued, first_queued) = match &*route {
            Route::Up(mailbox) => mailbox.waiting(),
            Route::Unbound | Route::Down | Route::Gone => (0, None),
        };
        MailboxReading {
            depth: held + queued,
            oldest: first_queued.into_iter().chain(first_held).min(),
            capacity: self.capacity(),
            lost: self.ledger.lost(),
            rejected: self.ledger.rejected(),
            handled: self.ledger.handled(),
            durations: self.ledger.durations(),
        }
    }

    fn busy_since(&self) -> Option<u64> {
        match &*read(&self.route) {
            Route::Up(mailbox) => mailbox.busy_since(),
            Route::Unbound | Route::Down | Route::Gone => None,
        }
    }

    fn acknowledge(&self) {
        // Read for its lock: a route that is taken down meanwhile is not ready.
        if let Route::Up(_) = &*read(&self.route) {
            self.is_ready.store(true, Ordering::Release);
        }
        self.changed.notify_waiters();
    }

    fn close(&self) {
        drop(self.take_down());
    }

    fn retire(&self) {
        if self.is_shared() {
            // Another child was given it, whose run it leads to or will.
            return;
        }
        let (previous, held) = {
            let mut route = write(&self.route);
            let previous = std::mem::replace(&mut *route, Route::Gone);
            (previous, std::mem::take(&mut lock(&self.held).waiting))
        };
        if let Route::Up(mailbox) = previous {
            mailbox.leave();
        }
        self.changed.notify_waiters();
        if held.is_empty() {
            return;
        }
        self.ledger.lose(held.len());
        // A supervisor retires its children, and the user's drops must not run on its task.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { drop_each(held) })),
            Err(_) => drop_each(held),
        }
    }
}

impl<M> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("route", &self.route_code())
            .finish_non_exhaustive()
    }
}

/// A child's hold on its address. When the last one is dropped, with the specification, no run can follow.
///
/// A child that nobody can send to has no address before somebody asks for it.
pub(crate) struct Claim<M: Send + 'static>(OnceLock<Arc<Address<M>>>);

impl<M: Send + 'static> Claim<M> {
    /// Claims an address that is made when it is first asked for.
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Takes an address for one more child.
    pub(crate) fn of(address: &Arc<Address<M>>) -> Self {
        Self(OnceLock::from(claimed(Arc::clone(address))))
    }

    pub(crate) fn address(&self) -> &Arc<Address<M>> {
        self.0.get_or_init(|| claimed(Address::unbound()))
    }

    /// Returns the address if there is one.
    pub(crate) fn known(&self) -> Option<&Arc<Address<M>>> {
        self.0.get()
    }
}

impl<M: Send + 'static> Drop for Claim<M> {
    fn drop(&mut self) {
        if let Some(address) = self.known()
            && address.claims.fetch_sub(1, Ordering::AcqRel) == 1
        {
            address.retire();
        }
    }
}

/// Says that one more child has an address, which is not up yet.
fn claimed<M>(address: Arc<Address<M>>) -> Arc<Address<M>> {
    address.claims.fetch_add(1, Ordering::Relaxed);
    let mut route = write(&address.route);
    if matches!(*route, Route::Unbound) {
        *route = Route::Down;
    }
    drop(route);
    address
}

/// Keeps a route up; dropping it takes the route down, however the run ends.
pub(crate) struct Routed<M>(Arc<Address<M>>);

impl<M> Drop for Routed<M> {
    fn drop(&mut self) {
        if let Some(mailbox) = self.0.take_down() {
            mailbox.leave();
        }
    }
}
