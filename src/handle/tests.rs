//! Claims on handles without a tree: routing, bounds, what is held, drains, lost replies.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::address::{Address, AnyAddress, Claim, Routed};
use super::inbox::{Inbox, inbox};
use super::queue::Queue;
use super::{CallError, CastError, Handle, Reply};
use crate::policy::while_down::WhileDown;

/// A child without a tree.
struct Seat<M: Send + 'static> {
    claim: Claim<M>,
    handle: Handle<M>,
}

/// One run of it.
struct Run<M> {
    inbox: Inbox<M>,
    queue: Arc<Queue<M>>,
    routed: Routed<M>,
}

fn seat<M: Send>(capacity: usize, while_down: WhileDown) -> Seat<M> {
    let claim = Claim::new();
    claim.address().set_bounds(capacity, while_down);
    let handle = Handle::of(claim.address());
    Seat { claim, handle }
}

impl<M: Send> Seat<M> {
    fn address(&self) -> &Arc<Address<M>> {
        self.claim.address()
    }

    fn run(&self) -> Run<M> {
        let (inbox, queue) = inbox(self.address().capacity(), self.address().ledger());
        let routed = self.address().route_to(Arc::clone(&queue) as _);
        Run {
            inbox,
            queue,
            routed,
        }
    }

    /// Returns depth, lost and rejected.
    fn counts(&self) -> (usize, u64, u64) {
        let reading = self.address().read();
        (reading.depth, reading.lost, reading.rejected)
    }
}

fn is_pending<F: Future>(future: F) -> bool {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    matches!(future.as_mut().poll(&mut cx), Poll::Pending)
}

#[test]
fn a_message_comes_back_while_the_child_is_down() {
    let seat = seat::<u32>(1, WhileDown::Reject);
    let refused = seat.handle.cast(7).expect_err("no run is up");
    assert_eq!((refused.code(), refused.message()), ("down", &7));
    seat.address().retire();
    assert!(matches!(seat.handle.cast(7), Err(CastError::Gone(7))));
    assert!(matches!(
        Handle::unbound().cast(7),
        Err(CastError::Unbound(7))
    ));
    assert_eq!(seat.counts(), (0, 0, 2));
}

#[tokio::test]
async fn a_full_mailbox_refuses_and_the_depth_is_exact() {
    let seat = seat(2, WhileDown::Reject);
    let mut run = seat.run();
    seat.handle.cast(1).expect("room for two");
    seat.handle.cast(2).expect("room for two");
    assert!(matches!(seat.handle.cast(3), Err(CastError::Full(3))));
    assert_eq!((seat.counts(), run.inbox.len()), ((2, 0, 1), 2));
    assert_eq!(run.inbox.recv().await, Some(1));
    assert_eq!(seat.counts(), (1, 0, 1));
    drop(run.routed);
    assert!(matches!(seat.handle.cast(4), Err(CastError::Down(4))));
}

#[tokio::test(start_paused = true)]
async fn the_age_is_that_of_the_oldest_message_that_waits() {
    let seat = seat(8, WhileDown::Hold(8));
    assert_eq!(seat.address().read().oldest, None);
    let mut sent = Vec::new();
    for n in 0..3 {
        sent.push(tokio::time::Instant::now());
        seat.handle.cast(n).expect("it is held");
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(seat.address().read().oldest, Some(sent[0]));
    let mut run = seat.run();
    assert_eq!(seat.address().read().oldest, Some(sent[0]));
    assert_eq!(run.inbox.try_recv(), Some(0));
    assert_eq!(seat.address().read().oldest, Some(sent[1]));
}

#[tokio::test]
async fn a_worker_that_waits_is_not_busy_though_a_message_is_on_its_way_to_it() {
    let seat = seat(2, WhileDown::Reject);
    let mut run = seat.run();
    seat.handle.cast(1).expect("room");
    assert_eq!(run.inbox.recv().await, Some(1));
    assert!(run.queue.busy_since().is_some(), "it is at what it took");
    let mut cx = Context::from_waker(Waker::noop());
    let mut next = pin!(run.inbox.recv());
    assert!(next.as_mut().poll(&mut cx).is_pending());
    seat.handle.cast(2).expect("room");
    assert_eq!(
        run.queue.busy_since(),
        None,
        "it is woken and has not run yet"
    );
    assert_eq!(next.await, Some(2));
    assert!(run.queue.busy_since().is_some());
}

#[tokio::test]
async fn an_inbox_ends_when_a_stop_is_asked_for_ahead_of_what_is_queued() {
    let seat = seat(2, WhileDown::Reject);
    let mut run = seat.run();
    let woken = async {
        assert_eq!(run.inbox.recv().await, None);
        assert_eq!(run.inbox.recv_many(&mut Vec::new(), 8).await, 0);
        assert_eq!(run.inbox.try_recv(), Some(1));
    };
    // Joined in this order: the receiver waits when the stop comes.
    tokio::join!(woken, async {
        let queue = Arc::clone(&run.queue);
        queue.stop();
        seat.handle.cast(1).expect("admission stays open");
    });
}

#[tokio::test]
async fn a_drain_lets_nothing_in_and_gives_what_is_queued_before_it_ends() {
    // Held messages are for the next run, and a drain is no way around it.
    let seat = seat(8, WhileDown::Hold(8));
    let mut run = seat.run();
    seat.handle.cast(1).expect("room");
    seat.handle.cast(2).expect("room");
    run.queue.drain();
    assert!(matches!(seat.handle.cast(3), Err(CastError::Down(3))));
    assert_eq!(run.inbox.recv().await, Some(1));
    assert_eq!(run.inbox.recv().await, Some(2));
    assert_eq!(run.inbox.recv().await, None);
    assert_eq!(seat.counts(), (0, 0, 1));
}

#[tokio::test]
async fn a_stop_ends_a_drain_ahead_of_what_is_queued() {
    let seat = seat(8, WhileDown::Reject);
    let mut run = seat.run();
    seat.handle.cast(1).expect("room");
    run.queue.drain();
    run.queue.stop();
    assert_eq!(run.inbox.recv().await, None);
    drop(run);
    assert_eq!(seat.counts(), (0, 1, 0));
}

#[tokio::test]
async fn a_batch_takes_what_is_there_up_to_its_limit() {
    let seat = seat(8, WhileDown::Reject);
    let mut run = seat.run();
    let mut batch = Vec::new();
    assert!(is_pending(run.inbox.recv_many(&mut batch, 3)));
    for n in 0..5 {
        seat.handle.cast(n).expect("room");
    }
    assert_eq!(run.inbox.recv_many(&mut batch, 0).await, 1);
    assert_eq!(run.inbox.recv_many(&mut batch, 3).await, 3);
    assert_eq!(run.inbox.recv_many(&mut batch, 3).await, 1);
    assert_eq!(batch, [0, 1, 2, 3, 4]);
    assert!(run.inbox.is_empty());
}

#[tokio::test]
async fn a_receiver_that_never_waits_still_yields() {
    let seat = seat(100_000, WhileDown::Reject);
    let mut run = seat.run();
    for n in 0..10_000 {
        seat.handle.cast(n).expect("room");
    }
    let mut receive = pin!(async {
        for _ in 0..10_000 {
            run.inbox.recv().await;
        }
    });
    let polled = std::future::poll_fn(|cx| Poll::Ready(receive.as_mut().poll(cx)));
    assert!(polled.await.is_pending(), "it took all in one poll");
}

#[tokio::test]
async fn what_is_held_goes_ahead_of_what_is_sent_later() {
    let seat = seat(8, WhileDown::Hold(2));
    seat.handle.cast(1).expect("it is held");
    seat.handle.cast(2).expect("it is held");
    assert!(matches!(seat.handle.cast(3), Err(CastError::Full(3))));
    assert_eq!(seat.counts(), (2, 0, 1));
    let mut run = seat.run();
    seat.handle.cast(4).expect("it is up");
    let mut batch = Vec::new();
    run.inbox.recv_many(&mut batch, 8).await;
    assert_eq!(batch, [1, 2, 4]);
}

#[tokio::test]
async fn what_a_run_left_is_not_held_and_what_follows_its_inbox_is() {
    let seat = seat(8, WhileDown::Hold(8));
    let run = seat.run();
    seat.handle.cast(1).expect("it is up");
    drop(run.inbox);
    assert_eq!(seat.counts(), (0, 1, 0));
    // The run is not over, but it will not receive any more.
    seat.handle.cast(2).expect("it is held");
    drop(run.routed);
    seat.handle.cast(3).expect("it is held");
    let mut next = seat.run();
    assert_eq!(next.inbox.recv().await, Some(2));
    assert_eq!(next.inbox.recv().await, Some(3));
}

#[test]
fn what_is_held_is_lost_when_no_run_can_follow() {
    let seat = seat(8, WhileDown::Hold(8));
    let message = Arc::new(());
    seat.handle.cast(Arc::clone(&message)).expect("it is held");
    drop(seat.claim);
    assert_eq!(Arc::strong_count(&message), 1, "it was dropped");
    let reading = seat.handle.address().read();
    assert_eq!((reading.depth, reading.lost), (0, 1));
    assert!(matches!(seat.handle.cast(message), Err(CastError::Gone(_))));
}

#[test]
fn a_hold_is_never_larger_than_the_mailbox() {
    let seat = seat(1, WhileDown::Hold(8));
    seat.handle.cast(1).expect("it is held");
    assert!(matches!(seat.handle.cast(2), Err(CastError::Full(2))));
}

#[tokio::test]
async fn a_send_waits_for_room_and_for_the_next_run() {
    let seat = seat(1, WhileDown::Reject);
    let handle = seat.handle.clone();
    let sender = tokio::spawn(async move {
        for n in 0..3 {
            handle.send(n).await?;
        }
        Ok::<_, CastError<u32>>(())
    });
    tokio::task::yield_now().await;
    let mut run = seat.run();
    assert_eq!(run.inbox.recv().await, Some(0));
    assert_eq!(run.inbox.recv().await, Some(1));
    assert_eq!(run.inbox.recv().await, Some(2));
    sender.await.expect("no panic").expect("it is up");
    assert_eq!(seat.counts(), (0, 0, 0), "waiting is no rejection");
}

#[tokio::test(start_paused = true)]
async fn a_send_gives_up_with_what_stood_in_the_way_and_the_message() {
    let seat = seat(1, WhileDown::Reject);
    let second = Duration::from_secs(1);
    let refused = seat.handle.send_timeout(1, second).await;
    assert!(matches!(refused, Err(CastError::Down(1))));
    let _run = seat.run();
    seat.handle.send_timeout(1, second).await.expect("room");
    let refused = seat.handle.send_timeout(2, second).await;
    assert!(matches!(refused, Err(CastError::Full(2))));
    let (handle, late) = (seat.handle.clone(), seat.address());
    let (refused, ()) = tokio::join!(handle.send(3), async { late.retire() });
    assert!(matches!(refused, Err(CastError::Gone(3))));
    let unbound = Handle::unbound().send(4).await;
    assert!(matches!(unbound, Err(CastError::Unbound(4))));
    assert_eq!(seat.counts().2, 3);
}

#[tokio::test]
async fn a_send_that_is_dropped_delivers_nothing_and_passes_its_turn_on() {
    let seat = seat(1, WhileDown::Reject);
    let mut run = seat.run();
    seat.handle.cast(0).expect("room");
    let message = 1;
    let mut given_up = Box::pin(seat.handle.send(message));
    let mut patient = Box::pin(seat.handle.send(2));
    assert!(is_pending(given_up.as_mut()) && is_pending(patient.as_mut()));
    // The first in turn is told of the room, and gives up before it looks.
    assert_eq!(run.inbox.try_recv(), Some(0));
    drop(given_up);
    patient.await.expect("room");
    assert_eq!(run.inbox.try_recv(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost_among_many_senders() {
    const SENDERS: usize = 16;
    const EACH: usize = 500;
    let seat = seat(3, WhileDown::Reject);
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let handle = seat.handle.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    if n % 7 == 0 {
                        // Given up at once, often in the middle of its turn.
                        let sent = handle.send_timeout(0, Duration::ZERO).await;
                        if sent.is_ok() {
                            continue;
                        }
                    }
                    handle.send(0).await.expect("a run follows");
                }
            })
        })
        .collect();
    let mut received = 0;
    while received < SENDERS * EACH {
        let mut run = seat.run();
        let mut batch = Vec::new();
        for round in 0..50 {
            if received == SENDERS * EACH {
                break;
            }
            received += match round % 2 {
                0 => run.inbox.recv().await.map_or(0, |_| 1),
                _ => run.inbox.recv_many(&mut batch, 2).await,
            };
        }
        drop(run.routed);
        while run.inbox.try_recv().is_some() {
            received += 1;
        }
    }
    for sender in senders {
        sender.await.expect("no panic");
    }
    assert_eq!((received, seat.counts().1), (SENDERS * EACH, 0));
}

#[tokio::test]
async fn a_dropped_reply_fails_the_call_as_lost() {
    let seat = seat::<Ask>(2, WhileDown::Reject);
    let mut run = seat.run();
    let server = async {
        let Some(Ask::Double(n, reply)) = run.inbox.recv().await else {
            panic!("one call")
        };
        assert!(reply.send(2 * n).is_ok());
        drop(run.inbox.recv().await);
    };
    let calls = async {
        let handle = &seat.handle;
        assert_eq!(handle.call(|reply| Ask::Double(21, reply)).await, Ok(42));
        assert_eq!(
            handle.call(|reply| Ask::Double(1, reply)).await,
            Err(CallError::Lost)
        );
    };
    tokio::join!(server, calls);
}

enum Ask {
    Double(u32, Reply<u32>),
}

#[tokio::test]
async fn ready_waits_for_a_run_and_fails_when_none_can_follow() {
    let seat = seat::<u32>(1, WhileDown::Reject);
    let mut waiting = tokio::spawn({
        let handle = seat.handle.clone();
        async move { handle.ready().await }
    });
    let run = seat.run();
    // It can be sent to, but it has not said that it is up.
    tokio::task::yield_now().await;
    assert!(is_pending(&mut waiting));
    seat.address().acknowledge();
    assert_eq!(waiting.await.expect("not cancelled"), Ok(()));
    drop(run);
    drop(seat.claim);
    assert!(seat.handle.ready().await.is_err());
}

#[test]
fn a_run_that_comes_up_after_the_end_stays_unreachable() {
    let seat = seat(1, WhileDown::Reject);
    seat.address().retire();
    let run = seat.run();
    assert!(matches!(seat.handle.cast(1), Err(CastError::Gone(1))));
    drop(run);
    assert!(matches!(seat.handle.cast(1), Err(CastError::Gone(1))));
    seat.address().revive();
    assert!(matches!(seat.handle.cast(1), Err(CastError::Down(1))));
}

#[test]
fn an_address_claimed_twice_is_noticed() {
    let seat = seat::<u32>(1, WhileDown::Reject);
    assert!(!seat.address().is_shared());
    let second = Claim::of(seat.address());
    assert!(seat.address().is_shared());
    drop(second);
    assert!(!seat.address().is_shared());
    assert!(matches!(seat.handle.cast(1), Err(CastError::Down(1))));
}

#[test]
fn an_address_is_gone_with_its_last_child() {
    let seat = seat::<u32>(1, WhileDown::Reject);
    let Seat { claim, handle } = seat;
    let second = Claim::of(claim.address());
    claim.address().retire();
    drop(claim);
    assert!(matches!(handle.cast(1), Err(CastError::Down(1))));
    drop(second);
    assert!(matches!(handle.cast(1), Err(CastError::Gone(1))));
}

#[cfg(shuttle)]
mod races;
