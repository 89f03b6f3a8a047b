//! The end of a bus: the number of its last value, and whether more can follow.

use crate::sync::atomic::{AtomicU64, Ordering};

/// The last publisher is gone.
const CLOSED: u64 = 1;

/// The number of the last value stands above the flag.
const SEQ_SHIFT: u32 = 1;

/// A value that shares its cache lines with nothing: 128 bytes, because processors fetch lines in
/// pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Apart<T>(pub(super) T);

/// Where the bus ends; written under the publishers' lock alone, read by anybody.
#[derive(Debug, Default)]
pub(super) struct Tail(Apart<AtomicU64>);

/// Where the bus ended when somebody looked.
#[derive(Debug, Clone, Copy)]
pub(super) struct End(u64);

impl Tail {
    /// Returns where the bus ends.
    #[inline]
    pub(super) fn end(&self) -> End {
        End(self.0.0.load(Ordering::Acquire))
    }

    /// Moves the end to `seq`. Nobody publishes on a closed bus.
    #[inline]
    pub(super) fn advance(&self, seq: u64) {
        self.0.0.store(seq << SEQ_SHIFT, Ordering::Release);
    }

    /// Says that nothing follows.
    pub(super) fn close(&self) {
        self.0.0.store(self.end().0 | CLOSED, Ordering::Release);
    }
}

impl End {
    #[inline]
    pub(super) fn seq(self) -> u64 {
        self.0 >> SEQ_SHIFT
    }

    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }
}
