//! Faults on order, so that anyone can watch the tree recover: `panic store`, `hang udp`, `block tcp`.
//!
//! One line is one command, answered `ok` when the subsystem has heard it and does nothing any more but
//! fail, or `error` and why. The port is for loopback only (`args` refuses others): who reaches it can
//! stop the collector.
//!
//! A fault is heard only by the incarnations that run when it is ordered; none is left for the next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use perennial::{BoxError, Child, Context, Handle};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;

use crate::announce;
use crate::parser::Raw;

/// How many faults may wait for a subsystem that does not look.
const FAULT_QUEUE: usize = 16;

/// How long a subsystem may take to hear: longer than a slow disk holds the store up, shorter than a
/// person waits for an answer from one that hangs.
const HEARING: Duration = Duration::from_secs(5);

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
    #[expect(clippy::panic, reason = "a panic is what was ordered")]
    async fn happen(self) {
        match self {
            Self::Panic => panic!("ordered on the chaos port"),
            Self::Hang => std::future::pending().await,
            Self::Block => {
                // What this task woke last may be next on this very thread, and no other takes it off it:
                // the answer to the order goes out first.
                tokio::task::yield_now().await;
                loop {
                    std::thread::park();
                }
            }
        }
    }
}

/// A fault on its way to a subsystem.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    fault: Fault,
    heard: mpsc::Sender<()>,
}

impl Order {
    /// Answers for the subsystem, and fails.
    pub(crate) async fn happen(self) {
        // False when another connection was faster, or the one who ordered is gone.
        let _is_first = self.heard.try_send(()).is_ok();
        self.fault.happen().await;
    }
}

/// Carries orders to the subsystems that run, to each on a channel of its own.
#[derive(Debug, Clone)]
pub(crate) struct Faults(Arc<[broadcast::Sender<Order>; LISTENING.len()]>);

impl Default for Faults {
    fn default() -> Self {
        Self(Arc::new(
            LISTENING.map(|_| broadcast::Sender::new(FAULT_QUEUE)),
        ))
    }
}

impl Faults {
    /// Begins to listen for one subsystem; a name that is not in [`LISTENING`] never hears any.
    pub(crate) fn of(&self, subsystem: &str) -> Ordered {
        Ordered(self.channel(subsystem).map(broadcast::Sender::subscribe))
    }

    fn channel(&self, subsystem: &str) -> Option<&broadcast::Sender<Order>> {
        let index = LISTENING.iter().position(|name| *name == subsystem)?;
        self.0.get(index)
    }
}

/// The faults ordered for one incarnation.
#[derive(Debug)]
pub(crate) struct Ordered(Option<broadcast::Receiver<Order>>);

impl Ordered {
    /// Waits for the next fault. Cancel safe.
    pub(crate) async fn next(&mut self) -> Order {
        use broadcast::error::RecvError::Lagged;

        while let Some(orders) = &mut self.0 {
            match orders.recv().await {
                Ok(order) => return order,
                Err(Lagged(_)) => {}
                Err(_closed) => break,
            }
        }
        std::future::pending().await
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
        let answer = match order(line.trim(), faults, parser).await {
            Ok(()) => "ok\n".to_owned(),
            Err(why) => format!("error: {why}\n"),
        };
        write.write_all(answer.as_bytes()).await?;
    }
}

async fn order(command: &str, faults: &Faults, parser: &Handle<Raw>) -> Result<(), &'static str> {
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
    let (heard, mut hearing) = mpsc::channel(1);
    let order = Order { fault, heard };
    if name == "parser" {
        parser
            .cast(Raw::Fault(order))
            .map_err(|_refused| "the parser is down or full")?;
    } else {
        let channel = faults.channel(name).ok_or("no such subsystem")?;
        channel
            .send(order)
            .map_err(|_nobody| "nothing is up that could fail")?;
    }
    match timeout(HEARING, hearing.recv()).await {
        Ok(Some(())) => Ok(()),
        Ok(None) => Err("it ended before it heard"),
        Err(_late) => Err("it does not answer"),
    }
}
