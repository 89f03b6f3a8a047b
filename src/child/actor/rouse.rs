//! Makes an actor that waits for a message poll one of its hooks: a fault from outside waits there.
//!
//! Of the ports that ractor reads between two hooks, the one for supervision events is the only that
//! neither ends the actor nor needs a message of its own type. From outside of ractor an event gets in
//! there as news of a process group.

use ractor::{ActorCell, SupervisionEvent, pg};

/// The scope of the group; ractor's names are global, and no user's monitor listens here.
const SCOPE: &str = "perennial.testkit";

/// Returns what sends an actor an event that says nothing.
pub(super) fn of(actor: ActorCell) -> impl Fn() + Send + Sync + 'static {
    move || {
        let join = || pg::join_scoped(SCOPE.to_owned(), SCOPE.to_owned(), vec![actor.clone()]);
        let leave = || pg::leave_scoped(SCOPE.to_owned(), SCOPE.to_owned(), vec![actor.clone()]);
        pg::monitor_scope(SCOPE.to_owned(), actor.clone());
        join();
        pg::demonitor_scope(SCOPE.to_owned(), actor.get_id());
        leave();
    }
}

/// Tells whether an event was sent from here.
pub(super) fn is_from_here(event: &SupervisionEvent) -> bool {
    matches!(event, SupervisionEvent::ProcessGroupChanged(change) if change.get_scope() == SCOPE)
}
