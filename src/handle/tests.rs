//! Claims on handles without a tree: routing, bounds, lost replies.

use std::sync::Arc;

use super::inbox::inbox;
use super::{Address, CallError, CastError, Handle, Meter, Reply};
use crate::shutdown::StopSignal;

enum Ask {
    Double(u32, Reply<u32>),
}

fn parts(capacity: usize) -> (Arc<Address<u32>>, Handle<u32>, Arc<Meter>) {
    let address = Address::claimed();
    let handle = Handle::of(&address);
    (address, handle, Arc::new(Meter::new(capacity)))
}

#[test]
fn a_message_comes_back_while_the_child_is_down() {
    let (address, handle, _) = parts(1);
    assert!(matches!(handle.cast(7), Err(CastError::Down(7))));
    address.retire();
    assert!(matches!(handle.cast(7), Err(CastError::Gone(7))));
    assert!(matches!(
        Handle::unbound().cast(7),
        Err(CastError::Unbound(7))
    ));
}

#[tokio::test]
async fn a_full_mailbox_refuses_and_the_depth_is_exact() {
    let (address, handle, meter) = parts(2);
    let (slot, mut inbox) = inbox(2, Arc::clone(&meter), Arc::default());
    let routed = address.route_to(Arc::new(slot));
    handle.cast(1).expect("room for two");
    handle.cast(2).expect("room for two");
    assert!(matches!(handle.cast(3), Err(CastError::Full(3))));
    assert_eq!(meter.depth(), 2);
    assert_eq!(inbox.recv().await, Some(1));
    assert_eq!(meter.depth(), 1);
    drop(routed);
    assert!(matches!(handle.cast(4), Err(CastError::Down(4))));
}

#[tokio::test(start_paused = true)]
async fn an_inbox_ends_when_a_stop_is_asked_for_ahead_of_what_is_queued() {
    let (address, handle, meter) = parts(2);
    let stop = Arc::new(StopSignal::default());
    let (slot, mut inbox) = inbox(2, meter, Arc::clone(&stop));
    let _routed = address.route_to(Arc::new(slot));
    handle.cast(1).expect("room");
    let now = tokio::time::Instant::now();
    stop.request(now, now);
    assert_eq!(inbox.recv().await, None);
    assert_eq!(inbox.try_recv(), Some(1));
}

#[tokio::test]
async fn a_dropped_reply_fails_the_call_as_lost() {
    let address = Address::claimed();
    let handle = Handle::of(&address);
    let (slot, mut inbox) = inbox(2, Arc::new(Meter::new(2)), Arc::default());
    let _routed = address.route_to(Arc::new(slot));
    let server = async {
        let Some(Ask::Double(n, reply)) = inbox.recv().await else {
            panic!("one call")
        };
        assert!(reply.send(2 * n).is_ok());
        drop(inbox.recv().await);
    };
    let calls = async {
        assert_eq!(handle.call(|reply| Ask::Double(21, reply)).await, Ok(42));
        assert_eq!(
            handle.call(|reply| Ask::Double(1, reply)).await,
            Err(CallError::Lost)
        );
    };
    tokio::join!(server, calls);
}

#[tokio::test]
async fn ready_waits_for_a_run_and_fails_when_none_can_follow() {
    let (address, handle, meter) = parts(1);
    let waiting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.ready().await }
    });
    tokio::task::yield_now().await;
    let (slot, _inbox) = inbox(1, meter, Arc::default());
    let routed = address.route_to(Arc::new(slot));
    assert_eq!(waiting.await.expect("not cancelled"), Ok(()));
    drop(routed);
    address.retire();
    assert!(handle.ready().await.is_err());
}

#[test]
fn an_address_claimed_twice_is_noticed() {
    let (address, handle, _) = parts(1);
    assert!(!address.is_shared());
    handle.address().claim();
    assert!(address.is_shared());
}
