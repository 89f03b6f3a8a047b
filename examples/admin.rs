//! A client for the admin socket of any daemon: sends lines, prints what comes back.
//!
//! ```sh
//! cargo run --example admin -- /run/app/admin.sock tree
//! cargo run --example admin -- /run/app/admin.sock restart /app/store
//! cargo run --example admin -- /run/app/admin.sock level debug
//! cargo run --example admin -- /run/app/admin.sock events /app/store
//! cargo run --example admin -- /run/app/admin.sock profile 30
//! ```
//!
//! The protocol is described in `docs/admin.md`.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use perennial::BoxError;
use serde_json::{Value, json};

fn request(command: &str, value: Option<&String>) -> Value {
    match (command, value) {
        ("level", Some(level)) => json!({ "command": command, "level": level }),
        ("profile" | "heap", Some(seconds)) => {
            // What is no number is refused with what may be there.
            let seconds = seconds.parse().unwrap_or(0_u64);
            json!({ "command": command, "seconds": seconds })
        }
        ("events", Some(path)) => json!({ "command": command, "below": [path] }),
        (_, Some(path)) => json!({ "command": command, "path": path }),
        (_, None) => json!({ "command": command }),
    }
}

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, command, value @ ..] = arguments.as_slice() else {
        println!("usage: admin <socket> <command> [<path, level or seconds>]");
        return Ok(());
    };
    let mut stream = UnixStream::connect(socket)?;
    writeln!(stream, "{}", request(command, value.first()))?;
    if command != "events" {
        // Nothing follows, so the daemon closes after its answer.
        stream.shutdown(std::net::Shutdown::Write)?;
    }
    for line in BufReader::new(stream).lines() {
        let line: Value = serde_json::from_str(&line?)?;
        if let Some(error) = line.get("error") {
            return Err(error["message"].as_str().unwrap_or("refused").into());
        }
        match line.get("ok") {
            // The configuration is text already.
            Some(Value::String(text)) => println!("{text}"),
            Some(answer) => println!("{answer:#}"),
            // An event.
            None => println!("{line:#}"),
        }
    }
    Ok(())
}
