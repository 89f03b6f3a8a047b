//! The parser: an actor that makes an entry of each raw line and hands it to the store.
//!
//! While the store's mailbox is full it waits with a plain line in hand, so that its own mailbox fills and
//! those who fill it notice. Numbered lines do not wait: the connection's reply goes on to the store, so
//! the connection hears of every refusal and asks again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use perennial::{Actor, ActorProcessingErr, ActorRef, CastError, Context, Handle, Reply};

use crate::chaos::Order;
use crate::store::Entry;
use crate::writer::{Batch, Follower, Stored, ToStore};

/// How long to leave a store alone that is full: not so long that it stores all that waits and runs dry.
const RETRY_AFTER: Duration = Duration::from_millis(5);

/// A numbered line as a connection read it.
#[derive(Debug)]
pub(crate) struct Line {
    /// The client's number.
    pub(crate) number: u64,
    /// The number before it on this connection.
    pub(crate) follows: Option<u64>,
    /// The line.
    pub(crate) raw: Vec<u8>,
}

/// Numbered lines, in order.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Who sent them.
    pub(crate) peer: SocketAddr,
    /// The client's name.
    pub(crate) client: String,
    /// The lines; shared, as the connection keeps them until it has an answer.
    pub(crate) lines: Arc<[Line]>,
    /// For the store's answer; dropped when the store takes nothing.
    pub(crate) reply: Reply<Stored>,
}

/// What the parser is sent.
#[derive(Debug)]
pub(crate) enum Raw {
    /// A line that nobody waits for.
    Plain {
        /// Who sent it.
        peer: SocketAddr,
        /// The line.
        raw: Vec<u8>,
    },
    /// Lines of an acknowledged connection, in order.
    Numbered(Lines),
    /// Asks to be told once everything sent before has been handled.
    Settle(Reply<()>),
    /// An order of the chaos port.
    Fault(Order),
}

/// The actor.
#[derive(Debug)]
pub(crate) struct Parser {
    /// Says when to wait no longer.
    pub(crate) cx: Context,
    /// Where entries go.
    pub(crate) store: Handle<ToStore>,
}

impl Actor for Parser {
    type Msg = Raw;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Raw>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Raw>,
        message: Raw,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Raw::Plain { peer, raw } => self.plain(peer, raw).await,
            Raw::Numbered(lines) => self.numbered(lines),
            // Who asked may have lost patience.
            Raw::Settle(reply) => drop(reply.send(())),
            Raw::Fault(order) => order.happen().await,
        }
        Ok(())
    }
}

impl Parser {
    /// Waits while the store is full. One that is down takes this actor down too, with its mailbox.
    async fn plain(&self, peer: SocketAddr, raw: Vec<u8>) {
        let mut message = ToStore::Plain(entry(peer, None, raw));
        while let Err(CastError::Full(back)) = self.store.cast(message) {
            if self.cx.is_stopping() {
                return;
            }
            message = back;
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    fn numbered(
        &self,
        Lines {
            peer,
            client,
            lines,
            reply,
        }: Lines,
    ) {
        let follower = |line: &Line| Follower {
            follows: line.follows,
            entry: entry(peer, Some((client.clone(), line.number)), line.raw.clone()),
        };
        let entries = lines.iter().map(follower).collect();
        // Refused, the reply is dropped with the message: that is the connection's answer.
        drop(self.store.cast(ToStore::Numbered(Batch {
            client,
            entries,
            reply,
        })));
    }
}

fn entry(peer: SocketAddr, client: Option<(String, u64)>, raw: Vec<u8>) -> Entry {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let milliseconds = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    Entry::received(milliseconds, peer, client, raw).0
}
