//! What becomes of a message that is sent while its child is down.

/// Says what a handle does with a message while no run of the child is up.
///
/// A child is down before its first start, while it restarts or backs off, and while it is stopped
/// by hand. Once none can follow it is gone, and every message comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WhileDown {
    /// The message comes back to its sender, who knows best whether it still matters. The default.
    #[default]
    Reject,
    /// As many messages as this are kept, in order, and are delivered to the next run before
    /// anything that is sent later.
    ///
    /// Never more than the child's mailbox holds; one more comes back as full. `Hold(0)` keeps
    /// nothing. When the child is gone what was held is dropped and counted as lost.
    Hold(usize),
}

impl WhileDown {
    /// Returns how many messages are kept for a mailbox of `capacity`.
    pub(crate) fn limit(self, capacity: usize) -> usize {
        match self {
            Self::Reject => 0,
            Self::Hold(limit) => limit.min(capacity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WhileDown;

    #[test]
    fn as_many_messages_are_held_as_was_said_and_never_more_than_the_mailbox_holds() {
        for (while_down, held) in [
            (WhileDown::Reject, 0),
            (WhileDown::Hold(0), 0),
            (WhileDown::Hold(5), 5),
            (WhileDown::Hold(500), 64),
        ] {
            assert_eq!(while_down.limit(64), held, "{while_down:?}");
        }
    }
}
