//! Whom the server answers: a decision on the head of a request alone.
//!
//! A page on the web can make a browser send requests to 127.0.0.1. It can point a name of its own
//! there (DNS rebinding), so a host that is not known is refused; it can ask across sites, which a
//! browser says in `Origin` and `Sec-Fetch-Site`, so that is refused too. A host that is an address and
//! no name can't be pointed anywhere: behind a token it is answered.

use std::fmt;
use std::net::IpAddr;

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::request::Parts;

/// A secret that whoever asks has to know. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The least that is accepted as a secret: nobody guesses 16 random characters.
const LEAST_TOKEN_CHARACTERS: usize = 16;

impl Token {
    /// Makes a token, without the white space around it; `None` for one that is too short, under 16
    /// characters, or has characters that no header can carry.
    #[must_use]
    pub fn new(token: &str) -> Option<Self> {
        let token = token.trim();
        let can_be_sent = token.bytes().all(|byte| byte.is_ascii_graphic());
        (token.len() >= LEAST_TOKEN_CHARACTERS && can_be_sent).then(|| Self(token.to_owned()))
    }

    /// Compares in a time that does not tell how much of it is right.
    fn is(&self, given: &str) -> bool {
        let (known, given) = (self.0.as_bytes(), given.as_bytes());
        let differences = known
            .iter()
            .zip(given)
            .fold(0, |found, (known, given)| found | (known ^ given));
        known.len() == given.len() && differences == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// What a request may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everything.
    Full,
    /// Whether the program lives and is ready, and nothing of why not.
    Probes,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Host,
    CrossSite,
}

/// The server's rules.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    pub(super) token: Option<Token>,
    pub(super) hosts: Vec<String>,
}

impl Guard {
    /// Decides what a request may see.
    pub(super) fn judge(&self, request: &Parts) -> Result<Access, Refused> {
        let host = host_of(request).filter(|host| self.is_served(host));
        let host = host.ok_or(Refused::Host)?;
        if is_cross_site(&request.headers, host) {
            return Err(Refused::CrossSite);
        }
        let Some(token) = &self.token else {
            return Ok(Access::Full);
        };
        let given = single(&request.headers, &AUTHORIZATION).and_then(secret);
        match given.is_some_and(|given| token.is(&given)) {
            true => Ok(Access::Full),
            false => Ok(Access::Probes),
        }
    }

    fn is_served(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else {
            return false;
        };
        let address = address(name);
        name.eq_ignore_ascii_case("localhost")
            || address.is_some_and(|address| address.is_loopback())
            || self.hosts.iter().any(|known| is_same_host(known, name))
            || self.token.is_some() && address.is_some()
    }
}

/// Returns what the request calls the server; `None` where it says that twice, or not at all.
fn host_of(request: &Parts) -> Option<&str> {
    // A target in absolute form overrides the header (RFC 9112, 3.2.2).
    if let Some(authority) = request.uri.authority() {
        return Some(authority.as_str());
    }
    single(&request.headers, &HOST)
}

fn single<'a>(headers: &'a HeaderMap, name: &hyper::header::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (Some(Ok(value)), None) => Some(value),
        _ => None,
    }
}

/// Reads the secret of a program (`Bearer`), or the password of a person whose browser asked for one
/// (`Basic`); the name does not matter.
fn secret(authorization: &str) -> Option<String> {
    let (scheme, given) = authorization.split_once(' ')?;
    match &*scheme.to_ascii_lowercase() {
        "bearer" => Some(given.trim().to_owned()),
        "basic" => {
            let both = String::from_utf8(from_base64(given.trim())?).ok()?;
            Some(both.split_once(':')?.1.to_owned())
        }
        _ => None,
    }
}

/// Decodes RFC 4648's base 64; `None` for what is none.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | u32::from(digit(byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

fn without_port(host: &str) -> Option<&str> {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match host.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some(_) if host.ends_with(']') => Some(host),
        Some((name, port)) if is_port(port) && !name.is_empty() => Some(name),
        Some(_) => None,
        None => Some(host),
    }
}

fn address(name: &str) -> Option<IpAddr> {
    let inside = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    inside.unwrap_or(name).parse().ok()
}

/// Compares the host of a request with one of the configuration's, whose port, if it has one, does not
/// matter.
fn is_same_host(known: &str, name: &str) -> bool {
    // Asked first: an IPv6 address without brackets would lose its end as a port.
    let known_address = address(known);
    let known = without_port(known).unwrap_or(known);
    match known_address.or_else(|| address(known)) {
        Some(known) => address(name) == Some(known),
        None => known.eq_ignore_ascii_case(name),
    }
}

/// Tells whether a browser asks for a page that is not of this server. A person who follows a link to
/// the page is let in.
fn is_cross_site(headers: &HeaderMap, host: &str) -> bool {
    if headers.contains_key(ORIGIN) {
        let origin = single(headers, &ORIGIN).unwrap_or_default();
        let is_own = origin
            .split_once("://")
            .is_some_and(|(_, of)| of.eq_ignore_ascii_case(host));
        if !is_own {
            return true;
        }
    }
    let fetch = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_link =
        fetch("sec-fetch-mode") == Some("navigate") && fetch("sec-fetch-dest") == Some("document");
    matches!(fetch("sec-fetch-site"), Some("cross-site" | "same-site")) && !is_link
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::{Access, Guard, Refused, Token};

    fn guard(token: Option<&str>) -> Guard {
        Guard {
            token: token.map(|token| Token::new(token).expect("long enough")),
            hosts: ["metrics.internal", "App.internal:9600", "2001:db8::7"]
                .map(str::to_owned)
                .into(),
        }
    }

    fn judge(guard: &Guard, headers: &[(&str, &str)]) -> Result<Access, Refused> {
        let request = headers
            .iter()
            .fold(Request::get("/tree"), |request, (name, value)| {
                request.header(*name, *value)
            });
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        guard.judge(&parts)
    }

    #[test]
    fn only_known_hosts_are_served_and_addresses_behind_a_token() {
        let secret = "0123456789abcdef";
        for (host, open, behind_token) in [
            ("localhost", true, true),
            ("LocalHost:1", true, true),
            ("127.0.0.1:9600", true, true),
            ("127.0.0.2:9600", true, true),
            ("127.1.2.3", true, true),
            ("[::1]:9600", true, true),
            ("[::1]", true, true),
            ("metrics.internal:9600", true, true),
            ("app.internal:9600", true, true),
            ("app.internal", true, true),
            ("[2001:db8::7]:9600", true, true),
            ("10.0.0.7:9600", false, true),
            ("[fe80::1]:9600", false, true),
            ("evil.example", false, false),
            ("localhost.evil.example", false, false),
            ("127.0.0.2.evil.example", false, false),
            ("127.0.0.1:80@evil.example", false, false),
            ("127.0.0.1:x", false, false),
            (":9600", false, false),
            ("", false, false),
        ] {
            let is_served = |guard: &Guard| judge(guard, &[("host", host)]) != Err(Refused::Host);
            assert_eq!(is_served(&guard(None)), open, "{host:?}");
            assert_eq!(is_served(&guard(Some(secret))), behind_token, "{host:?}");
        }
        assert_eq!(judge(&guard(None), &[]), Err(Refused::Host));
        let twice = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(judge(&guard(None), &twice), Err(Refused::Host));
    }

    #[test]
    fn other_sites_are_refused_and_links_to_here_are_not() {
        let host = ("host", "localhost:9600");
        let table: [(&[(&str, &str)], bool); 8] = [
            (&[("origin", "http://localhost:9600")], true),
            (&[("origin", "http://localhost:1")], false),
            (&[("origin", "http://evil.example")], false),
            (&[("origin", "null")], false),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                ],
                true,
            ),
        ];
        for (headers, is_let_in) in table {
            let headers = [&[host], headers].concat();
            let judged = judge(&guard(None), &headers);
            assert_eq!(judged.is_ok(), is_let_in, "{headers:?}");
        }
    }

    #[test]
    fn without_the_token_only_probes_are_answered() {
        let guard = guard(Some("0123456789abcdef"));
        for (given, access) in [
            (None, Access::Probes),
            (Some("Bearer 0123456789abcdef"), Access::Full),
            (Some("bearer  0123456789abcdef "), Access::Full),
            (Some("Bearer 0123456789abcdeg"), Access::Probes),
            (Some("Bearer 0123456789abcdef0"), Access::Probes),
            (Some("Bearer "), Access::Probes),
            (Some("Basic 0123456789abcdef"), Access::Probes),
            (Some("Basic bWU6MDEyMzQ1Njc4OWFiY2RlZg=="), Access::Full),
            (Some("Basic bWU6MDEyMzQ1Njc4OWFiY2RlZQ=="), Access::Probes),
            (Some("Basic ????"), Access::Probes),
        ] {
            let mut headers = vec![("host", "localhost")];
            headers.extend(given.map(|given| ("authorization", given)));
            assert_eq!(judge(&guard, &headers), Ok(access), "{given:?}");
        }
    }

    #[test]
    fn a_token_has_a_least_length_and_is_not_shown() {
        assert_eq!(Token::new("short"), None);
        assert_eq!(Token::new("with a space in it"), None);
        let token = Token::new(" 0123456789abcdef\n").expect("long enough");
        assert_eq!(format!("{token:?}"), "Token(***)");
    }
}
