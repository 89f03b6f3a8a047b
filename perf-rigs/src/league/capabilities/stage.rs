//! Where the children note what they do and what is done to them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::restart::ON_PURPOSE;

/// The children, in the order in which they start.
pub(super) const CHILDREN: [&str; 3] = ["first", "second", "third"];

/// The one that does what the scene is about.
pub(super) const SECOND: &str = CHILDREN[1];

/// How long a child tidies up: long enough to see who else does meanwhile.
const TIDYING: Duration = Duration::from_millis(20);

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scene {
    Panic,
    Error,
    Order,
    Cleanup,
    Ignore,
    Block,
}

impl Scene {
    pub(super) const ALL: [Self; 6] = [
        Self::Panic,
        Self::Error,
        Self::Order,
        Self::Cleanup,
        Self::Ignore,
        Self::Block,
    ];

    /// The word that a league passes to itself.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Order => "order",
            Self::Cleanup => "cleanup",
            Self::Ignore => "ignore",
            Self::Block => "block",
        }
    }

    /// The head of the column.
    pub(super) fn question(self) -> &'static str {
        match self {
            Self::Panic => "starts a child again after a panic",
            Self::Error => "after an error",
            Self::Order => "stops in reverse order, one after the other",
            Self::Cleanup => "lets children tidy up at a stop",
            Self::Ignore => "ends a child that does not heed the stop",
            Self::Block => "gives up on a child that blocks its thread",
        }
    }
}

/// What a run of a child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Obey,
    Panic,
    Fail,
    Ignore,
    Block,
}

/// A child that returned an error on purpose.
#[derive(Debug)]
pub(super) struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(ON_PURPOSE)
    }
}

impl std::error::Error for Failed {}

/// What was noted, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Note {
    Up(&'static str),
    Told(&'static str),
    Tidied(&'static str),
    Gone(&'static str),
}

/// One scene that is being played.
pub(super) struct Stage {
    scene: Scene,
    notes: Mutex<Vec<Note>>,
    changed: watch::Sender<()>,
}

/// Says when it is dropped that the run is gone.
pub(super) struct Presence(Arc<Stage>, &'static str);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.note(Note::Gone(self.1));
    }
}

impl Stage {
    pub(super) fn new(scene: Scene) -> Self {
        Self {
            scene,
            notes: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    fn note(&self, note: Note) {
        self.notes.lock().expect("nobody panics with it").push(note);
        self.changed.send_replace(());
    }

    fn count(&self, note: &Note) -> usize {
        let notes = self.notes.lock().expect("nobody panics with it");
        notes.iter().filter(|noted| *noted == note).count()
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        while !is_so(self) {
            changed.changed().await.expect("this one sends");
        }
    }

    /// The first line of a run: says what it is to do. To be kept for as long as the run lasts.
    pub(super) fn begins(self: &Arc<Self>, child: &'static str) -> (Act, Presence) {
        let is_first = self.count(&Note::Up(child)) == 0;
        self.note(Note::Up(child));
        let act = match (child == SECOND && is_first, self.scene) {
            (true, Scene::Panic) => Act::Panic,
            (true, Scene::Error) => Act::Fail,
            (true, Scene::Ignore) => Act::Ignore,
            (true, Scene::Block) => Act::Block,
            _ => Act::Obey,
        };
        (act, Presence(Arc::clone(self), child))
    }

    /// Does what no child should.
    pub(super) async fn misbehave(&self, act: Act) -> Result<(), Failed> {
        // Nobody is in the middle of a start any more.
        self.all_are_up().await;
        tokio::time::sleep(TIDYING).await;
        match act {
            Act::Obey => Ok(()),
            Act::Panic => std::panic::panic_any(ON_PURPOSE),
            Act::Fail => Err(Failed),
            Act::Ignore => std::future::pending().await,
            Act::Block => loop {
                std::thread::park();
            },
        }
    }

    /// What a child does that was told to stop.
    pub(super) async fn tidy(&self, child: &'static str) {
        self.note(Note::Told(child));
        tokio::time::sleep(TIDYING).await;
        self.note(Note::Tidied(child));
    }

    /// The same for a library whose hook can't wait.
    #[cfg(feature = "peers")]
    pub(super) fn tidy_at_once(&self, child: &'static str) {
        self.note(Note::Told(child));
        self.note(Note::Tidied(child));
    }

    /// A whole run of a child that is a task.
    pub(super) async fn live(
        self: Arc<Self>,
        child: &'static str,
        told: impl Future<Output = ()>,
    ) -> Result<(), Failed> {
        let (act, _presence) = self.begins(child);
        if act != Act::Obey {
            return self.misbehave(act).await;
        }
        told.await;
        self.tidy(child).await;
        Ok(())
    }

    pub(super) async fn all_are_up(&self) {
        let is_up = |stage: &Self| {
            CHILDREN
                .iter()
                .all(|child| stage.count(&Note::Up(child)) > 0)
        };
        self.until(is_up).await;
    }

    /// Waits until the second child runs once more.
    pub(super) async fn is_back(&self) {
        self.until(|stage| stage.count(&Note::Up(SECOND)) > 1).await;
    }

    /// Tells whether no run of a child is left.
    pub(super) fn has_gone(&self, child: &'static str) -> bool {
        self.count(&Note::Gone(child)) == self.count(&Note::Up(child))
    }

    pub(super) fn has_tidied(&self, child: &'static str) -> bool {
        self.count(&Note::Tidied(child)) == 1
    }

    /// Tells whether each was told when the one after it had finished, the last one first.
    pub(super) fn stopped_in_reverse_order(&self) -> bool {
        let notes = self.notes.lock().expect("nobody panics with it");
        let is_a_step = |note: &&Note| matches!(note, Note::Told(_) | Note::Tidied(_));
        let seen: Vec<Note> = notes.iter().filter(is_a_step).cloned().collect();
        let steps = |child: &&'static str| [Note::Told(child), Note::Tidied(child)];
        let wanted: Vec<Note> = CHILDREN.iter().rev().flat_map(steps).collect();
        seen == wanted
    }
}
