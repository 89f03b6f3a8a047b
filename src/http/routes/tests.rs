//! What each request is answered with.

use http_body_util::BodyExt;
use hyper::Request;
use serde_json::{Value, json};

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::{METRICS_CONTENT_TYPE, Site, respond};
use crate::bus::subscriber::Subscriber;
use crate::event::SubsystemEvent;
use crate::http::guard::Guard;
use crate::http::{Check, Readiness, Showing, Source, Token, TurnedAway};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, lock};

#[derive(Debug, Default)]
struct Program {
    is_dead: bool,
    readiness: Readiness,
    has_no_metrics: bool,
    told: Mutex<Vec<TurnedAway>>,
    /// Whoever holds this holds up the metrics.
    gate: Mutex<()>,
    scrapes: AtomicUsize,
}

impl Source for Program {
    fn live(&self) -> Vec<Check> {
        vec![match self.is_dead {
            true => Check::failed("runtime", "it makes no progress"),
            false => Check::passed("runtime"),
        }]
    }

    fn ready(&self) -> Readiness {
        self.readiness.clone()
    }

    fn ready_checks(&self) -> Vec<Check> {
        let mut checks = vec![Check::passed("/app/net"), Check::passed("/app/net/a")];
        checks.extend(self.readiness.missing.clone());
        checks
    }

    fn metrics(&self) -> Option<String> {
        self.scrapes.fetch_add(1, Ordering::Relaxed);
        let _open = lock(&self.gate);
        (!self.has_no_metrics).then(|| "up 1\n".to_owned())
    }

    fn tree(&self) -> Value {
        json!({ "from_seq": 7 })
    }

    fn node(&self, path: &str) -> Option<Value> {
        (path == "/app/ü").then(|| json!({ "path": path }))
    }

    fn config(&self) -> Showing {
        Box::pin(async { Ok(Some("[http]\n".into())) })
    }

    fn run_id(&self) -> String {
        "run".to_owned()
    }

    fn subscribe(&self, _after: Option<u64>) -> Option<Subscriber<SubsystemEvent>> {
        None
    }

    fn show(&self, _event: &SubsystemEvent) -> Value {
        Value::Null
    }

    fn turned_away(&self, reason: TurnedAway) {
        lock(&self.told).push(reason);
    }
}

struct Answered {
    status: u16,
    headers: hyper::HeaderMap,
    body: String,
}

impl Answered {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

fn ask(program: Program, method: &str, target: &str, host: Option<&str>) -> Answered {
    let headers: Vec<_> = host.into_iter().map(|host| ("host", host)).collect();
    let guard = Guard {
        token: None,
        hosts: Vec::new(),
    };
    let site = Site::new(Arc::new(program), guard);
    ask_site(&Arc::new(site), (method, target), &headers, false)
}

fn ask_site(
    site: &Arc<Site>,
    (method, target): (&str, &str),
    headers: &[(&str, &str)],
    only_probes: bool,
) -> Answered {
    let request = headers.iter().fold(
        Request::builder().method(method).uri(target),
        |request, (name, value)| request.header(*name, *value),
    );
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (head, body) = runtime
        .block_on(respond(site, &parts, only_probes))
        .answer
        .into_parts();
    let body = runtime.block_on(body.collect()).unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answered {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
    }
}

fn get(program: Program, target: &str) -> Answered {
    ask(program, "GET", target, Some("localhost:9600"))
}

#[test]
fn a_healthy_program_is_live_and_ready() {
    for target in ["/livez", "/healthz", "/readyz"] {
        let answered = get(Program::default(), target);
        assert_eq!((answered.status, &*answered.body), (200, "ok"), "{target}");
        assert_eq!(answered.header("x-content-type-options"), "nosniff");
        assert_eq!(answered.header("cache-control"), "no-store");
    }
}

fn without_disk() -> Program {
    Program {
        readiness: Readiness {
            missing: vec![Check::failed("/app/disk", "backing off")],
            is_shutting_down: false,
        },
        ..Program::default()
    }
}

#[test]
fn what_is_missing_is_named() {
    let answered = get(without_disk(), "/readyz");
    assert_eq!(
        (answered.status, answered.header("retry-after")),
        (503, "1")
    );
    let body: Value = serde_json::from_str(&answered.body).unwrap();
    assert_eq!(
        body,
        json!({ "missing": ["/app/disk"], "shutting_down": false })
    );
    let verbose = get(without_disk(), "/readyz?verbose");
    assert_eq!(verbose.status, 503);
    assert_eq!(
        verbose.body,
        "[+]shutdown ok\n[+]/app/net ok\n[+]/app/net/a ok\n[-]/app/disk failed: backing off\n\
         readyz check failed\n"
    );
    assert_eq!(
        get(without_disk(), "/livez").status,
        200,
        "liveness does not depend on readiness"
    );
}

#[test]
fn a_check_can_be_left_out_or_asked_for_by_itself() {
    let table = [
        ("/readyz?exclude=/app/disk", 200, "ok"),
        ("/readyz?exclude=%2Fapp%2Fdisk", 200, "ok"),
        ("/readyz?exclude=x,/app/disk", 200, "ok"),
        ("/readyz?exclude=/app/net", 503, "/app/disk"),
        (
            "/readyz?verbose&exclude=/app/disk&exclude=typo",
            200,
            "[+]/app/disk excluded: ok\nwarn: nothing to exclude is called typo\nreadyz check passed\n",
        ),
        ("/readyz/app/disk", 503, "/app/disk"),
        ("/readyz/app/net", 200, "ok"),
        ("/readyz/app/net?verbose", 200, "[+]/app/net/a ok\n"),
        ("/readyz/app", 503, "/app/disk"),
        ("/readyz/shutdown", 200, "ok"),
        ("/readyz/app/ne", 404, "no such check"),
        ("/readyz/../../etc/passwd", 404, "no such check"),
    ];
    for (target, status, text) in table {
        let answered = get(without_disk(), target);
        assert_eq!(answered.status, status, "{target}: {}", answered.body);
        assert!(answered.body.contains(text), "{target}: {}", answered.body);
    }
}

#[test]
fn a_node_is_found_by_its_path_and_nothing_else_is() {
    let answered = get(Program::default(), "/tree/app/%C3%BC");
    assert_eq!(
        (answered.status, &*answered.body),
        (200, "{\"path\":\"/app/ü\"}\n")
    );
    for target in [
        "/tree/nobody",
        "/tree/../Cargo.toml",
        "/tree/%2e%2e/x",
        "/tree/",
    ] {
        assert_eq!(get(Program::default(), target).status, 404, "{target}");
    }
}

#[test]
fn nothing_else_than_ours_runs_in_the_page() {
    let page = get(Program::default(), "/");
    let policy = page.header("content-security-policy").to_owned();
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .and_then(|rest| rest.split('\'').next());
    let nonce = nonce.expect("there is one");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(
        page.body.contains(&format!("nonce=\"{nonce}\"")),
        "{policy}"
    );
    assert!(!page.body.contains("NONCE"));
    for outside in ["http://", "https://", "src=\"//", "@import", "style=\""] {
        assert!(!page.body.contains(outside), "{outside}");
    }
    let other = get(Program::default(), "/");
    assert_ne!(other.header("content-security-policy"), policy);
    assert_eq!(
        get(Program::default(), "/tree").header("x-frame-options"),
        "DENY"
    );
}

#[test]
fn behind_a_token_a_stranger_sees_whether_it_is_ready_and_nothing_more() {
    let guard = Guard {
        token: Token::new("0123456789abcdef"),
        hosts: Vec::new(),
    };
    let site = Arc::new(Site::new(Arc::new(without_disk()), guard));
    let stranger = [("host", "10.0.0.1")];
    let friend = [
        ("host", "10.0.0.1"),
        ("authorization", "Bearer 0123456789abcdef"),
    ];
    for (target, to_stranger, to_friend) in [
        ("/livez", 200, 200),
        ("/readyz?verbose", 503, 503),
        ("/metrics", 401, 200),
        ("/tree", 401, 200),
        ("/", 401, 200),
        ("/config", 401, 200),
        ("/nothing", 401, 404),
    ] {
        let answered = ask_site(&site, ("GET", target), &stranger, false);
        assert_eq!(answered.status, to_stranger, "{target}");
        assert!(!answered.body.contains("disk"), "{}", answered.body);
        let answered = ask_site(&site, ("GET", target), &friend, false);
        assert_eq!(answered.status, to_friend, "{target}");
    }
}

#[test]
fn when_all_is_taken_probes_are_answered_and_the_rest_is_put_off() {
    let program = Arc::new(Program::default());
    let guard = Guard {
        token: None,
        hosts: Vec::new(),
    };
    let source: Arc<dyn Source> = Arc::<Program>::clone(&program);
    let site = Arc::new(Site::new(source, guard));
    let host = [("host", "localhost")];
    assert_eq!(ask_site(&site, ("GET", "/readyz"), &host, true).status, 200);
    let answered = ask_site(&site, ("GET", "/tree"), &host, true);
    assert_eq!(
        (answered.status, answered.header("retry-after")),
        (503, "1")
    );
    assert_eq!(*lock(&program.told), [TurnedAway::Busy]);
    let site = Arc::new(Site::new(Arc::new(without_disk()), site.guard.clone()));
    let answered = ask_site(&site, ("GET", "/readyz?verbose"), &host, true);
    assert_eq!((answered.status, &*answered.body), (503, "not ok"));
}

#[test]
fn a_large_body_is_refused_by_its_length() {
    let guard = Guard {
        token: None,
        hosts: Vec::new(),
    };
    let site = Arc::new(Site::new(Arc::new(Program::default()), guard));
    for (length, status) in [("65536", 200), ("65537", 413)] {
        let headers = [("host", "localhost"), ("content-length", length)];
        assert_eq!(
            ask_site(&site, ("GET", "/livez"), &headers, false).status,
            status
        );
    }
}

#[test]
fn a_program_that_shuts_down_is_live_but_not_ready() {
    let readiness = Readiness {
        missing: Vec::new(),
        is_shutting_down: true,
    };
    let program = || Program {
        readiness: readiness.clone(),
        ..Program::default()
    };
    assert_eq!(get(program(), "/readyz").status, 503);
    assert_eq!(get(program(), "/livez").status, 200);
}

#[test]
fn a_program_that_makes_no_progress_is_not_live() {
    let program = || Program {
        is_dead: true,
        ..Program::default()
    };
    let answered = get(program(), "/healthz");
    assert_eq!(
        (answered.status, &*answered.body),
        (503, "{\"unhealthy\":[\"runtime\"]}\n")
    );
    assert_eq!(get(program(), "/livez").status, 503);
    assert!(
        get(program(), "/livez?verbose=1")
            .body
            .starts_with("[-]runtime failed: ")
    );
}

#[test]
fn a_scrape_has_the_content_type_of_its_format() {
    let answered = get(Program::default(), "/metrics");
    assert_eq!((answered.status, &*answered.body), (200, "up 1\n"));
    assert_eq!(answered.header("content-type"), METRICS_CONTENT_TYPE);
    let off = Program {
        has_no_metrics: true,
        ..Program::default()
    };
    assert_eq!(get(off, "/metrics").status, 404);
}

#[test]
fn clients_that_do_not_wait_for_a_scrape_leave_one_behind_and_no_more() {
    let program = Arc::new(Program::default());
    let source: Arc<dyn Source> = Arc::<Program>::clone(&program);
    let guard = Guard {
        token: None,
        hosts: Vec::new(),
    };
    let site = Arc::new(Site::new(source, guard));
    let request = Request::get("/metrics").header("host", "localhost");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let closed = lock(&program.gate);
    runtime.block_on(async {
        for _ in 0..50 {
            let mut asked = Box::pin(respond(&site, &parts, false));
            // As far as it gets by itself; then its client is gone.
            poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_pending())).await;
        }
    });
    drop(closed);
    let answered = runtime.block_on(respond(&site, &parts, false)).answer;
    assert_eq!(answered.status(), 200);
    let scrapes = program.scrapes.load(Ordering::Relaxed);
    assert!(scrapes <= 2, "{scrapes} were made");
}

#[test]
fn the_tree_is_json() {
    let answered = get(Program::default(), "/tree");
    assert_eq!(
        (answered.status, answered.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(
        serde_json::from_str::<Value>(&answered.body).unwrap(),
        json!({ "from_seq": 7 })
    );
}

#[test]
fn other_methods_and_paths_are_refused() {
    let answered = ask(Program::default(), "POST", "/livez", Some("localhost"));
    assert_eq!(
        (answered.status, answered.header("allow")),
        (405, "GET, HEAD")
    );
    assert_eq!(
        ask(Program::default(), "HEAD", "/livez", Some("localhost")).status,
        200
    );
    assert_eq!(get(Program::default(), "/other").status, 404);
    assert_eq!(get(Program::default(), "/livez/").status, 404);
}

#[test]
fn only_a_name_of_loopback_is_served() {
    let table = [
        (Some("localhost"), 200),
        (Some("LocalHost:1"), 200),
        (Some("127.0.0.1:9600"), 200),
        (Some("[::1]:9600"), 200),
        (Some("[::1]"), 200),
        (Some("evil.example"), 403),
        (Some("localhost.evil.example"), 403),
        (Some("127.0.0.1:80@evil.example"), 403),
        (Some(""), 403),
        (None, 403),
    ];
    for (host, status) in table {
        assert_eq!(
            ask(Program::default(), "GET", "/livez", host).status,
            status,
            "{host:?}"
        );
    }
    let absolute = ask(
        Program::default(),
        "GET",
        "http://evil.example/livez",
        Some("localhost"),
    );
    assert_eq!(absolute.status, 403);
}
