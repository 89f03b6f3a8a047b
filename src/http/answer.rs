//! What an answer is made of: a status, the headers that all of them carry, and a body that is there
//! or still comes.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

/// The content type of a scrape, as Prometheus' text format 0.0.4 defines it.
pub const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What RFC 8259 says of a JSON document.
const JSON: &str = "application/json";

/// The content type of everything made for people.
const TEXT: &str = "text/plain; charset=utf-8";

/// What a document of ours may load when a browser shows it: nothing.
const NO_CONTENT: &str = "default-src 'none'; frame-ancestors 'none'";

pub(super) type Answer = Response<Content>;

/// The body of an answer.
pub(super) enum Content {
    /// All of it; taken when it was sent.
    Whole(Option<Bytes>),
    /// Parts as they come.
    Stream(mpsc::Receiver<Bytes>),
}

impl Content {
    pub(super) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(_))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(parts) => parts
                .poll_recv(cx)
                .map(|part| part.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, TEXT, Content::Whole(Some(body.into())))
}

pub(super) fn json(status: StatusCode, body: &Value) -> Answer {
    json_bytes(status, Bytes::from(format!("{body}\n")))
}

pub(super) fn json_bytes(status: StatusCode, body: Bytes) -> Answer {
    answer(status, JSON, Content::Whole(Some(body)))
}

/// Makes an answer with the headers that all carry: no browser guesses, keeps, frames or shows more
/// than was meant.
pub(super) fn answer(status: StatusCode, content_type: &'static str, body: Content) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, NO_CONTENT),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) fn with(mut answer: Answer, name: HeaderName, value: HeaderValue) -> Answer {
    answer.headers_mut().insert(name, value);
    answer
}
