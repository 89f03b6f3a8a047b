//! From a request to its response: a function of the request and the source, with no effects.
//!
//! Kubernetes' conventions for probes: 200 or 503, `?verbose` for people. A request whose `Host` is
//! not a name of loopback is refused, so that no web page can reach the server by pointing a name
//! of its own at 127.0.0.1 (DNS rebinding).

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::json;

use super::{Readiness, Source};

/// The content type of a scrape, as Prometheus' text format 0.0.4 defines it.
pub const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What RFC 8259 says of a JSON document.
const JSON: &str = "application/json";

/// The content type of everything made for people.
const TEXT: &str = "text/plain; charset=utf-8";

pub(super) type Answer = Response<Full<Bytes>>;

/// Answers a request.
pub(super) fn respond(source: &dyn Source, request: &Parts) -> Answer {
    if !is_local(request) {
        return text(
            StatusCode::FORBIDDEN,
            "this host name is not served\n".to_owned(),
        );
    }
    let Some(route) = Route::of(request.uri.path()) else {
        return text(StatusCode::NOT_FOUND, "not found\n".to_owned());
    };
    if request.method != Method::GET && request.method != Method::HEAD {
        let answer = text(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET and HEAD\n".to_owned(),
        );
        return with(answer, ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    let verbose = is_verbose(request.uri.query());
    match route {
        Route::Live => live(source.live(), verbose),
        Route::Ready => ready(&source.ready(), verbose),
        Route::Metrics => match source.metrics() {
            Some(metrics) => answer(StatusCode::OK, METRICS_CONTENT_TYPE, metrics),
            None => text(StatusCode::NOT_FOUND, "metrics are off\n".to_owned()),
        },
        Route::Tree => answer(StatusCode::OK, JSON, format!("{}\n", source.tree())),
    }
}

/// What is served.
#[derive(Debug, Clone, Copy)]
enum Route {
    Live,
    Ready,
    Metrics,
    Tree,
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        match path {
            // The older name is kept for those who still probe it.
            "/livez" | "/healthz" => Some(Self::Live),
            "/readyz" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            "/tree" => Some(Self::Tree),
            _ => None,
        }
    }
}

fn live(is_live: bool, verbose: bool) -> Answer {
    let status = if is_live {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = match (verbose, is_live) {
        (false, true) => "ok".to_owned(),
        (false, false) => "the runtime makes no progress".to_owned(),
        (true, true) => "[+]runtime ok\n".to_owned(),
        (true, false) => "[-]runtime failed: it makes no progress\n".to_owned(),
    };
    text(status, body)
}

fn ready(readiness: &Readiness, verbose: bool) -> Answer {
    let is_ready = readiness.is_ready();
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let reply = match (verbose, is_ready) {
        (true, _) => text(status, readiness_in_words(readiness)),
        (false, true) => text(status, "ok".to_owned()),
        (false, false) => {
            let body = json!({ "missing": readiness.missing, "shutting_down": readiness.is_shutting_down });
            answer(status, JSON, body.to_string())
        }
    };
    if is_ready {
        reply
    } else {
        with(reply, RETRY_AFTER, HeaderValue::from_static("1"))
    }
}

fn readiness_in_words(readiness: &Readiness) -> String {
    let mut lines = String::new();
    if readiness.is_shutting_down {
        lines.push_str("[-]shutdown failed: it has begun\n");
    } else {
        lines.push_str("[+]shutdown ok\n");
    }
    if readiness.missing.is_empty() {
        lines.push_str("[+]tree ok\n");
    }
    for path in &readiness.missing {
        lines.push_str(&format!("[-]{path} failed: not running\n"));
    }
    lines
}

fn is_verbose(query: Option<&str>) -> bool {
    let mut names = query.unwrap_or_default().split('&');
    names.any(|pair| pair.split('=').next() == Some("verbose"))
}

/// Tells whether the request names a host that only this machine can mean.
fn is_local(request: &Parts) -> bool {
    // A target in absolute form overrides the header (RFC 9112, 3.2.2).
    if let Some(authority) = request.uri.authority() {
        return is_local_authority(authority.as_str());
    }
    let mut hosts = request.headers.get_all(HOST).iter();
    match (hosts.next().map(HeaderValue::to_str), hosts.next()) {
        (Some(Ok(host)), None) => is_local_authority(host),
        _ => false,
    }
}

fn is_local_authority(authority: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| {
        let Some(head) = authority.get(..name.len()) else {
            return false;
        };
        let rest = &authority[name.len()..];
        let is_port = rest
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
        head.eq_ignore_ascii_case(name) && (rest.is_empty() || is_port)
    })
}

fn text(status: StatusCode, body: String) -> Answer {
    answer(status, TEXT, body)
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let response = with(
        response,
        CONTENT_TYPE,
        HeaderValue::from_static(content_type),
    );
    let response = with(
        response,
        X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    with(
        response,
        CACHE_CONTROL,
        HeaderValue::from_static("no-store"),
    )
}

fn with(mut answer: Answer, name: HeaderName, value: HeaderValue) -> Answer {
    answer.headers_mut().insert(name, value);
    answer
}

#[cfg(test)]
mod tests;
