//! actix: supervised actors of one arbiter. An error is what it has: an actor that stops itself.

use std::sync::Arc;

use actix::fut::{ActorFutureExt, wrap_future};
use actix::{Actor, ActorContext, AsyncContext, Context, Supervised, Supervisor, System};
use tokio::sync::oneshot;

use super::stage::{Act, CHILDREN, Presence, Stage};
use super::{Starting, Stopping};

struct Player {
    stage: Arc<Stage>,
    child: &'static str,
    presence: Option<Presence>,
}

impl Actor for Player {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        let (act, presence) = self.stage.begins(self.child);
        self.presence = Some(presence);
        if act != Act::Obey {
            let stage = Arc::clone(&self.stage);
            let misbehaving = wrap_future::<_, Self>(async move { stage.misbehave(act).await });
            let ending = misbehaving.map(|_failed, _actor, context: &mut Context<Self>| {
                context.stop();
            });
            context.spawn(ending);
        }
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.stage.tidy_at_once(self.child);
    }
}

impl Supervised for Player {}

pub(super) fn play(stage: Arc<Stage>) -> Starting {
    Box::pin(async move {
        let (up, is_up) = oneshot::channel();
        let (over, is_over) = oneshot::channel();
        std::thread::spawn(move || {
            let runner = System::new();
            let addresses = runner.block_on(async {
                CHILDREN.map(|child| {
                    let stage = Arc::clone(&stage);
                    Supervisor::start(move |_| Player {
                        stage,
                        child,
                        presence: None,
                    })
                })
            });
            // Nobody waits any more where these fail.
            let _is_heard = up.send(System::current());
            drop(runner.run());
            drop(addresses);
            let _is_heard = over.send(());
        });
        let system = is_up.await.expect("it starts");
        Stopping::new(async move {
            system.stop();
            drop(is_over.await);
            String::new()
        })
    })
}
