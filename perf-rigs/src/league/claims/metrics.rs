//! A whole daemon that answers questions, with its metrics read ten times a second and without any.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use perennial::{Child, Daemon, Inbox, Reply, Supervisor};
use tokio::time::Instant;

use super::heat;
use crate::heat::{Effort, Figures, Heat, Must};

/// How many questions it is asked, one after the other.
const ASKS: usize = 1_000_000;

/// How often the metrics are read.
const SCRAPE_PERIOD: Duration = Duration::from_millis(100);

fn scrape(address: SocketAddr) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page)
}

fn daemon(effort: Effort, is_measured: bool) -> Option<Figures> {
    let worker = Child::worker("worker", |_cx, mut inbox: Inbox<Reply<u64>>| async move {
        while let Some(reply) = inbox.recv().await {
            // Fails only when nobody waits for the answer any more.
            reply.send(42).unwrap_or_default();
        }
        Ok(())
    });
    let handle = worker.handle();
    let daemon = Daemon::new("league")
        .arguments([])
        .set("logging.level=error")
        .without_signals()
        .tree(Supervisor::one_for_one("app").child(worker));
    let (told, bound) = mpsc::channel();
    let daemon = if is_measured {
        let told = move |address| told.send(address).unwrap_or_default();
        let daemon = daemon.http(SocketAddr::from(([127, 0, 0, 1], 0)));
        daemon.on_http_bound(told)
    } else {
        daemon.without_http()
    };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let end = daemon.shutdown_handle();
    let running = runtime.spawn(daemon.run_async());
    // It comes to its end with the process.
    std::thread::spawn(move || {
        let Ok(address) = bound.recv() else {
            return;
        };
        while scrape(address).is_ok_and(|bytes| bytes > 0) {
            std::thread::park_timeout(SCRAPE_PERIOD);
        }
    });
    let asking = runtime.spawn(async move {
        // It is not up yet.
        while handle.call(|reply| reply).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let began = Instant::now();
        for _ in 0..effort.of(ASKS) {
            handle.call(|reply| reply).await.expect("an answer");
        }
        began.elapsed()
    });
    let took = runtime.block_on(asking).ok()?;
    end.request();
    drop(runtime.block_on(running));
    runtime.shutdown_timeout(Duration::ZERO);
    Some(vec![effort.of(ASKS) as f64 / took.as_secs_f64()])
}

pub(super) fn heats() -> Vec<Heat> {
    vec![heat(
        "a whole daemon is asked, its metrics read ten times a second",
        ("rate", "/s"),
        ("perennial, with metrics", |effort| daemon(effort, true)),
        vec![(
            "perennial, without metrics and HTTP",
            |effort| daemon(effort, false),
            Must::AtLeast(0.95),
        )],
    )]
}
