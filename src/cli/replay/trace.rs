//! Editing traces: what somebody typed, keystroke by keystroke.
//!
//! The format is that of josephg/editing-traces: `{"startContent", "endContent", "txns": [{"time", "patches":
//! [[position, deleted, "inserted"], …]}, …]}`, plain or gzipped. Positions and lengths count code points.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::ot::{Attributes, Delta};

/// The first bytes of a gzip file (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A recorded history of one text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    pub start_content: String,
    pub end_content: String,
    pub txns: Vec<Transaction>,
}

/// One edit: its patches follow one another.
#[derive(Debug, Deserialize)]
pub struct Transaction {
    /// RFC 3339; traces that were not recorded in time have the same everywhere.
    time: Option<String>,
    pub patches: Vec<Patch>,
}

/// Position, characters deleted there, text inserted there; in code points.
#[derive(Debug, Deserialize)]
pub struct Patch(pub usize, pub usize, pub String);

impl Trace {
    /// Reads a trace, gzipped or not.
    ///
    /// # Errors
    /// The file cannot be read, or is no trace.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let in_words = || format!("reading the trace {}", path.display());
        let mut file = BufReader::new(File::open(path).with_context(in_words)?);
        let mut start = [0; 2];
        let count = file.read(&mut start).with_context(in_words)?;
        let whole = start[..count].chain(file);
        let trace = if start == GZIP {
            serde_json::from_reader(BufReader::new(GzDecoder::new(whole)))
        } else {
            serde_json::from_reader(BufReader::new(whole))
        };
        trace.with_context(in_words)
    }

    /// Returns how long after the first transaction each one was made; none when times were not recorded.
    pub fn times(&self) -> Option<Vec<Duration>> {
        let times: Option<Vec<i64>> =
            self.txns.iter().map(|txn| txn.time.as_deref().and_then(unix_millis)).collect();
        let times = times?;
        let first = *times.first()?;
        let recorded = times.iter().any(|time| *time != first);
        let since = |time: i64| Duration::from_millis(u64::try_from(time - first).unwrap_or(0));
        recorded.then(|| times.into_iter().map(since).collect())
    }
}

/// Reads `YYYY-MM-DDThh:mm:ss[.fff](Z|+hh:mm)` as milliseconds since 1970. Days are counted as by Howard Hinnant's
/// `days_from_civil` (chrono-Compatible Low-Level Date Algorithms), since a trace needs no calendar library.
fn unix_millis(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone = time.find(['Z', '+', '-'])?;
    let (time, offset) = time.split_at(zone);
    let mut time = time.split(':');
    let (hours, minutes) = (time.next()?.parse::<i64>().ok()?, time.next()?.parse::<i64>().ok()?);
    let seconds = time.next()?.parse::<f64>().ok()?;

    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let millis = ((days * 24 + hours) * 60 + minutes) * 60_000 + (seconds * 1_000.0).round() as i64;
    Some(millis - offset_minutes(offset)? * 60_000)
}

fn offset_minutes(offset: &str) -> Option<i64> {
    let sign = match offset.as_bytes().first()? {
        b'Z' => return Some(0),
        b'-' => -1,
        _ => 1,
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?))
}

/// Turns patches in code points into edits in UTF-16 code units.
///
/// Where all characters are in the basic plane both are the same. Only once one is not, the places of the others are
/// kept: a trace with them costs a walk over these for each patch.
#[derive(Debug, Default)]
pub struct Converter {
    /// Positions, in code points, of the characters that take two code units; rising.
    wide: Vec<usize>,
}

impl Converter {
    /// Starts from a text.
    pub fn new(text: &str) -> Self {
        let mut converter = Self::default();
        converter.insert(0, text);
        converter
    }

    /// Turns one transaction into one edit, the composition of its patches.
    pub fn edit(&mut self, transaction: &Transaction) -> Delta {
        let mut patches = transaction.patches.iter().map(|patch| self.patch(patch));
        let first = patches.next().unwrap_or_default();
        patches.fold(first, |all, next| all.compose(&next))
    }

    fn patch(&mut self, Patch(position, deleted, inserted): &Patch) -> Delta {
        let start = self.units(*position);
        let end = self.units(position + deleted);
        self.wide.retain(|at| !(*position..position + deleted).contains(at));
        for at in self.wide.iter_mut().filter(|at| **at >= *position) {
            *at -= deleted;
        }
        self.insert(*position, inserted);
        let mut delta = Delta::new().retain(start as u64, Attributes::new());
        if !inserted.is_empty() {
            delta = delta.insert(inserted.as_str(), Attributes::new());
        }
        if end > start {
            delta = delta.delete((end - start) as u64);
        }
        delta.chop();
        delta
    }

    fn insert(&mut self, position: usize, text: &str) {
        let narrow = text.is_ascii();
        if narrow && self.wide.is_empty() {
            return;
        }
        let count = text.chars().count();
        for at in self.wide.iter_mut().filter(|at| **at >= position) {
            *at += count;
        }
        let fresh = text.chars().enumerate().filter(|(_, c)| c.len_utf16() == 2).map(|(i, _)| position + i);
        let index = self.wide.partition_point(|at| *at < position);
        self.wide.splice(index..index, fresh);
    }

    fn units(&self, position: usize) -> usize {
        position + self.wide.partition_point(|at| *at < position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::Document;

    fn txn(patches: &[(usize, usize, &str)]) -> Transaction {
        let patches = patches.iter().map(|(p, d, i)| Patch(*p, *d, (*i).to_owned())).collect();
        Transaction { time: None, patches }
    }

    #[test]
    fn positions_in_code_points_become_utf16_units() {
        let mut text = "a😀b".to_owned();
        let mut converter = Converter::new(&text);
        let mut document = Document::new();
        document.apply(&Delta::new().insert(text.as_str(), Attributes::new())).unwrap();
        let edits = [
            txn(&[(2, 0, "é😁")]),
            txn(&[(1, 1, ""), (0, 0, "🙂🙂")]),
            txn(&[(3, 2, "x"), (1, 1, "y")]),
            txn(&[(0, 2, "")]),
        ];
        for edit in &edits {
            for Patch(position, deleted, inserted) in &edit.patches {
                let mut chars: Vec<char> = text.chars().collect();
                chars.splice(*position..position + deleted, inserted.chars());
                text = chars.into_iter().collect();
            }
            document.apply(&converter.edit(edit)).unwrap();
            assert_eq!(document.text(), text);
        }
    }

    #[test]
    fn times_are_those_after_the_first() {
        let json = r#"{"startContent":"","endContent":"ab","txns":[
            {"time":"2023-12-31T23:59:59.500Z","patches":[[0,0,"a"]]},
            {"time":"2024-01-01T01:00:00+01:00","patches":[[1,0,"b"]]}]}"#;
        let trace: Trace = serde_json::from_str(json).unwrap();
        assert_eq!(trace.times(), Some(vec![Duration::ZERO, Duration::from_millis(500)]));
        assert_eq!(unix_millis("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(unix_millis("2024-02-29T12:00:00Z"), Some(1_709_208_000_000));
        assert_eq!(unix_millis("yesterday"), None);
    }

    #[test]
    fn a_trace_is_read_plain_or_gzipped() {
        use std::io::Write as _;
        let json = br#"{"startContent":"","endContent":"a","txns":[{"patches":[[0,0,"a"]]}]}"#;
        let folder = tempfile::tempdir().unwrap();
        let (plain, zipped) = (folder.path().join("t.json"), folder.path().join("t.json.gz"));
        std::fs::write(&plain, json).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(json).unwrap();
        std::fs::write(&zipped, encoder.finish().unwrap()).unwrap();
        for path in [plain, zipped] {
            let trace = Trace::read(&path).unwrap();
            assert_eq!((trace.txns.len(), trace.times()), (1, None));
        }
        assert!(Trace::read(&folder.path().join("absent")).is_err());
    }
}
