//! What a reload of a changed file takes, from the read to the swap: 1, 2, 4 and 8 KB. The change itself is not
//! counted.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

mod setting;

use std::fmt::Write as _;
use std::path::PathBuf;

use criterion::{BenchmarkId, Criterion, Throughput};
use perennial::config::{Cause, Loader};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Bench {
    number: u64,
    entries: Vec<Entry>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Entry {
    name: String,
    weight: f64,
    enabled: bool,
    tags: Vec<String>,
}

/// Makes a document of at least `size_bytes`.
fn document(number: u64, size_bytes: usize) -> String {
    let mut text = format!("number = {number}\n");
    let mut entry = 0;
    while text.len() < size_bytes {
        let _infallible = writeln!(
            text,
            "[[entries]]\nname = \"entry number {entry}\"\nweight = {entry}.5\nenabled = true\ntags = [\"one\", \"two\"]",
        );
        entry += 1;
    }
    text
}

/// A file that is gone with the bench.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("perennial-hot-swap-{}.toml", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).expect("it can be written");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("config_hot_swap");
    for size_bytes in [1_024, 2_048, 4_096, 8_192] {
        let file = Scratch::new();
        file.write(&document(0, size_bytes));
        let loader = Loader::new("bench")
            .config::<Bench>()
            .file(&file.0)
            .environment([]);
        let mut reloader = loader.load().expect("it is valid");
        let mut number = 0;
        group.throughput(Throughput::Bytes(size_bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(size_bytes), |bencher| {
            bencher.iter_custom(|count| {
                let change = || {
                    number += 1;
                    file.write(&document(number, size_bytes));
                };
                setting::timed(count, change, |()| {
                    reloader.reload(Cause::Call).expect("it is valid")
                })
            });
        });
        assert_eq!(
            reloader.live().snapshot().config().number,
            number,
            "the last change is live"
        );
    }
    group.finish();
}

fn main() {
    setting::run(bench);
}
