//! From a request to its answer.
//!
//! What is quick is answered at once. A scrape, the whole tree and one node are written on another thread,
//! one of each kind at a time, and the first two are kept for a moment, so that neither a probe nor the
//! program waits for them. The configuration is written by code of the program's own, elsewhere.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_LENGTH, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::answer::{Answer, Content, METRICS_CONTENT_TYPE, answer, json_bytes, text, with};
use super::guard::{Access, Guard, Refused};
use super::kept::Kept;
use super::probes::{Wish, decoded};
use super::{Check, Source, TurnedAway, events, page, probes};

/// How many clients are sent events at once, beside all others: a person has a page or two open.
const MAX_STREAMS: usize = 16;

/// How long a scrape is kept: two scrapers that differ by less see the same.
const METRICS_KEPT: Duration = Duration::from_secs(1);

/// How long the tree as a whole is kept; many pages that resume at once cost one reading.
const TREE_KEPT: Duration = Duration::from_millis(200);

/// How long the configuration is waited for: as long as leaves time to say that it takes too long.
const CONFIG_PATIENCE: Duration = Duration::from_secs(5);

/// How large a body may be that a request has, although nothing reads it.
const MAX_BODY_BYTES: u64 = 64 * 1024;

/// Everything that answers are made from.
pub(super) struct Site {
    pub(super) source: Arc<dyn Source>,
    guard: Guard,
    pub(super) streams: Arc<Semaphore>,
    metrics: Kept<Option<Bytes>>,
    tree: Kept<Tree>,
    /// The place of the one node that is being written.
    nodes: Arc<Semaphore>,
}

/// The tree as JSON.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) json: Bytes,
    /// The number of the last event before it was read.
    pub(super) from_seq: u64,
}

/// An answer, and by which route it came.
pub(super) struct Routed {
    pub(super) route: &'static str,
    pub(super) answer: Answer,
}

impl Site {
    pub(super) fn new(source: Arc<dyn Source>, guard: Guard) -> Self {
        Self {
            source,
            guard,
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            metrics: Kept::default(),
            tree: Kept::default(),
            nodes: Arc::new(Semaphore::new(1)),
        }
    }

    /// Returns the metrics, made anew when the last were made a while ago.
    async fn metrics(&self) -> Option<Bytes> {
        let source = Arc::clone(&self.source);
        let write = move || source.metrics().map(Bytes::from);
        self.metrics.since(before(METRICS_KEPT), write).await?
    }

    /// Returns what is known of a node.
    async fn node(&self, path: String) -> Option<Option<Bytes>> {
        let place = Arc::clone(&self.nodes).acquire_owned().await.ok()?;
        let source = Arc::clone(&self.source);
        let written = tokio::task::spawn_blocking(move || {
            let _place = place;
            let node = source.node(&path)?;
            Some(Bytes::from(format!("{node}\n")))
        });
        written.await.ok()
    }

    /// Returns the tree, read anew when the last reading was a while ago.
    pub(super) async fn tree(&self) -> Option<Tree> {
        self.tree_read_since(before(TREE_KEPT)).await
    }

    /// Returns the tree as it was read at this instant or later.
    pub(super) async fn tree_read_since(&self, instant: Instant) -> Option<Tree> {
        let source = Arc::clone(&self.source);
        let read = move || {
            let tree = source.tree();
            Tree {
                from_seq: tree["from_seq"].as_u64().unwrap_or(0),
                json: Bytes::from(tree.to_string()),
            }
        };
        self.tree.since(instant, read).await
    }
}

/// Returns the instant that lies so far back.
fn before(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(time).unwrap_or(now)
}

/// What is served.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Live,
    Ready,
    ReadyOne(String),
    Metrics,
    Tree,
    Node(String),
    Events,
    Config,
    Page,
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        let rest = |prefix: &str| path.strip_prefix(prefix).filter(|rest| !rest.is_empty());
        match path {
            // The older name is kept for those who still probe it.
            "/livez" | "/healthz" => Some(Self::Live),
            "/readyz" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            "/tree" => Some(Self::Tree),
            "/events" => Some(Self::Events),
            "/config" => Some(Self::Config),
            "/" => Some(Self::Page),
            _ => rest("/readyz/")
                .map(|name| Self::ReadyOne(decoded(name)))
                .or_else(|| rest("/tree/").map(|path| Self::Node(decoded(path)))),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Live => "livez",
            Self::Ready | Self::ReadyOne(_) => "readyz",
            Self::Metrics => "metrics",
            Self::Tree | Self::Node(_) => "tree",
            Self::Events => "events",
            Self::Config => "config",
            Self::Page => "page",
        }
    }

    fn is_probe(&self) -> bool {
        matches!(self, Self::Live | Self::Ready | Self::ReadyOne(_))
    }
}

/// Answers a request; with `only_probes`, nothing else.
pub(super) async fn respond(site: &Arc<Site>, request: &Parts, only_probes: bool) -> Routed {
    let route = Route::of(request.uri.path());
    let code = route.as_ref().map_or("other", Route::code);
    let answer = match refusal(site, request, route.as_ref()) {
        Err(refused) => *refused,
        Ok((route, _)) if only_probes && !route.is_probe() => {
            site.source.turned_away(TurnedAway::Busy);
            busy("everything is taken; only probes are answered\n", "1")
        }
        // Tersely, so that nobody holds the last places who does not read.
        Ok((route, _)) if only_probes => serve(site, request, route, Access::Probes).await,
        Ok((route, access)) => serve(site, request, route, access).await,
    };
    Routed {
        route: code,
        answer,
    }
}

/// Judges a request by its head; what is asked for comes back if it may be had.
fn refusal<'a>(
    site: &Site,
    request: &Parts,
    route: Option<&'a Route>,
) -> Result<(&'a Route, Access), Box<Answer>> {
    let forbidden = |why: &'static str| Err(Box::new(text(StatusCode::FORBIDDEN, why)));
    let access = match site.guard.judge(request) {
        Ok(access) => access,
        Err(Refused::Host) => return forbidden("this host name is not served\n"),
        Err(Refused::CrossSite) => return forbidden("other sites are not served\n"),
    };
    let is_probe = route.is_some_and(Route::is_probe);
    if access == Access::Probes && !is_probe {
        let refused = text(StatusCode::UNAUTHORIZED, "a token is needed\n");
        let how = HeaderValue::from_static("Basic realm=\"perennial\", charset=\"UTF-8\"");
        return Err(Box::new(with(refused, WWW_AUTHENTICATE, how)));
    }
    let Some(route) = route else {
        return Err(Box::new(text(StatusCode::NOT_FOUND, "not found\n")));
    };
    if request.method != Method::GET && request.method != Method::HEAD {
        let refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let methods = HeaderValue::from_static("GET, HEAD");
        return Err(Box::new(with(refused, ALLOW, methods)));
    }
    if has_large_body(request) {
        let refused = text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n");
        return Err(Box::new(refused));
    }
    Ok((route, access))
}

fn has_large_body(request: &Parts) -> bool {
    let length = request.headers.get(CONTENT_LENGTH);
    let bytes = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    bytes.is_some_and(|bytes| bytes > MAX_BODY_BYTES)
}

async fn serve(site: &Arc<Site>, request: &Parts, route: &Route, access: Access) -> Answer {
    let source = &*site.source;
    let wish = Wish::of(request.uri.query(), access);
    match route {
        Route::Live => probes::live(&source.live(), &wish),
        Route::Ready if wish.wants_all() => probes::ready_of(&ready_checks(source), &wish),
        Route::Ready => probes::ready(source.ready(), &wish),
        Route::ReadyOne(name) => probes::one(&ready_checks(source), name, &wish)
            .unwrap_or_else(|| text(StatusCode::NOT_FOUND, "there is no such check\n")),
        Route::Metrics => match site.metrics().await {
            Some(metrics) => {
                let body = Content::Whole(Some(metrics));
                answer(StatusCode::OK, METRICS_CONTENT_TYPE, body)
            }
            None => text(StatusCode::NOT_FOUND, "metrics are off\n"),
        },
        Route::Tree => match site.tree().await {
            Some(tree) => json_bytes(StatusCode::OK, tree.json),
            None => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the tree can't be shown\n",
            ),
        },
        Route::Node(path) => match site.node(format!("/{path}")).await {
            Some(Some(node)) => json_bytes(StatusCode::OK, node),
            Some(None) => text(StatusCode::NOT_FOUND, "there is no such node\n"),
            None => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the node can't be shown\n",
            ),
        },
        Route::Config => config(source).await,
        Route::Events => events::open(site, request),
        Route::Page => page::page(),
    }
}

/// Shows the configuration, unless the program's own code takes too long to write it.
async fn config(source: &dyn Source) -> Answer {
    match timeout(CONFIG_PATIENCE, source.config()).await {
        Ok(Ok(Some(config))) => text(StatusCode::OK, config.as_bytes().to_vec()),
        Ok(Ok(None)) => text(StatusCode::NOT_FOUND, "there is no configuration\n"),
        Ok(Err(why)) => busy(format!("the configuration can't be shown: {why}\n"), "10"),
        Err(_late) => busy("the configuration is still being written\n", "10"),
    }
}

fn ready_checks(source: &dyn Source) -> Vec<Check> {
    let is_shutting_down = source.ready().is_shutting_down;
    let mut checks = vec![probes::shutdown_check(is_shutting_down)];
    checks.extend(source.ready_checks());
    checks
}

/// Says that there is no room, and when to ask again.
pub(super) fn busy(why: impl Into<Bytes>, after_seconds: &'static str) -> Answer {
    let answer = text(StatusCode::SERVICE_UNAVAILABLE, why);
    with(answer, RETRY_AFTER, HeaderValue::from_static(after_seconds))
}

#[cfg(test)]
mod tests;
