//! Claims on what several threads do to one handle at the same time, in many orders each.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use tokio::time::Instant;

use super::{Run, Seat, seat};
use crate::handle::address::{Address, AnyAddress, Deliver, Refused, Routed};
use crate::handle::{CallError, CastError, Handle, Messages, Meter, Reply};
use crate::policy::while_down::WhileDown;
use crate::sync::races::{block_on, check, spawn};
use crate::sync::{Mutex, lock};

/// Who sent it, and which of that sender's it is; alive as long as somebody holds it.
type Message = (usize, usize, Arc<()>);

/// A message without its life.
type Name = (usize, usize);

/// What became of one sender's messages, as far as the sender knows.
#[derive(Debug, Default)]
struct Sent {
    accepted: Vec<Name>,
    turned_away: u64,
    lives: Vec<Weak<()>>,
}

impl Sent {
    fn message(&mut self, sender: usize, number: usize) -> Message {
        let life = Arc::new(());
        self.lives.push(Arc::downgrade(&life));
        (sender, number, life)
    }

    fn note(&mut self, name: Name, sent: &Result<(), CastError<Message>>) {
        match sent {
            Ok(()) => self.accepted.push(name),
            Err(_) => self.turned_away += 1,
        }
    }
}

fn casting(handle: &Handle<Message>, sender: usize, count: usize) -> Sent {
    let mut sent = Sent::default();
    for number in 0..count {
        let message = sent.message(sender, number);
        let outcome = handle.cast(message);
        sent.note((sender, number), &outcome);
    }
    sent
}

fn sending(handle: &Handle<Message>, sender: usize, count: usize) -> Sent {
    let mut sent = Sent::default();
    for number in 0..count {
        let message = sent.message(sender, number);
        let outcome = block_on(handle.send(message));
        sent.note((sender, number), &outcome);
    }
    sent
}

fn name((sender, number, _life): Message) -> Name {
    (sender, number)
}

/// Takes what waits, at most `limit`.
fn take(run: &mut Run<Message>, limit: usize) -> Vec<Name> {
    let taken = std::iter::from_fn(|| run.inbox.try_recv());
    taken.take(limit).map(name).collect()
}

/// Retires the child, and holds what it counted against what its senders and its runs saw.
#[track_caller]
fn settle(seat: &Seat<Message>, sent: &[Sent], received: &[Name]) {
    seat.address().retire();
    let (depth, lost, rejected) = seat.counts();
    assert_eq!(depth, 0, "nothing waits for a child that is gone");
    let accepted: BTreeSet<Name> = sent
        .iter()
        .flat_map(|sent| &sent.accepted)
        .copied()
        .collect();
    let once: BTreeSet<Name> = received.iter().copied().collect();
    assert_eq!(
        once.len(),
        received.len(),
        "one was received twice: {received:?}"
    );
    assert!(once.is_subset(&accepted), "{received:?} of {sent:?}");
    let counted = received.len() as u64 + lost;
    assert_eq!(
        accepted.len() as u64,
        counted,
        "{lost} lost, {received:?} of {sent:?}"
    );
    let turned_away: u64 = sent.iter().map(|sent| sent.turned_away).sum();
    assert_eq!(turned_away, rejected);
    for sender in 0..sent.len() {
        let own: Vec<_> = received.iter().filter(|name| name.0 == sender).collect();
        assert!(own.is_sorted(), "out of order: {received:?}");
    }
    let lives = |life: &Weak<()>| life.strong_count() > 0;
    assert!(
        !sent.iter().flat_map(|sent| &sent.lives).any(lives),
        "one was never dropped"
    );
}

/// How a run ends.
#[derive(Clone, Copy)]
enum End {
    /// The body returns: its inbox is dropped, then its route.
    Returned,
    /// The task is dropped: its route first.
    Dropped,
    /// It is killed: the address is closed by another thread while the task is being dropped.
    Killed,
}

const ENDS: [End; 3] = [End::Returned, End::Dropped, End::Killed];

fn end(run: Run<Message>, how: End, address: &Arc<Address<Message>>) {
    let Run { inbox, routed, .. } = run;
    match how {
        End::Returned => {
            drop(inbox);
            drop(routed);
        }
        End::Dropped => {
            drop(routed);
            drop(inbox);
        }
        End::Killed => {
            let killer = spawn({
                let address = Arc::clone(address);
                move || address.close()
            });
            drop(routed);
            drop(inbox);
            drop(killer.join());
        }
    }
}

/// Two senders cast, run follows run, a third thread reads the counts.
fn restarts(while_down: WhileDown, how: End) {
    let seat = seat::<Message>(2, while_down);
    let senders = [0, 1].map(|sender| {
        let handle = seat.handle.clone();
        spawn(move || casting(&handle, sender, 3))
    });
    let reader = spawn({
        let address = Arc::clone(seat.address());
        move || {
            let reading = address.read();
            assert!(reading.depth <= 6, "{reading:?}");
            assert_eq!(reading.depth == 0, reading.oldest.is_none());
        }
    });
    let mut received = Vec::new();
    for _incarnation in 0..2 {
        let mut run = seat.run();
        received.extend(take(&mut run, 2));
        end(run, how, seat.address());
    }
    let mut last = seat.run();
    let sent = senders.map(|sender| sender.join().expect("no panic"));
    reader.join().expect("no panic");
    received.extend(take(&mut last, usize::MAX));
    drop(last);
    settle(&seat, &sent, &received);
}

#[test]
fn a_message_is_received_or_lost_or_comes_back_whatever_runs_end_meanwhile() {
    for how in ENDS {
        check(move || restarts(WhileDown::Reject, how));
    }
}

#[test]
fn what_is_held_is_received_once_and_in_order_whatever_runs_end_meanwhile() {
    for how in ENDS {
        check(move || restarts(WhileDown::Hold(2), how));
    }
}

#[test]
fn what_is_held_while_a_run_begins_is_not_overtaken() {
    check(|| {
        let seat = seat::<Message>(8, WhileDown::Hold(8));
        let sender = spawn({
            let handle = seat.handle.clone();
            move || casting(&handle, 0, 4)
        });
        let mut run = seat.run();
        let mut received = Vec::new();
        while received.len() < 4 {
            received.extend(block_on(run.inbox.recv()).map(name));
        }
        let sent = sender.join().expect("no panic");
        drop(run);
        settle(&seat, &[sent], &received);
        assert_eq!(
            received.len(),
            4,
            "there was room for all, and a run for each"
        );
    });
}

#[test]
fn what_is_held_while_the_child_is_retired_is_lost_or_comes_back() {
    check(|| {
        let seat = seat::<Message>(2, WhileDown::Hold(2));
        let senders = [0, 1].map(|sender| {
            let handle = seat.handle.clone();
            spawn(move || casting(&handle, sender, 2))
        });
        // A hung run comes up late.
        let late = spawn({
            let address = Arc::clone(seat.address());
            move || {
                let seat = super::inbox(2, address.ledger());
                let (inbox, queue) = seat;
                let routed = address.route_to(queue);
                drop(inbox);
                drop(routed);
            }
        });
        seat.address().retire();
        let sent = senders.map(|sender| sender.join().expect("no panic"));
        late.join().expect("no panic");
        assert_eq!(seat.address().route_code(), "gone");
        assert_eq!(seat.counts().0, 0, "nothing is held for nobody");
        settle(&seat, &sent, &[]);
    });
}

/// Waits for the next message, or for some of them.
fn receive(run: &mut Run<Message>, in_batches: bool) -> Vec<Name> {
    let mut batch = Vec::new();
    if in_batches {
        block_on(run.inbox.recv_many(&mut batch, 2));
    } else {
        batch.extend(block_on(run.inbox.recv()));
    }
    batch.into_iter().map(name).collect()
}

/// Two senders wait for room, a third gives up when it would have to; `runs` follow each other,
/// of which each but the last receives once.
fn waiting(runs: usize, in_batches: bool) {
    let capacity = if in_batches { 2 } else { 1 };
    let seat = seat::<Message>(capacity, WhileDown::Reject);
    let patient = [0, 1].map(|sender| {
        let handle = seat.handle.clone();
        spawn(move || sending(&handle, sender, 2))
    });
    let hasty = spawn({
        let handle = seat.handle.clone();
        move || {
            let mut sent = Sent::default();
            let message = sent.message(2, 0);
            let given_up = std::future::ready(());
            let outcome = block_on(handle.send_unless(message, given_up));
            sent.note((2, 0), &outcome);
            sent
        }
    });
    let mut received: Vec<Name> = Vec::new();
    let is_missing = |received: &[Name]| received.iter().filter(|name| name.0 < 2).count() < 4;
    for _incarnation in 1..runs {
        let mut run = seat.run();
        if is_missing(&received) {
            received.extend(receive(&mut run, in_batches));
        }
        drop(run.routed);
        // Nothing comes in any more, so this is all.
        received.extend(std::iter::from_fn(|| run.inbox.try_recv()).map(name));
    }
    let mut run = seat.run();
    while is_missing(&received) {
        received.extend(receive(&mut run, in_batches));
    }
    let [a, b] = patient.map(|sender| sender.join().expect("no panic"));
    let hasty = hasty.join().expect("no panic");
    received.extend(take(&mut run, usize::MAX));
    drop(run);
    settle(&seat, &[a, b, hasty], &received);
}

#[test]
fn no_sender_sleeps_while_there_is_room() {
    check(|| waiting(1, false));
    check(|| waiting(1, true));
}

#[test]
fn room_that_is_made_once_is_noticed_by_as_many_as_it_is_for() {
    for in_batches in [false, true] {
        check(move || {
            let places = if in_batches { 2 } else { 1 };
            let seat = seat::<Message>(places, WhileDown::Reject);
            let mut run = seat.run();
            let mut sent = vec![casting(&seat.handle, 0, places)];
            let patient: Vec<_> = (1..=places)
                .map(|sender| {
                    let handle = seat.handle.clone();
                    spawn(move || sending(&handle, sender, 1))
                })
                .collect();
            let mut received = match in_batches {
                false => take(&mut run, 1),
                true => receive(&mut run, true),
            };
            if received.len() == places {
                sent.extend(
                    patient
                        .into_iter()
                        .map(|sender| sender.join().expect("no panic")),
                );
                received.extend(take(&mut run, usize::MAX));
                drop(run);
                settle(&seat, &sent, &received);
            }
        });
    }
}

#[test]
fn a_sender_that_waits_for_room_is_held_when_the_inbox_ends() {
    check(|| {
        let seat = seat::<Message>(1, WhileDown::Hold(1));
        let run = seat.run();
        let mut sent = vec![casting(&seat.handle, 0, 1)];
        let patient = spawn({
            let handle = seat.handle.clone();
            move || sending(&handle, 1, 1)
        });
        drop(run.inbox);
        // The route is still up: nothing else tells it.
        sent.push(patient.join().expect("no panic"));
        drop(run.routed);
        let mut next = seat.run();
        let received = take(&mut next, usize::MAX);
        assert_eq!(received, [(1, 0)]);
        drop(next);
        settle(&seat, &sent, &received);
    });
}

#[test]
fn what_is_held_is_not_given_to_a_run_that_has_dropped_its_inbox() {
    check(|| {
        let seat = seat::<Message>(4, WhileDown::Hold(4));
        let mut sent = vec![casting(&seat.handle, 0, 2)];
        let sender = spawn({
            let handle = seat.handle.clone();
            move || casting(&handle, 1, 2)
        });
        let (inbox, queue) = super::inbox(4, seat.address().ledger());
        let ending = spawn(move || drop(inbox));
        let routed = seat.address().route_to(queue);
        ending.join().expect("no panic");
        drop(routed);
        let mut next = seat.run();
        sent.push(sender.join().expect("no panic"));
        let received = take(&mut next, usize::MAX);
        drop(next);
        settle(&seat, &sent, &received);
    });
}

#[test]
fn no_sender_sleeps_through_the_next_run() {
    check(|| waiting(2, false));
    check(|| waiting(3, true));
}

#[test]
fn a_sender_that_is_dropped_in_its_turn_passes_it_on() {
    check(|| {
        let seat = seat::<Message>(1, WhileDown::Reject);
        let mut run = seat.run();
        seat.handle.cast((9, 0, Arc::new(()))).expect("room");
        let fickle = spawn({
            let handle = seat.handle.clone();
            move || {
                let mut sent = Sent::default();
                let message = sent.message(0, 0);
                let mut sending = Box::pin(handle.send(message));
                // Polled twice, with whatever happens between, and then given up.
                let mut polls = 0;
                let outcome = block_on(std::future::poll_fn(|cx| {
                    polls += 1;
                    let polled = sending.as_mut().poll(cx);
                    if polled.is_pending() && polls < 2 {
                        cx.waker().wake_by_ref();
                        return std::task::Poll::Pending;
                    }
                    std::task::Poll::Ready(polled)
                }));
                drop(sending);
                outcome.is_ready()
            }
        });
        let patient = spawn({
            let handle = seat.handle.clone();
            move || sending(&handle, 1, 1)
        });
        assert!(block_on(run.inbox.recv()).is_some());
        let first = block_on(run.inbox.recv()).map(name);
        let second = match first {
            Some((0, _)) => block_on(run.inbox.recv()).map(name),
            _ => None,
        };
        assert!(first == Some((1, 0)) || second == Some((1, 0)));
        patient.join().expect("no panic");
        let delivered = fickle.join().expect("no panic");
        let late = run.inbox.try_recv().is_some();
        assert_eq!(delivered, late || first == Some((0, 0)));
    });
}

#[test]
fn a_sender_that_waits_hears_that_the_child_is_gone() {
    for while_down in [WhileDown::Reject, WhileDown::Hold(1)] {
        check(move || {
            let seat = seat::<Message>(1, while_down);
            let senders = [0, 1].map(|sender| {
                let handle = seat.handle.clone();
                spawn(move || sending(&handle, sender, 2))
            });
            let run = seat.run();
            end(run, End::Returned, seat.address());
            seat.address().retire();
            let sent = senders.map(|sender| sender.join().expect("no panic"));
            settle(&seat, &sent, &[]);
        });
    }
}

#[test]
fn a_receiver_hears_of_a_stop_of_a_drain_and_of_the_end_of_its_route() {
    #[derive(Clone, Copy)]
    enum Told {
        Stop,
        Drain,
        DrainThenStop,
        RouteDown,
    }
    for told in [
        Told::Stop,
        Told::Drain,
        Told::DrainThenStop,
        Told::RouteDown,
    ] {
        check(move || {
            let seat = seat::<Message>(2, WhileDown::Reject);
            let Run {
                mut inbox,
                queue,
                routed,
            } = seat.run();
            let sender = spawn({
                let handle = seat.handle.clone();
                move || casting(&handle, 0, 2)
            });
            let teller = spawn(move || {
                match told {
                    Told::Stop => queue.stop(),
                    Told::Drain => queue.drain(),
                    Told::DrainThenStop => {
                        queue.drain();
                        queue.stop();
                    }
                    Told::RouteDown => return None,
                }
                Some(routed)
            });
            let mut received = Vec::new();
            while let Some(message) = block_on(inbox.recv()) {
                received.push(name(message));
            }
            let routed = teller.join().expect("no panic");
            let sent = sender.join().expect("no panic");
            let is_everything = received == sent.accepted;
            drop((inbox, routed));
            settle(&seat, &[sent], &received);
            if matches!(told, Told::Drain | Told::RouteDown) {
                assert!(is_everything, "a drain finishes what was accepted");
            }
        });
    }
}

#[test]
fn who_waits_for_a_run_hears_of_it_or_of_its_never_coming() {
    check(|| {
        let seat = seat::<Message>(1, WhileDown::Reject);
        let waiting = [(); 2].map(|()| {
            let handle = seat.handle.clone();
            spawn(move || block_on(handle.ready()))
        });
        let run = seat.run();
        let acknowledging = spawn({
            let address = Arc::clone(seat.address());
            move || address.acknowledge()
        });
        end(run, End::Killed, seat.address());
        acknowledging.join().expect("no panic");
        assert_eq!(seat.address().is_up(), Some(false), "no run is up");
        let next = seat.run();
        assert_eq!(
            seat.address().is_up(),
            Some(false),
            "the next has said nothing"
        );
        seat.address().acknowledge();
        for waiting in waiting {
            assert_eq!(waiting.join().expect("no panic"), Ok(()));
        }
        drop(next);
        let late = spawn({
            let handle = seat.handle.clone();
            move || block_on(handle.ready())
        });
        seat.address().retire();
        assert!(late.join().expect("no panic").is_err());
    });
}

/// A question, as it stands in an inbox.
struct Ask(Reply<u32>);

#[test]
fn a_call_is_answered_or_lost_and_never_waits_for_a_run_that_ended() {
    for while_down in [WhileDown::Reject, WhileDown::Hold(1)] {
        check(move || {
            let seat = seat::<Ask>(2, while_down);
            let calls = [(); 2].map(|()| {
                let handle = seat.handle.clone();
                spawn(move || block_on(handle.call(Ask)))
            });
            let mut run = seat.run();
            let mut answered = 0;
            if let Some(Ask(reply)) = run.inbox.try_recv() {
                reply.send(7).expect("the caller waits");
                answered += 1;
            }
            drop(run);
            seat.address().retire();
            let answers = calls.map(|call| call.join().expect("no panic"));
            let (_, lost, rejected) = seat.counts();
            let count = |wanted: fn(&Result<u32, CallError>) -> bool| {
                answers.iter().filter(|answer| wanted(answer)).count() as u64
            };
            assert_eq!(count(|answer| *answer == Ok(7)), answered);
            assert_eq!(count(|answer| *answer == Err(CallError::Lost)), lost);
            assert_eq!(answered + lost + rejected, 2, "{answers:?}");
        });
    }
}

/// Stands for ractor's mailbox, which is no bounded queue of ours: only the meter counts for it. The
/// calls to the meter come in the order in which `child/actor` makes them.
struct Port {
    waiting: Mutex<Option<VecDeque<Message>>>,
    meter: Arc<Meter>,
}

impl Port {
    fn send(&self, message: Message) -> Result<(), Message> {
        match &mut *lock(&self.waiting) {
            Some(waiting) => {
                waiting.push_back(message);
                Ok(())
            }
            None => Err(message),
        }
    }

    fn handle(&self) -> Option<Message> {
        let message = lock(&self.waiting).as_mut()?.pop_front()?;
        self.meter.leave();
        Some(message)
    }
}

impl Deliver<Message> for Port {
    fn deliver(&self, message: Message) -> Result<(), Refused<Message>> {
        if !self.meter.enter() {
            return Err(Refused::Full(message));
        }
        self.send(message).map_err(|message| {
            self.meter.withdraw();
            Refused::Ended(message)
        })
    }

    fn take_over(&self, held: &mut Messages<Message>) {
        while let Some((sent_at, message)) = held.pop_front() {
            self.meter.enter_held(sent_at);
            if let Err(message) = self.send(message) {
                self.meter.withdraw();
                held.push_front((sent_at, message));
                return;
            }
        }
    }

    fn rouse(&self) {}

    fn leave(&self) {}

    fn waiting(&self) -> (usize, Option<Instant>) {
        self.meter.waiting()
    }
}

/// An actor's run: it handles a little, and ends by itself or at a kill.
fn acting(seat: &Seat<Message>, port_first: bool) -> Vec<Name> {
    let meter = Arc::new(Meter::new(
        seat.address().capacity(),
        seat.address().ledger(),
    ));
    let port = Arc::new(Port {
        waiting: Mutex::new(Some(VecDeque::new())),
        meter: Arc::clone(&meter),
    });
    let routed: Routed<Message> = seat
        .address()
        .route_to(Arc::clone(&port) as Arc<dyn Deliver<Message>>);
    let handled = (0..2).filter_map(|_| port.handle()).map(name).collect();
    let end_port = || drop(lock(&port.waiting).take());
    if port_first {
        // An actor that ended by itself: its port refuses while the route still leads there.
        end_port();
    }
    drop(routed);
    meter.end();
    end_port();
    assert_eq!(meter.waiting(), (0, None), "nothing is counted twice");
    handled
}

#[test]
fn the_count_of_an_actors_mailbox_is_exact_whichever_end_is_first() {
    for while_down in [WhileDown::Reject, WhileDown::Hold(2)] {
        for port_first in [false, true] {
            check(move || {
                let seat = seat::<Message>(2, while_down);
                let senders = [0, 1].map(|sender| {
                    let handle = seat.handle.clone();
                    spawn(move || casting(&handle, sender, 2))
                });
                let patient = spawn({
                    let handle = seat.handle.clone();
                    move || sending(&handle, 2, 1)
                });
                let mut received = acting(&seat, port_first);
                received.extend(acting(&seat, !port_first));
                let [a, b] = senders.map(|sender| sender.join().expect("no panic"));
                seat.address().retire();
                let patient = patient.join().expect("no panic");
                settle(&seat, &[a, b, patient], &received);
            });
        }
    }
}

#[test]
fn room_that_an_actor_makes_is_noticed() {
    check(|| {
        let seat = seat::<Message>(1, WhileDown::Reject);
        let meter = Arc::new(Meter::new(1, seat.address().ledger()));
        let port = Arc::new(Port {
            waiting: Mutex::new(Some(VecDeque::new())),
            meter,
        });
        let _routed = seat
            .address()
            .route_to(Arc::clone(&port) as Arc<dyn Deliver<Message>>);
        let first = casting(&seat.handle, 0, 1);
        let patient = spawn({
            let handle = seat.handle.clone();
            move || sending(&handle, 1, 1)
        });
        let mut received: Vec<Name> = port.handle().map(name).into_iter().collect();
        let second = patient.join().expect("no panic");
        received.extend(port.handle().map(name));
        settle(&seat, &[first, second], &received);
    });
}
