//! What clients of the admin socket can have done.

use std::sync::Arc;

use serde_json::{Value, json};

use super::configuration::{Configuration, News};
use super::monitor::ResourceMonitor;
use super::orders::Orders;
use super::profiles;
use super::view;
use crate::admin::socket::Peer;
use crate::admin::{Answer, Answering, Command, Commands, Refusal};
use crate::bus::Start;
use crate::bus::subscriber::Subscriber;
use crate::command::CommandError;
use crate::config::{Cause, ConfigError, ReloadError, Reloaded};
use crate::event::{EventFilter, SubsystemEvent};
use crate::exit::ErrorChain;
use crate::logging::{Logging, LoggingError};
use crate::resources::cpu_percent;
use crate::shutdown::ShutdownReason;
use crate::supervisor::status::State;
use crate::tree::Running;

/// A daemon as its clients see it.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) running: Arc<Running>,
    pub(super) configuration: Arc<dyn Configuration>,
    pub(super) news: Arc<News>,
    pub(super) monitor: ResourceMonitor,
    pub(super) orders: Arc<Orders>,
}

impl Commands for Desk {
    fn carry_out(&self, command: Command, peer: Peer) -> Answering {
        let desk = self.clone();
        Box::pin(async move {
            let (name, is_change) = (command.code(), command.is_change());
            let answer = desk.answer(command).await;
            if is_change {
                tracing::info!(
                    command = name,
                    uid = peer.uid,
                    pid = peer.pid,
                    is_done = answer.is_ok(),
                    "asked on the admin socket"
                );
            }
            answer
        })
    }

    fn subscribe(&self, filter: EventFilter) -> Option<Subscriber<SubsystemEvent>> {
        Some(self.running.subscribe_where("admin", Start::Next, filter))
    }

    fn show(&self, event: &SubsystemEvent) -> Value {
        view::event(event, self.running.wall_clock())
    }
}

impl Desk {
    async fn answer(&self, command: Command) -> Answer {
        let running = &*self.running;
        match command {
            Command::Tree => self.tree().await,
            Command::Config => self.config().await,
            Command::Resources => Ok(self.resources()),
            Command::Restart(path) => done(running.restart_child(&path).await),
            Command::Stop(path) => done(running.stop_child(&path).await),
            Command::Start(path) => self.start(&path).await,
            Command::Release(path) => done(running.release(&path).await),
            Command::Level(None) => Ok(self.logging()?.level().into()),
            Command::Level(Some(level)) => {
                self.logging()?
                    .set_level(&level)
                    .map_err(|error| log_refused(&error))?;
                Ok(Value::Null)
            }
            Command::Reload => self.reload().await,
            Command::Reopen => {
                self.logging()?.reopen();
                Ok(Value::Null)
            }
            Command::Profile(time) => profiles::cpu(time).await,
            Command::Heap(time) => profiles::heap(time).await,
            Command::Shutdown => {
                self.orders.end(ShutdownReason::Requested);
                Ok(Value::Null)
            }
        }
    }

    /// Shows the tree: on another thread, since it may be large, and one at a time.
    async fn tree(&self) -> Answer {
        let failed = || Refusal::new("failed", "the tree can't be shown");
        let place = Arc::clone(&self.news.trees).acquire_owned().await;
        let place = place.map_err(|_closed| failed())?;
        let running = Arc::clone(&self.running);
        let shown = tokio::task::spawn_blocking(move || {
            let _place = place;
            view::tree(&running.snapshot())
        });
        shown.await.map_err(|_panicked| failed())
    }

    /// Starts a child that is down. To restart one that runs is another command, and a mistake here.
    async fn start(&self, path: &str) -> Answer {
        match self.running.level(path, 0).map(|level| level.node.state) {
            Some(State::Down | State::BackingOff) => done(self.running.restart_child(path).await),
            Some(State::Quarantined) => done(self.running.release(path).await),
            Some(state) => Err(Refusal::new(
                "running",
                format!("{path} is {}", state.code()),
            )),
            None => Err(Refusal::new("not_found", format!("there is no {path}"))),
        }
    }

    /// Writes the configuration out, which is the program's own code.
    async fn config(&self) -> Answer {
        match self.news.written.text(&self.configuration).await {
            Ok(text) => Ok((&*text).into()),
            Err(error) => Err(Refusal::new(
                error.code(),
                ErrorChain::new(&error).to_string(),
            )),
        }
    }

    async fn reload(&self) -> Answer {
        match self.configuration.reload(Cause::Admin).await {
            Ok(Reloaded::Changed {
                version,
                keys,
                needs_restart,
            }) => Ok(
                json!({ "version": version, "changed": &*keys, "needs_restart": &*needs_restart }),
            ),
            Ok(Reloaded::Unchanged { version }) => {
                Ok(json!({ "version": version, "changed": [], "needs_restart": [] }))
            }
            Err(ReloadError::Rejected(error)) => Err(rejected(&error)),
            Err(error) => Err(Refusal::new(error.code(), error.to_string())),
        }
    }

    fn resources(&self) -> Value {
        let history = self.monitor.history();
        let samples: Vec<_> = history.iter().collect();
        let cpu = samples
            .windows(2)
            .last()
            .and_then(|pair| cpu_percent(pair[0], pair[1]));
        let Some(last) = samples.last() else {
            return Value::Null;
        };
        json!({
            "cpu_seconds": last.cpu.as_secs_f64(),
            "cpu_percent": cpu,
            "resident_bytes": last.resident_bytes,
            "virtual_bytes": last.virtual_bytes,
            "threads": last.threads,
            "descriptors": last.descriptors,
            "max_descriptors": last.max_descriptors,
        })
    }

    fn logging(&self) -> Result<&Logging, Refusal> {
        let own = || log_refused(&LoggingError::AlreadySet);
        self.news.logging.as_ref().ok_or_else(own)
    }
}

fn done(result: Result<(), CommandError>) -> Answer {
    match result {
        Ok(()) => Ok(Value::Null),
        Err(error) => Err(Refusal::new(
            error.code(),
            ErrorChain::new(&error).to_string(),
        )),
    }
}

fn log_refused(error: &LoggingError) -> Refusal {
    Refusal::new(error.code(), error.to_string())
}

fn rejected(error: &ConfigError) -> Refusal {
    Refusal::new(error.code(), error.to_string())
}
