//! Faults on order, so that anyone can watch the tree recover: `panic store`, `hang udp`, `block tcp`.
//!
//! One line is one command, answered `ok` once the fault is on its way, or `error` and why. The port is
//! for loopback only (`args` refuses others): who reaches it can stop the collector.
//!
//! A fault is heard only by the incarnations that run when it is ordered; none is left for the next.

use std::net::SocketAddr;

use perennial::{BoxError, Child, Context, Handle};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

use crate::announce;
use crate::parser::Raw;

/// How many faults may wait for a subsystem that does not look.
const FAULT_QUEUE: usize = 16;

/// The longest command, more than any that is known.
const MAX_COMMAND: u64 = 4_096;

/// The subsystems that hear the broadcast; the parser has a mailbox.
const LISTENING: [&str; 4] = ["store", "udp", "tcp", "connections"];

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Panic.
    Panic,
    /// Await forever; a kill ends it.
    Hang,
    /// Hold the thread forever; nothing ends it.
    Block,
}

impl Fault {
    /// Fails in this way.
    #[expect(clippy::panic, reason = "a panic is what was ordered")]
    pub(crate) async fn happen(self) {
        match self {
            Self::Panic => panic!("ordered on the chaos port"),
            Self::Hang => std::future::pending().await,
            Self::Block => loop {
                std::thread::park();
            },
        }
    }
}

/// Carries faults to the subsystems that run.
#[derive(Debug, Clone)]
pub(crate) struct Faults(broadcast::Sender<(&'static str, Fault)>);

impl Default for Faults {
    fn default() -> Self {
        Self(broadcast::Sender::new(FAULT_QUEUE))
    }
}

impl Faults {
    /// Begins to listen for one subsystem.
    pub(crate) fn of(&self, subsystem: &'static str) -> Ordered {
        Ordered {
            subsystem,
            faults: self.0.subscribe(),
        }
    }
}

/// The faults ordered for one incarnation.
#[derive(Debug)]
pub(crate) struct Ordered {
    subsystem: &'static str,
    faults: broadcast::Receiver<(&'static str, Fault)>,
}

impl Ordered {
    /// Waits for the next fault. Cancel safe.
    pub(crate) async fn next(&mut self) -> Fault {
        loop {
            match self.faults.recv().await {
                Ok((subsystem, fault)) if subsystem == self.subsystem => return fault,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// Declares the task that takes commands at `address`.
pub(crate) fn child(address: SocketAddr, faults: Faults, parser: Handle<Raw>) -> Child {
    Child::task("chaos", move |cx| {
        serve(cx, address, faults.clone(), parser.clone())
    })
    .explicit_ready()
}

async fn serve(
    cx: Context,
    address: SocketAddr,
    faults: Faults,
    parser: Handle<Raw>,
) -> Result<(), BoxError> {
    let listener = TcpListener::bind(address).await?;
    announce("chaos", listener.local_addr()?);
    cx.ready();
    loop {
        tokio::select! {
            _deadline = cx.shutdown() => return Ok(()),
            accepted = listener.accept() => {
                let (faults, parser) = (faults.clone(), parser.clone());
                let (stream, _peer) = accepted?;
                cx.spawn(async move {
                    // Who has hung up needs no answer.
                    drop(converse(stream, &faults, &parser).await);
                });
            }
        }
    }
}

async fn converse(stream: TcpStream, faults: &Faults, parser: &Handle<Raw>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = String::new();
    loop {
        line.clear();
        if (&mut read).take(MAX_COMMAND).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = match order(line.trim(), faults, parser) {
            Ok(()) => "ok\n".to_owned(),
            Err(why) => format!("error: {why}\n"),
        };
        write.write_all(answer.as_bytes()).await?;
    }
}

fn order(command: &str, faults: &Faults, parser: &Handle<Raw>) -> Result<(), &'static str> {
    let (fault, subsystem) = command
        .split_once(' ')
        .ok_or("a command is a fault and a subsystem")?;
    let fault = match fault {
        "panic" => Fault::Panic,
        "hang" => Fault::Hang,
        "block" => Fault::Block,
        _ => return Err("a fault is panic, hang or block"),
    };
    // A path as the tree shows it is as good as its last part.
    let name = subsystem.rsplit('/').next().unwrap_or(subsystem);
    if name == "parser" {
        return parser
            .cast(Raw::Fault(fault))
            .map_err(|_refused| "the parser is down or full");
    }
    let name = LISTENING
        .into_iter()
        .find(|known| *known == name)
        .ok_or("no such subsystem")?;
    faults
        .0
        .send((name, fault))
        .map(drop)
        .map_err(|_nobody| "nothing is up that could fail")
}
