//! The page: one document that is part of the program, and asks nothing of anybody else.
//!
//! It shows what `/events` and `/tree` say, and can change nothing. Its script and its style are let run
//! by a number that is new in each answer, so that nothing else could be, whatever a child is called.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};

use super::answer::{Answer, text, with};

/// The document; `NONCE` stands where the number goes.
const PAGE: &str = include_str!("page.html");

/// What stands in the document for the number.
const NONCE: &str = "NONCE";

/// Shows the page.
pub(super) fn page() -> Answer {
    let nonce = format!("{:016x}{:016x}", random(), random());
    let page = text(StatusCode::OK, PAGE.replace(NONCE, &nonce));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let page = with(
        page,
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    match HeaderValue::from_str(&policy) {
        Ok(policy) => with(page, CONTENT_SECURITY_POLICY, policy),
        // Made of nothing but ASCII; without it the page would show nothing, which is safe too.
        Err(_) => page,
    }
}

/// Returns a number that nobody can guess: the standard library seeds its hashers so.
fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}
