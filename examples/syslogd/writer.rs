//! The store's child: the one owner of the open store.
//!
//! 1. The store lives in this task alone and blocks inside `block_in_place`, never in a closure that could
//!    outlive the run: so it is dropped, and its lock released, before the next incarnation opens it.
//! 2. [`Synced`] holds only numbers that are on disk; it outlives the runs, so a number once true stays true.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use perennial::{BoxError, Context, Inbox, Reply};
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep_until};

use crate::args::Args;
use crate::chaos::Faults;
use crate::stats::Stats;
use crate::store::{Appended, Entry, FsyncPolicy, Store, StoreError, StoreOptions, SyncSchedule};

/// How many waiting messages are stored before the clock is looked at again.
const BATCH_MESSAGES: usize = 256;

/// What the store is sent.
#[derive(Debug)]
pub(crate) enum ToStore {
    /// A line that nobody waits for.
    Plain(Entry),
    /// Lines of an acknowledged connection.
    Numbered(Batch),
}

/// Numbered lines, in order.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The client.
    pub(crate) client: String,
    /// Its lines.
    pub(crate) entries: Vec<Follower>,
    /// Where the answer goes.
    pub(crate) reply: Reply<Stored>,
}

/// A line, and the number of the line before it.
#[derive(Debug)]
pub(crate) struct Follower {
    /// See `ack::Numbered::follows`.
    pub(crate) follows: Option<u64>,
    /// The line.
    pub(crate) entry: Entry,
}

/// What became of numbered lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// All are stored; they are acknowledged once they are synced.
    All,
    /// A line before them is missing: the client has to send again.
    Gap,
}

/// The last number of each client that is on disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Synced(watch::Sender<BTreeMap<String, u64>>);

impl Synced {
    /// Follows the changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<BTreeMap<String, u64>> {
        self.0.subscribe()
    }
}

/// What each incarnation begins with.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    dir: PathBuf,
    options: StoreOptions,
    fsync: FsyncPolicy,
    synced: Synced,
    faults: Faults,
    stats: Arc<Stats>,
}

impl Setup {
    /// Takes what the command line says of the store.
    pub(crate) fn new(args: &Args, synced: &Synced, faults: &Faults, stats: &Arc<Stats>) -> Self {
        Self {
            dir: args.dir.clone(),
            options: StoreOptions {
                segment_bytes: args.segment_bytes,
            },
            fsync: args.fsync,
            synced: synced.clone(),
            faults: faults.clone(),
            stats: Arc::clone(stats),
        }
    }
}

/// Runs one incarnation.
pub(crate) async fn run(
    cx: Context,
    mut inbox: Inbox<ToStore>,
    setup: Setup,
) -> Result<(), BoxError> {
    let mut faults = setup.faults.of("store");
    let mut writer = block_in_place(|| Writer::open(&setup))?;
    cx.ready();
    loop {
        let due = writer.schedule.due_at();
        tokio::select! {
            message = inbox.recv() => match message {
                Some(message) => block_in_place(|| writer.store_waiting(message, &mut inbox))?,
                None => break,
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => block_in_place(|| writer.sync())?,
            order = faults.next() => order.happen().await,
        }
    }
    block_in_place(|| writer.finish(&mut inbox))?;
    Ok(())
}

struct Writer {
    store: Store,
    schedule: SyncSchedule,
    synced: Synced,
    stats: Arc<Stats>,
    // The clients that wait for an ACK.
    unsynced: HashSet<String>,
}

impl Writer {
    fn open(setup: &Setup) -> Result<Self, StoreError> {
        let (store, recovery) = Store::open(&setup.dir, setup.options)?;
        let (records, segments, bytes_cut) =
            (recovery.records, recovery.segments, recovery.bytes_cut);
        tracing::info!(records, segments, bytes_cut, "the store is open");
        setup
            .synced
            .0
            .send_modify(|synced| synced.extend(recovery.highest));
        let schedule = SyncSchedule::new(setup.fsync);
        Ok(Self {
            store,
            schedule,
            synced: setup.synced.clone(),
            stats: Arc::clone(&setup.stats),
            unsynced: HashSet::new(),
        })
    }

    /// Stores a message and those that wait behind it, then syncs if it is time.
    fn store_waiting(
        &mut self,
        first: ToStore,
        inbox: &mut Inbox<ToStore>,
    ) -> Result<(), StoreError> {
        self.store_message(first)?;
        for _ in 1..BATCH_MESSAGES {
            let Some(message) = inbox.try_recv() else {
                break;
            };
            self.store_message(message)?;
        }
        if self.schedule.is_due(Instant::now()) {
            self.sync()
        } else {
            Ok(())
        }
    }

    fn store_message(&mut self, message: ToStore) -> Result<(), StoreError> {
        match message {
            ToStore::Plain(entry) => self.append(&entry),
            ToStore::Numbered(batch) => {
                let stored = self.store_batch(&batch.client, &batch.entries)?;
                // A connection that has ended asks nobody any more.
                let _nobody_waits = batch.reply.send(stored).is_err();
                Ok(())
            }
        }
    }

    fn store_batch(&mut self, client: &str, entries: &[Follower]) -> Result<Stored, StoreError> {
        for Follower { follows, entry } in entries {
            if *follows > self.store.highest_number(client) {
                return Ok(Stored::Gap);
            }
            self.append(entry)?;
        }
        Ok(Stored::All)
    }

    fn append(&mut self, entry: &Entry) -> Result<(), StoreError> {
        if self.store.append(entry)? == Appended::Duplicate {
            return Ok(());
        }
        match &entry.client {
            None => self.stats.stored(),
            Some((client, _)) if self.unsynced.contains(client) => {}
            Some((client, _)) => drop(self.unsynced.insert(client.clone())),
        }
        if entry.malformed {
            self.stats.malformed();
        }
        self.schedule.appended(Instant::now());
        let always = matches!(self.schedule.due_at(), Some(due) if due <= Instant::now());
        if always { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.store.sync()?;
        self.schedule.synced();
        let store = &self.store;
        let numbers = self.unsynced.drain().filter_map(|client| {
            let number = store.synced_number(&client)?;
            Some((client, number))
        });
        self.synced.0.send_modify(|synced| synced.extend(numbers));
        Ok(())
    }

    /// Keeps what still waits; those who sent it have stopped already.
    fn finish(&mut self, inbox: &mut Inbox<ToStore>) -> Result<(), StoreError> {
        while let Some(message) = inbox.try_recv() {
            self.store_message(message)?;
        }
        self.sync()
    }
}
