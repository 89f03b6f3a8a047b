//! The one way this crate locks, and what its threads share.
//!
//! A lock is held for a few loads and stores, or while a signal's handler is registered, and never across user code, so a poisoned one can only
//! come from a bug here; what it protects is still whole, and a supervisor must go on. Every lock of
//! the crate is taken through this file, which makes that decision once.
//!
//! Whatever two threads race for comes from here, so that the tests can put a scheduler under it that
//! tries orders which a real machine seldom does: see `sync/races.rs`.

#[cfg(all(test, shuttle))]
pub(crate) mod races;

use std::sync::PoisonError;

#[cfg(not(all(test, shuttle)))]
pub(crate) use std::sync::{
    Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic,
};
#[cfg(not(all(test, shuttle)))]
pub(crate) use std::thread;
#[cfg(not(all(test, shuttle)))]
pub(crate) use tokio::sync::Notify;

#[cfg(all(test, shuttle))]
pub(crate) use self::races::{
    Mutex, MutexGuard, Notify, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic, thread,
};

/// Locks, and goes on with what a panicking holder left.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for reading.
pub(crate) fn read<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for writing.
pub(crate) fn write<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
