//! The parser: an actor that makes an entry of each raw line and hands it to the store.
//!
//! Plain lines are dropped and counted when the store takes none. Of numbered lines none is dropped: the
//! connection's reply goes on to the store, so the connection hears of every refusal and asks again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use perennial::{Actor, ActorProcessingErr, ActorRef, Handle, Reply};

use crate::chaos::Fault;
use crate::stats::Stats;
use crate::store::Entry;
use crate::writer::{Batch, Follower, Stored, ToStore};

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
    /// An order of the chaos port.
    Fault(Fault),
}

/// The actor.
#[derive(Debug, Clone)]
pub(crate) struct Parser {
    /// Where entries go.
    pub(crate) store: Handle<ToStore>,
    /// Where mishaps are counted.
    pub(crate) stats: Arc<Stats>,
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
            Raw::Plain { peer, raw } => self.plain(peer, raw),
            Raw::Numbered(lines) => self.numbered(lines),
            Raw::Fault(fault) => fault.happen().await,
        }
        Ok(())
    }
}

impl Parser {
    fn plain(&self, peer: SocketAddr, raw: Vec<u8>) {
        let entry = self.entry(peer, None, raw);
        if self.store.cast(ToStore::Plain(entry)).is_err() {
            self.stats.dropped();
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
            entry: self.entry(peer, Some((client.clone(), line.number)), line.raw.clone()),
        };
        let entries = lines.iter().map(follower).collect();
        // Refused, the reply is dropped with the message: that is the connection's answer.
        drop(self.store.cast(ToStore::Numbered(Batch {
            client,
            entries,
            reply,
        })));
    }

    fn entry(&self, peer: SocketAddr, client: Option<(String, u64)>, raw: Vec<u8>) -> Entry {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let milliseconds = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let (entry, malformed) = Entry::received(milliseconds, peer, client, raw);
        if malformed.is_some() {
            self.stats.malformed();
        }
        entry
    }
}
