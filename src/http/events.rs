//! The tree's events as they happen, by the server-sent events of the HTML standard.
//!
//! A client that comes anew is sent a snapshot first, and then what happened after it. One that resumes
//! with `Last-Event-ID` is sent what it missed, as far as that is kept; else a snapshot again. The
//! identity of an event names the run of the program: another run counts anew.
//!
//! The bus is looked at a few times a second instead of being waited for: so nobody who publishes ever
//! wakes this thread, however many look on.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::Source;
use super::answer::{Answer, Content, answer, text};
use super::routes::{Site, Tree, busy};
use crate::bus::subscriber::{ReceiveError, Subscriber};
use crate::event::SubsystemEvent;

/// The content type that the standard gives.
const EVENT_STREAM: &str = "text/event-stream";

/// How often the bus is looked at: what a person takes for at once.
const GLANCE: Duration = Duration::from_millis(50);

/// How often something is sent when nothing happens, so that a client that is gone is noticed, and one
/// that waits knows that it is not.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// How often at most a client that falls behind is sent the whole tree instead.
const BETWEEN_SNAPSHOTS: Duration = Duration::from_secs(1);

/// How many events go into one part.
const EVENTS_A_PART: usize = 256;

/// How many parts wait for a client that does not read; after that its subscriber falls behind.
const PARTS_WAITING: usize = 4;

/// What a browser that has lost the stream waits before it comes back, in milliseconds.
const RETRY: &str = "retry: 1000\n\n";

/// Begins a stream of events.
pub(super) fn open(site: &Arc<Site>, request: &Parts) -> Answer {
    if request.method == hyper::Method::HEAD {
        return text(StatusCode::OK, "");
    }
    let Ok(place) = Arc::clone(&site.streams).try_acquire_owned() else {
        return busy("as many are sent events as may be\n", "5");
    };
    let (client, parts) = mpsc::channel(PARTS_WAITING);
    let after = resumes_after(request, &site.source.run_id());
    let feed = Feed {
        site: Arc::clone(site),
        client,
        snapshot_due: Instant::now(),
    };
    tokio::spawn(async move {
        feed.run(after).await;
        // Given back only now: what is still fed counts, whether its client is there or not.
        drop(place);
    });
    let body = Content::Stream(parts);
    answer(StatusCode::OK, EVENT_STREAM, body)
}

/// Reads which event of this run the client has seen last.
fn resumes_after(request: &Parts, run_id: &str) -> Option<u64> {
    let id = request.headers.get("last-event-id")?.to_str().ok()?;
    let (run, seq) = id.rsplit_once('-')?;
    (run == run_id).then(|| seq.parse().ok()).flatten()
}

/// One client and what it is sent.
struct Feed {
    site: Arc<Site>,
    client: mpsc::Sender<Bytes>,
    /// When it may be sent the next snapshot.
    snapshot_due: Instant,
}

/// The client has gone.
struct Gone;

impl Feed {
    /// Feeds the client until it has gone, or nothing follows: both are an end of the stream and no
    /// error.
    async fn run(mut self, after: Option<u64>) {
        let client = self.client.clone();
        tokio::select! {
            _ended = self.feed(after) => {}
            () = client.closed() => {}
        }
    }

    async fn feed(&mut self, after: Option<u64>) -> Result<(), Gone> {
        self.send(Bytes::from_static(RETRY.as_bytes())).await?;
        let (mut events, mut seen) = self.begin(after).await?;
        while self.follow(&mut events, seen).await? {
            // Read after what was missed, or something would still be.
            seen = self.snapshot_since(Instant::now()).await?;
        }
        Ok(())
    }

    /// Subscribes, once there is a tree; the client has seen everything up to the number that is returned.
    async fn begin(
        &mut self,
        after: Option<u64>,
    ) -> Result<(Subscriber<SubsystemEvent>, u64), Gone> {
        loop {
            let seen = match after {
                Some(seq) => seq,
                None => self.snapshot().await?,
            };
            if let Some(events) = self.site.source.subscribe(Some(seen)) {
                return Ok((events, seen));
            }
            sleep(BETWEEN_SNAPSHOTS).await;
        }
    }

    /// Sends the whole tree, and returns the number of the last event before it.
    async fn snapshot(&mut self) -> Result<u64, Gone> {
        let tree = self.site.tree().await.ok_or(Gone)?;
        self.send_tree(tree).await
    }

    /// The same, of a tree that is read from this instant on.
    async fn snapshot_since(&mut self, instant: Instant) -> Result<u64, Gone> {
        sleep_until(self.snapshot_due).await;
        self.snapshot_due = Instant::now() + BETWEEN_SNAPSHOTS;
        let tree = self.site.tree_read_since(instant).await.ok_or(Gone)?;
        self.send_tree(tree).await
    }

    async fn send_tree(&self, tree: Tree) -> Result<u64, Gone> {
        let run = self.site.source.run_id();
        let head = format!("event: snapshot\nid: {run}-{}\ndata: ", tree.from_seq);
        self.send(Bytes::from(head)).await?;
        self.send(tree.json).await?;
        self.send(Bytes::from_static(b"\n\n")).await?;
        Ok(tree.from_seq)
    }

    /// Sends events until the client has missed some (true), or nothing follows (false).
    async fn follow(
        &mut self,
        events: &mut Subscriber<SubsystemEvent>,
        seen: u64,
    ) -> Result<bool, Gone> {
        let run = self.site.source.run_id();
        let mut sign_due = Instant::now() + SIGN_OF_LIFE;
        loop {
            let (part, is_full, end) = take(events, &*self.site.source, (&run, seen));
            if !part.is_empty() {
                sign_due = Instant::now() + SIGN_OF_LIFE;
                self.send(Bytes::from(part)).await?;
            }
            match end {
                Some(ReceiveError::Lagged(_)) => return Ok(true),
                Some(_closed) => return Ok(false),
                None if sign_due <= Instant::now() => {
                    sign_due = Instant::now() + SIGN_OF_LIFE;
                    self.send(Bytes::from_static(b":\n\n")).await?;
                }
                None => {}
            }
            // In a storm the client is sent as much as it reads.
            if !is_full {
                sleep(GLANCE).await;
            }
        }
    }

    async fn send(&self, part: Bytes) -> Result<(), Gone> {
        self.client.send(part).await.map_err(|_closed| Gone)
    }
}

/// Takes what has happened and writes it down; whether more may wait, and why none follows, if so.
fn take(
    events: &mut Subscriber<SubsystemEvent>,
    source: &dyn Source,
    (run, seen): (&str, u64),
) -> (String, bool, Option<ReceiveError>) {
    let mut part = String::new();
    for _ in 0..EVENTS_A_PART {
        match events.try_recv() {
            // The snapshot has it already.
            Ok(Some(event)) if event.seq <= seen => {}
            Ok(Some(event)) => {
                let shown = source.show(&event);
                part.push_str(&format!("id: {run}-{}\ndata: {shown}\n\n", event.seq));
            }
            Ok(None) => return (part, false, None),
            Err(end) => return (part, false, Some(end)),
        }
    }
    (part, true, None)
}
