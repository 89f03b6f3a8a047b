//! What one leaf does with its life, whatever its kind.

use std::sync::Arc;

use perennial::{Actor, ActorProcessingErr, ActorRef, BoxError, Context, Handle, Inbox};
use tokio::time::{Instant, sleep};

use crate::commands::{self, Asker};
use crate::grow::millis;
use crate::shape::{End, Leaf, Life, Start};
use crate::world::{Alive, Mark, World};

/// What a panic or an error says, so that the hook of the test can keep quiet about it.
pub(crate) const ON_PURPOSE: &str = "as declared";

/// How long one message takes.
const EACH_MESSAGE: u64 = 20;

/// How often a leaf that is slow to stop looks how much time it has.
const EACH_LOOK: u64 = 40;

/// The body of a task or a worker.
pub(crate) async fn run(
    cx: Context,
    leaf: Arc<Leaf>,
    world: Arc<World>,
    mut mail: Option<(Inbox<u8>, Handle<u8>)>,
) -> Result<(), BoxError> {
    let _alive = Alive::new(&cx, &world);
    begin(&cx, &leaf).await?;
    if leaf.says_when_it_is_up() {
        cx.ready();
    }
    world.mark(Mark::IsUp, &cx);
    if let Some((_, handle)) = &mail {
        let (handle, queued) = (handle.clone(), leaf.queued);
        // Once the route is up.
        cx.spawn(async move { (0..queued).for_each(|n| drop(handle.cast(n))) });
    }
    if let Some(after) = changes_after(&leaf, &cx) {
        tokio::select! {
            biased;
            () = work(&cx, &leaf, &mut mail) => return finish(&cx, &leaf, &world).await,
            () = sleep(millis(after)) => {}
        }
        if change(&cx, &leaf, &world).await? {
            return Ok(());
        }
    }
    work(&cx, &leaf, &mut mail).await;
    finish(&cx, &leaf, &world).await
}

/// The body of a step: a start, and nothing after it.
pub(crate) async fn step(cx: Context, leaf: Arc<Leaf>, world: Arc<World>) -> Result<(), BoxError> {
    let _alive = Alive::new(&cx, &world);
    begin(&cx, &leaf).await?;
    world.mark(Mark::IsUp, &cx);
    Ok(())
}

async fn begin(cx: &Context, leaf: &Leaf) -> Result<(), BoxError> {
    let incarnation = cx.incarnation();
    match leaf.start {
        Start::Slow(needs) => sleep(millis(needs)).await,
        Start::Fails { from, runs } if (from..from + runs).contains(&incarnation) => {
            return Err(ON_PURPOSE.into());
        }
        Start::Hangs(at) if at == incarnation => std::future::pending().await,
        Start::AtOnce | Start::Fails { .. } | Start::Hangs(_) => {}
    }
    Ok(())
}

/// Returns when this run does something by itself, if it ever does.
fn changes_after(leaf: &Leaf, cx: &Context) -> Option<u64> {
    match leaf.life {
        Life::Forever => None,
        Life::Asks { after, .. } => Some(after),
        Life::Fails(after, runs)
        | Life::Panics(after, runs)
        | Life::Ends(after, runs)
        | Life::SubtaskPanics(after, runs) => (cx.incarnation() <= runs).then_some(after),
    }
}

/// Does what it does by itself; true says that the run is over.
async fn change(cx: &Context, leaf: &Leaf, world: &Arc<World>) -> Result<bool, BoxError> {
    match leaf.life {
        Life::Fails(..) => {
            sleep(millis(leaf.lingers)).await;
            return Err(ON_PURPOSE.into());
        }
        Life::Panics(..) => panic!("{ON_PURPOSE}"),
        Life::Ends(..) => {
            sleep(millis(leaf.lingers)).await;
            return Ok(true);
        }
        Life::SubtaskPanics(..) => cx.spawn(async { panic!("{ON_PURPOSE}") }),
        Life::Asks { ask, is_inline, .. } => {
            let asker = Asker {
                path: cx.path().to_string(),
                is_inline,
            };
            let asking = commands::ask(Arc::clone(world), ask, Some(asker));
            match is_inline {
                true => asking.await,
                false => cx.spawn(asking),
            }
        }
        Life::Forever => {}
    }
    Ok(false)
}

/// Goes on until a stop is asked for.
async fn work(cx: &Context, leaf: &Leaf, mail: &mut Option<(Inbox<u8>, Handle<u8>)>) {
    if leaf.end == End::Deaf {
        return std::future::pending().await;
    }
    if let Some((inbox, _)) = mail {
        while inbox.recv().await.is_some() {
            sleep(millis(EACH_MESSAGE)).await;
        }
    }
    cx.shutdown().await;
}

/// Stops, in its own way.
async fn finish(cx: &Context, leaf: &Leaf, world: &World) -> Result<(), BoxError> {
    world.told(cx);
    match leaf.end {
        End::AtOnce => {}
        End::Slow(needs) => use_time(cx, world, needs).await,
        End::Extends { by, needs } => {
            let (now, before) = (Instant::now(), cx.time_left());
            let granted = cx.extend(millis(by));
            world.told(cx);
            let is_later = granted
                .zip(before)
                .is_none_or(|(granted, left)| granted >= now + left);
            if !is_later {
                world
                    .seen()
                    .broken
                    .push(format!("{} lost time by asking for more", cx.path()));
            }
            use_time(cx, world, needs).await;
        }
        End::Deaf => std::future::pending().await,
        End::Fails => return Err(ON_PURPOSE.into()),
        End::Panics => panic!("{ON_PURPOSE}"),
    }
    Ok(())
}

/// Takes so long, and looks now and then how much is left.
async fn use_time(cx: &Context, world: &World, needs: u64) {
    let mut left = needs;
    while left > 0 {
        let now = left.min(EACH_LOOK);
        sleep(millis(now)).await;
        world.told(cx);
        left -= now;
    }
}

/// A leaf as an actor.
pub(crate) struct Doer {
    pub(crate) leaf: Arc<Leaf>,
    pub(crate) world: Arc<World>,
    pub(crate) cx: Context,
}

pub(crate) enum Msg {
    Work,
    Change,
    /// Never comes to an end.
    Hang,
}

impl Actor for Doer {
    type Msg = Msg;
    type State = Alive;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Msg>, (): ()) -> Result<Alive, ActorProcessingErr> {
        let Self { leaf, world, cx } = self;
        let alive = Alive::new(cx, world);
        begin(cx, leaf).await?;
        world.mark(Mark::IsUp, cx);
        if leaf.end == End::Deaf && changes_after(leaf, cx).is_none() {
            myself.cast(Msg::Hang)?;
        }
        (0..leaf.queued).try_for_each(|_| myself.cast(Msg::Work))?;
        if let Some(after) = changes_after(leaf, cx) {
            cx.spawn(async move {
                sleep(millis(after)).await;
                drop(myself.cast(Msg::Change));
            });
        }
        Ok(alive)
    }

    async fn handle(
        &self,
        myself: ActorRef<Msg>,
        message: Msg,
        _: &mut Alive,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Msg::Work => sleep(millis(EACH_MESSAGE)).await,
            Msg::Hang => std::future::pending().await,
            Msg::Change => {
                if change(&self.cx, &self.leaf, &self.world).await? {
                    myself.stop(None);
                }
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Msg>, _: &mut Alive) -> Result<(), ActorProcessingErr> {
        match self.cx.is_stopping() {
            true => finish(&self.cx, &self.leaf, &self.world).await,
            false => Ok(()),
        }
    }
}
