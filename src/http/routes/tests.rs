//! What each request is answered with.

use http_body_util::BodyExt;
use hyper::Request;
use serde_json::{Value, json};

use super::{METRICS_CONTENT_TYPE, respond};
use crate::http::{Readiness, Source};

#[derive(Debug, Default)]
struct Program {
    is_dead: bool,
    readiness: Readiness,
    has_no_metrics: bool,
}

impl Source for Program {
    fn live(&self) -> bool {
        !self.is_dead
    }

    fn ready(&self) -> Readiness {
        self.readiness.clone()
    }

    fn metrics(&self) -> Option<String> {
        (!self.has_no_metrics).then(|| "up 1\n".to_owned())
    }

    fn tree(&self) -> Value {
        json!({ "from_seq": 7 })
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

fn ask(program: &Program, method: &str, target: &str, host: Option<&str>) -> Answered {
    let mut request = Request::builder().method(method).uri(target);
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let (head, body) = respond(program, &parts).into_parts();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let body = runtime.block_on(body.collect()).unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answered {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
    }
}

fn get(program: &Program, target: &str) -> Answered {
    ask(program, "GET", target, Some("localhost:9600"))
}

#[test]
fn a_healthy_program_is_live_and_ready() {
    for target in ["/livez", "/healthz", "/readyz"] {
        let answered = get(&Program::default(), target);
        assert_eq!((answered.status, &*answered.body), (200, "ok"), "{target}");
        assert_eq!(answered.header("x-content-type-options"), "nosniff");
        assert_eq!(answered.header("cache-control"), "no-store");
    }
}

#[test]
fn what_is_missing_is_named() {
    let missing = vec!["/app/disk".to_owned()];
    let program = Program {
        readiness: Readiness {
            missing,
            is_shutting_down: false,
        },
        ..Program::default()
    };
    let answered = get(&program, "/readyz");
    assert_eq!(
        (answered.status, answered.header("retry-after")),
        (503, "1")
    );
    let body: Value = serde_json::from_str(&answered.body).unwrap();
    assert_eq!(body["missing"], json!(["/app/disk"]));
    let verbose = get(&program, "/readyz?verbose");
    assert_eq!(verbose.status, 503);
    assert_eq!(
        verbose.body,
        "[+]shutdown ok\n[-]/app/disk failed: not running\n"
    );
    assert_eq!(
        get(&program, "/livez").status,
        200,
        "liveness does not depend on readiness"
    );
}

#[test]
fn a_program_that_shuts_down_is_live_but_not_ready() {
    let readiness = Readiness {
        missing: Vec::new(),
        is_shutting_down: true,
    };
    let program = Program {
        readiness,
        ..Program::default()
    };
    assert_eq!(get(&program, "/readyz").status, 503);
    assert_eq!(get(&program, "/livez").status, 200);
}

#[test]
fn a_program_that_makes_no_progress_is_not_live() {
    let program = Program {
        is_dead: true,
        ..Program::default()
    };
    assert_eq!(get(&program, "/livez").status, 503);
    assert!(
        get(&program, "/livez?verbose=1")
            .body
            .starts_with("[-]runtime failed: ")
    );
}

#[test]
fn a_scrape_has_the_content_type_of_its_format() {
    let answered = get(&Program::default(), "/metrics");
    assert_eq!((answered.status, &*answered.body), (200, "up 1\n"));
    assert_eq!(answered.header("content-type"), METRICS_CONTENT_TYPE);
    let off = Program {
        has_no_metrics: true,
        ..Program::default()
    };
    assert_eq!(get(&off, "/metrics").status, 404);
}

#[test]
fn the_tree_is_json() {
    let answered = get(&Program::default(), "/tree");
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
    let answered = ask(&Program::default(), "POST", "/livez", Some("localhost"));
    assert_eq!(
        (answered.status, answered.header("allow")),
        (405, "GET, HEAD")
    );
    assert_eq!(
        ask(&Program::default(), "HEAD", "/livez", Some("localhost")).status,
        200
    );
    assert_eq!(get(&Program::default(), "/").status, 404);
    assert_eq!(get(&Program::default(), "/livez/").status, 404);
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
            ask(&Program::default(), "GET", "/livez", host).status,
            status,
            "{host:?}"
        );
    }
    let absolute = ask(
        &Program::default(),
        "GET",
        "http://evil.example/livez",
        Some("localhost"),
    );
    assert_eq!(absolute.status, 403);
}
