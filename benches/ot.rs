//! The kernel's speed, beside that of what one might use instead. `cargo bench --bench ot`; what was measured is in
//! `docs/performance.md`.
//!
//! Recorded traces are replayed if they are found: in the folder `corpora/traces` of `$QUIRE_SHARED`, or of `shared` beside
//! the checkout.

use std::hint::black_box;
use std::io::Read;
use std::path::PathBuf;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use quire::ot::{Attributes, Delta, Document, ParseLimits};
use ropey::Rope;
use serde::Deserialize;

const TRACES: [&str; 3] = ["sveltecomponent", "json-crdt-patch", "friendsforever_flat"];

/// An edit of a trace: at a position, so much is deleted, then text is inserted. All characters are one UTF-16 unit.
#[derive(Clone, Deserialize)]
struct Patch(u64, u64, String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    start_content: String,
    end_content: String,
    txns: Vec<Transaction>,
}

#[derive(Deserialize)]
struct Transaction {
    patches: Vec<Patch>,
}

struct Replay {
    name: String,
    start: String,
    end: String,
    patches: Vec<Patch>,
}

/// A generator of numbers that look random: the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

impl Replay {
    fn recorded(name: &str) -> Option<Replay> {
        let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
        let shared = std::env::var_os("QUIRE_SHARED").map_or(beside, PathBuf::from);
        let file = std::fs::File::open(shared.join(format!("corpora/traces/{name}.json.gz"))).ok()?;
        let mut json = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut json).unwrap();
        let trace: Trace = serde_json::from_str(&json).unwrap();
        Some(Replay {
            name: name.to_owned(),
            start: trace.start_content,
            end: trace.end_content,
            patches: trace.txns.into_iter().flat_map(|txn| txn.patches).collect(),
        })
    }

    /// Bursts of typing with some corrections, here and there in the text.
    fn generated() -> Replay {
        let mut numbers = Numbers(1);
        let (mut text, mut patches, mut at) = (String::new(), Vec::new(), 0);
        while patches.len() < 30_000 {
            if numbers.below(40) == 0 {
                at = numbers.below(text.len() as u64 + 1);
            }
            if numbers.below(8) == 0 && at > 0 {
                at -= 1;
                text.remove(at as usize);
                patches.push(Patch(at, 1, String::new()));
            } else {
                let letter = char::from(b'a' + numbers.below(26) as u8);
                text.insert(at as usize, letter);
                patches.push(Patch(at, 0, letter.to_string()));
                at += 1;
            }
        }
        Replay { name: "generated".to_owned(), start: String::new(), end: text, patches }
    }

    fn deltas(&self) -> Vec<Delta> {
        let delta =
            |Patch(at, deleted, text): &Patch| typed(*at, text).concat(&Delta::new().delete(*deleted));
        self.patches.iter().map(delta).collect()
    }
}

fn typed(at: u64, text: &str) -> Delta {
    Delta::new().retain(at, Attributes::NONE).insert(text, Attributes::NONE)
}

fn plain(text: &str) -> Document {
    Document::from_delta(&Delta::new().insert(text, Attributes::NONE)).unwrap()
}

fn replay(c: &mut Criterion) {
    let recorded = TRACES.iter().filter_map(|name| Replay::recorded(name));
    for replay in recorded.chain([Replay::generated()]) {
        let mut group = c.benchmark_group(format!("replay/{}", replay.name));
        group.throughput(Throughput::Elements(replay.patches.len() as u64)).sample_size(20);
        let deltas = replay.deltas();
        group.bench_function("document", |b| {
            b.iter_batched_ref(
                || plain(&replay.start),
                |document| deltas.iter().for_each(|delta| document.apply(delta).unwrap()),
                BatchSize::LargeInput,
            );
        });
        group.bench_function("document, a clone kept of each version", |b| {
            b.iter_batched_ref(
                || (plain(&replay.start), Document::new()),
                |(document, durable)| {
                    for delta in &deltas {
                        durable.clone_from(document);
                        document.apply(delta).unwrap();
                    }
                },
                BatchSize::LargeInput,
            );
        });
        let mut document = plain(&replay.start);
        deltas.iter().for_each(|delta| document.apply(delta).unwrap());
        assert_eq!(document.text(), replay.end, "{} ends otherwise", replay.name);

        group.bench_function("ropey", |b| {
            b.iter_batched_ref(
                || Rope::from_str(&replay.start),
                |rope| replay_rope(&replay.patches, rope),
                BatchSize::LargeInput,
            );
        });
        if replay.start.is_ascii() && replay.end.is_ascii() {
            group.bench_function("string", |b| {
                b.iter_batched_ref(
                    || replay.start.clone(),
                    |text| replay_string(&replay.patches, text),
                    BatchSize::LargeInput,
                );
            });
        }
    }
}

fn replay_rope(patches: &[Patch], rope: &mut Rope) {
    for Patch(at, deleted, text) in patches {
        let at = *at as usize;
        if *deleted > 0 {
            rope.remove(at..at + *deleted as usize);
        }
        rope.insert(at, text);
    }
}

fn replay_string(patches: &[Patch], string: &mut String) {
    for Patch(at, deleted, text) in patches {
        let at = *at as usize;
        string.replace_range(at..at + *deleted as usize, text);
    }
}

/// Ten megabytes in lines.
fn long_text() -> String {
    let line =
        "The quick brown fox jumps over the lazy dog, and then it does so once again: 0123456789 times.\n";
    line.repeat(10_000_000 / line.len())
}

fn edit_10_mb(c: &mut Criterion) {
    let text = long_text();
    let mut group = c.benchmark_group("edit 10 MB");
    let mut numbers = Numbers(7);
    let mut document = plain(&text);
    group.bench_function("document", |b| {
        b.iter(|| document.apply(&typed(numbers.below(10_000_000), "x")).unwrap());
    });
    let mut document = plain(&text);
    group.bench_function("document, shared by a clone", |b| {
        b.iter(|| {
            let durable = document.clone();
            document.apply(&typed(numbers.below(10_000_000), "x")).unwrap();
            durable
        });
    });
    let mut at = 5_000_000;
    group.bench_function("document, shared by a clone, one place", |b| {
        b.iter(|| {
            let durable = document.clone();
            at += 1;
            document.apply(&typed(at, "x")).unwrap();
            durable
        });
    });
    let mut rope = Rope::from_str(&text);
    group.bench_function("ropey, shared by a clone", |b| {
        b.iter(|| {
            let durable = rope.clone();
            rope.insert_char(numbers.below(10_000_000) as usize, 'x');
            durable
        });
    });
    let mut string = text.clone();
    group.bench_function("string", |b| {
        b.iter(|| string.insert(numbers.below(10_000_000) as usize, 'x'));
    });
}

fn algebra(c: &mut Criterion) {
    let mut numbers = Numbers(3);
    let history: Vec<_> = (0..100).map(|_| typed(numbers.below(1000), "y")).collect();
    let incoming = typed(500, "x");
    c.bench_function("transform/one character over 100", |b| {
        b.iter(|| history.iter().fold(black_box(incoming.clone()), |edit, past| past.transform(&edit, true)));
    });
    let many = |numbers: &mut Numbers| {
        (0..1000).fold(Delta::new(), |delta, _| {
            delta.retain(1 + numbers.below(9), Attributes::NONE).insert("ab", Attributes::NONE).delete(1)
        })
    };
    let (a, b) = (many(&mut numbers), many(&mut numbers));
    c.bench_function("transform/3,000 parts over 3,000", |bench| {
        bench.iter(|| a.transform(black_box(&b), true));
    });
    c.bench_function("compose/3,000 parts and 3,000", |bench| bench.iter(|| a.compose(black_box(&b))));
    c.bench_function("compose/typing a word", |bench| {
        let letters: Vec<_> = (0..10).map(|i| typed(100 + i, "x")).collect();
        bench.iter(|| letters.iter().fold(Delta::new(), |word, letter| word.compose(letter)));
    });
    let long = Delta::new().insert(long_text().split_off(9_000_000), Attributes::NONE);
    c.bench_function("diff/1 MB with 100 edits", |bench| {
        let mut document = Document::from_delta(&long).unwrap();
        (0..100).for_each(|_| document.apply(&typed(numbers.below(990_000), "x")).unwrap());
        let edited = document.to_delta();
        bench.iter(|| long.diff(&edited).unwrap());
    });
}

fn json(c: &mut Criterion) {
    let limits = ParseLimits::default();
    let one = r#"[{"retain":1234},{"insert":"x"}]"#;
    c.bench_function("parse/one insert", |b| b.iter(|| Delta::parse(black_box(one), &limits).unwrap()));
    c.bench_function("parse/one insert, serde_json::Value", |b| {
        b.iter(|| serde_json::from_str::<serde_json::Value>(black_box(one)).unwrap());
    });
    let delta = Delta::parse(one, &limits).unwrap();
    let mut out = Vec::new();
    c.bench_function("write/one insert", |b| {
        b.iter(|| {
            out.clear();
            black_box(&delta).write_json(&mut out);
        });
    });

    let bold = Attributes::new().with("bold", true);
    let words = |delta: Delta, i: u32| {
        let attributes = if i.is_multiple_of(2) { Attributes::NONE } else { bold.clone() };
        delta.insert("some words with no end ", attributes)
    };
    let formatted = (0..40_000).fold(Delta::new(), words).to_json();
    let mut group = c.benchmark_group("1 MB in 40,000 runs");
    group.throughput(Throughput::Bytes(formatted.len() as u64)).sample_size(20);
    group.bench_function("read", |b| b.iter(|| Document::from_json(black_box(&formatted)).unwrap()));
    group.bench_function("read, serde_json::Value", |b| {
        b.iter(|| serde_json::from_str::<serde_json::Value>(black_box(&formatted)).unwrap());
    });
    let document = Document::from_json(&formatted).unwrap();
    group.bench_function("write", |b| {
        b.iter(|| {
            out.clear();
            black_box(&document).write_json(&mut out);
        });
    });
    group.finish();

    let long = plain(&long_text());
    let mut long_json = Vec::new();
    long.write_json(&mut long_json);
    let long_json = String::from_utf8(long_json).unwrap();
    let mut group = c.benchmark_group("10 MB of plain text");
    group.throughput(Throughput::Bytes(long_json.len() as u64)).sample_size(20);
    group.bench_function("read", |b| b.iter(|| Document::from_json(black_box(&long_json)).unwrap()));
    group.bench_function("write", |b| {
        b.iter(|| {
            out.clear();
            black_box(&long).write_json(&mut out);
        });
    });
}

/// What a server does with an edit: read it, transform it over some that came before, apply it to a document of which the
/// durable version is kept, and write it for everybody.
fn hot_path(c: &mut Criterion) {
    let mut group = c.benchmark_group("an edit through the server");
    let mut numbers = Numbers(5);
    let limits = ParseLimits::default();
    for (name, size) in [("10 KB", 10_000), ("1 MB", 1_000_000)] {
        let mut document = plain(&long_text()[..size]);
        let recent: Vec<_> = (0..4).map(|_| typed(numbers.below(size as u64), "y")).collect();
        let mut out = Vec::new();
        group.bench_function(name, |b| {
            b.iter(|| {
                let text = format!(r#"[{{"retain":{}}},{{"insert":"x"}}]"#, numbers.below(size as u64 - 10));
                let delta = Delta::parse(&text, &limits).unwrap();
                let delta = recent.iter().fold(delta, |delta, past| past.transform(&delta, true));
                let durable = document.clone();
                document.apply(&delta).unwrap();
                out.clear();
                delta.write_json(&mut out);
                durable
            });
        });
    }
}

criterion_group!(benches, replay, edit_10_mb, algebra, json, hot_path);
criterion_main!(benches);
