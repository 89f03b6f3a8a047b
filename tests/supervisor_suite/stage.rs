//! The stage on which the scenarios play: children that start and end as they are told, and a tree
//! that is watched.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::supervisor::status::{ChildCount, State};
use perennial::testkit::Recorder;
use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, Child, Handle, Running, StopReport,
    SubsystemEvent, Supervisor, SupervisorHandle,
};

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// How a start of a child goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    Works,
    Fails,
    FailsAfter(Duration),
    Panics,
}

/// What a child is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    /// End without an error.
    EndWell,
    /// End with an error.
    Fail,
    Panic,
    /// Be killed by somebody who is not the supervisor.
    Die,
    /// Hear nothing any more.
    Sleep,
}

impl Tell {
    /// Every abnormal end.
    pub(crate) const ABNORMAL: [Self; 3] = [Self::Fail, Self::Panic, Self::Die];
}

/// Makes children, tells them what to do, and keeps the trace of what they did.
#[derive(Clone, Default)]
pub(crate) struct Stage(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    trace: Vec<String>,
    next_starts: HashMap<String, VecDeque<Start>>,
    all_starts: HashMap<String, Start>,
    handles: HashMap<String, Handle<Tell>>,
}

impl Stage {
    fn with<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.0.lock().expect("no panic holds it"))
    }

    /// Makes an actor that notes `+name` when it is up and `-name` when it stops as it should.
    pub(crate) fn child(&self, name: &str) -> Child<Tell> {
        let (stage, own_name) = (self.clone(), name.to_owned());
        let child = Child::actor(name, move |_cx| {
            let (stage, name) = (stage.clone(), own_name.clone());
            (Player { stage, name }, ())
        });
        self.with(|script| script.handles.insert(name.to_owned(), child.handle()));
        child
    }

    /// Says how the next starts of a child go; those after work, or go as `all_starts` says.
    pub(crate) fn next_starts(&self, name: &str, starts: impl IntoIterator<Item = Start>) {
        let starts = starts.into_iter().collect();
        self.with(|script| script.next_starts.insert(name.to_owned(), starts));
    }

    /// Says how all starts of a child go from now on.
    pub(crate) fn all_starts(&self, name: &str, start: Start) {
        self.with(|script| script.all_starts.insert(name.to_owned(), start));
    }

    pub(crate) fn tell(&self, name: &str, what: Tell) {
        let handle = self.with(|script| script.handles.get(name).cloned());
        let handle = handle.expect("it was made here");
        handle.cast(what).expect("it is up");
    }

    /// Returns what happened since it was asked last.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.with(|script| std::mem::take(&mut script.trace))
    }

    fn note(&self, line: String) {
        self.with(|script| script.trace.push(line));
    }

    fn next_start(&self, name: &str) -> Start {
        self.with(|script| {
            let next = script.next_starts.get_mut(name);
            let next = next.and_then(VecDeque::pop_front);
            let always = script.all_starts.get(name).copied();
            next.or(always).unwrap_or(Start::Works)
        })
    }
}

struct Player {
    stage: Stage,
    name: String,
}

impl Actor for Player {
    type Msg = Tell;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Tell>, (): ()) -> Result<(), ActorProcessingErr> {
        match self.stage.next_start(&self.name) {
            Start::Works => {
                self.stage.note(format!("+{}", self.name));
                return Ok(());
            }
            Start::Fails => {}
            Start::FailsAfter(time) => tokio::time::sleep(time).await,
            Start::Panics => panic!("no start"),
        }
        Err("no start".into())
    }

    async fn handle(
        &self,
        myself: ActorRef<Tell>,
        what: Tell,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match what {
            Tell::EndWell => myself.stop(None),
            Tell::Fail => return Err("told to".into()),
            Tell::Panic => panic!("told to"),
            Tell::Die => {
                myself.kill();
                pending().await
            }
            Tell::Sleep => pending().await,
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Tell>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        self.stage.note(format!("-{}", self.name));
        Ok(())
    }
}

/// Declares `/app` as the suite's supervisors are: no backoff, a few restarts in an hour.
pub(crate) fn as_in_otp(supervisor: Supervisor, restarts: u32) -> Supervisor {
    supervisor
        .backoff(Backoff::none())
        .intensity(restarts, seconds(3_600))
}

/// A running tree that is watched.
pub(crate) struct Watched {
    pub(crate) running: Running,
    /// The root.
    pub(crate) app: SupervisorHandle,
    events: Recorder,
}

impl Watched {
    pub(crate) async fn start(tree: Supervisor) -> Self {
        let app = tree.handle();
        let running = tree.start().await.expect("it starts");
        let events = Recorder::new(&running);
        Self {
            running,
            app,
            events,
        }
    }

    pub(crate) async fn until(&mut self, code: &str, path: &str) -> SubsystemEvent {
        let found = self.events.wait_for_event(path, code).await;
        found.expect("it comes")
    }

    /// Returns name, state and incarnation of each child, in start order.
    pub(crate) fn lines(&self, path: &str) -> Vec<String> {
        let children = self.running.which_children(path).expect("it is there");
        let line = |child: &perennial::supervisor::status::NodeStatus| {
            let (name, state) = (child.path.name(), child.state.code());
            format!("{name} {state} {}", child.incarnation)
        };
        children.iter().map(line).collect()
    }

    /// Returns what OTP's suite looks at: specifications, active, supervisors, workers.
    pub(crate) fn counts(&self, path: &str) -> [usize; 4] {
        let ChildCount {
            specifications,
            active,
            supervisors,
            workers,
        } = self.running.count_children(path).expect("it is there");
        [specifications, active, supervisors, workers]
    }

    /// Lets a minute pass, in which everything happens that can, and claims that the root runs on.
    pub(crate) async fn runs_on(&self) {
        tokio::time::sleep(seconds(60)).await;
        assert_eq!(self.running.snapshot().root.state, State::Running);
    }

    /// Stops the tree and claims that everything stopped as it was asked to.
    pub(crate) async fn stops_well(self) -> StopReport {
        let report = self.running.stop(seconds(30)).await;
        assert!(report.is_clean(), "{report}");
        report
    }
}

/// Returns the names below a line of the report, in the order in which they stopped, with outcomes.
pub(crate) fn outcomes(stopped: &perennial::shutdown::report::Stopped) -> Vec<String> {
    let line = |line: &perennial::shutdown::report::Stopped| {
        format!("{} {}", line.path.name(), line.outcome.code())
    };
    stopped.children.iter().map(line).collect()
}
