//! What the simulated children do: everything that a subsystem may do to its supervisor.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::{BoxError, Child, Context, Handle, Inbox, Reply, SupervisorHandle};
use tokio::time::sleep;

/// The message of a simulated panic.
pub(crate) const PANIC: &str = "simulated";

/// Random numbers from a seed: splitmix64, whose whole state is one number.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    pub(crate) fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }
}

/// What one child can be sent.
pub(crate) enum Message {
    Work,
    Ask(Reply<u64>),
}

/// What all children share: who can be reached, and what they noted of themselves.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) workers: Mutex<Vec<Handle<Message>>>,
    pub(crate) supervisors: Mutex<Vec<(SupervisorHandle, Vec<String>)>>,
    /// A line for each beginning and end of a body, and each answer.
    pub(crate) notes: Mutex<Vec<String>>,
    /// How many commands were asked, and answered or given up.
    pub(crate) asked: Mutex<(u64, u64)>,
}

impl Shared {
    pub(crate) fn note(&self, line: String) {
        self.notes.lock().expect("no panic holds it").push(line);
    }
}

/// Notes the end of a body, however it ends.
struct Noted(Arc<Shared>, String);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.note(format!("end {}", self.1));
    }
}

/// Makes a child whose every run is decided by `seed` and its incarnation.
pub(crate) fn child(name: &str, seed: u64, shared: &Arc<Shared>) -> Child<Message> {
    let shared = Arc::clone(shared);
    Child::worker(name, move |cx: Context, inbox: Inbox<Message>| {
        body(cx, inbox, (seed, Arc::clone(&shared)))
    })
    .explicit_ready()
}

async fn body(
    cx: Context,
    mut inbox: Inbox<Message>,
    (seed, shared): (u64, Arc<Shared>),
) -> Result<(), BoxError> {
    let who = format!("{}#{}", cx.path(), cx.incarnation());
    shared.note(format!("begin {who}"));
    let _noted = Noted(Arc::clone(&shared), who);
    let mut dice = Dice::new(seed ^ cx.incarnation().wrapping_mul(0x5851_f42d));
    // A first start goes well most of the time, so that there is a tree.
    let trouble = dice.below(if cx.incarnation() == 1 { 60 } else { 12 });
    match trouble {
        0 => return Err("no start".into()),
        1 => panic!("{}", PANIC),
        2 => std::future::pending().await,
        3 | 4 => sleep(dice.millis(400)).await,
        _ => {}
    }
    cx.ready();
    let mut left = dice.below(12);
    let stopping = loop {
        tokio::select! {
            biased;
            _deadline = cx.shutdown() => break true,
            message = inbox.recv() => match message {
                Some(Message::Ask(reply)) => drop(reply.send(dice.below(1_000))),
                Some(Message::Work) => {}
                None => break true,
            },
            () = sleep(Duration::from_millis(1 + dice.below(900))) => {
                if left == 0 {
                    break false;
                }
                left -= 1;
                act(&cx, &mut dice, &shared).await;
            }
        }
    };
    if stopping {
        return stop(&cx, &mut dice).await;
    }
    end(&mut dice).await
}

async fn end(dice: &mut Dice) -> Result<(), BoxError> {
    match dice.below(5) {
        0 => Ok(()),
        1 | 2 => Err("simulated".into()),
        3 => panic!("{}", PANIC),
        // It hangs: it neither listens nor ends.
        _ => std::future::pending().await,
    }
}

async fn stop(cx: &Context, dice: &mut Dice) -> Result<(), BoxError> {
    match dice.below(8) {
        0 => std::future::pending().await,
        1 => sleep(dice.millis(3_000)).await,
        2 => {
            cx.extend(dice.millis(4_000));
            sleep(dice.millis(5_000)).await;
        }
        3 => return Err("simulated clean-up".into()),
        4 => panic!("{}", PANIC),
        _ => {}
    }
    Ok(())
}

/// Does something to others: a cast, a call, a command, a subtask.
async fn act(cx: &Context, dice: &mut Dice, shared: &Arc<Shared>) {
    let worker = {
        let workers = shared.workers.lock().expect("no panic holds it");
        workers
            .get(dice.below(workers.len().max(1) as u64) as usize)
            .cloned()
    };
    let Some(worker) = worker else { return };
    match dice.below(6) {
        0 | 1 => drop(worker.cast(Message::Work)),
        2 => {
            let within = dice.millis(500);
            let called = worker.call_timeout(within, Message::Ask).await;
            let code = called.map_or_else(|error| error.code().to_owned(), |n| n.to_string());
            shared.note(format!("call {} {code}", cx.path()));
        }
        3 => {
            let time = dice.millis(2_000);
            cx.spawn(sleep(time));
        }
        _ => command(cx.path().as_str(), dice, shared).await,
    }
}

/// Asks some supervisor for something, and notes the answer.
pub(crate) async fn command(who: &str, dice: &mut Dice, shared: &Arc<Shared>) {
    let chosen = {
        let all = shared.supervisors.lock().expect("no panic holds it");
        all.get(dice.below(all.len().max(1) as u64) as usize)
            .cloned()
    };
    let Some((supervisor, names)) = chosen else {
        return;
    };
    let name = match names.len() {
        0 => "added".to_owned(),
        many => names[dice.below(many as u64) as usize].clone(),
    };
    shared.asked.lock().expect("no panic holds it").0 += 1;
    let guard = Answered(Arc::clone(shared));
    let what = dice.below(6);
    let answer = match what {
        0 => supervisor.stop_child(&name).await.map_err(|e| e.code()),
        1 => supervisor.restart_child(&name).await.map_err(|e| e.code()),
        2 => supervisor.delete_child(&name).await.map_err(|e| e.code()),
        3 => supervisor.release(&name).await.map_err(|e| e.code()),
        _ => {
            let child = child("added", dice.below(u64::MAX), shared);
            supervisor
                .start_child(child)
                .await
                .map(drop)
                .map_err(|e| e.code())
        }
    };
    drop(guard);
    shared.note(format!("command {what} {name} by {who}: {answer:?}"));
}

/// Counts a command as answered, or as given up with the run that asked.
struct Answered(Arc<Shared>);

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.asked.lock().expect("no panic holds it").1 += 1;
    }
}
