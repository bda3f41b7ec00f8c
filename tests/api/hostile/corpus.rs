//! The lines of the corpus, as its README describes them.

use serde_json::Value;

/// The version of the document that the lines are put to.
const HEAD: u64 = 1;

/// How a line is put to the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The text of a delta, within an `op` frame.
    Delta,
    /// A whole frame.
    Message,
    /// Bytes.
    Frame,
}

pub struct Line {
    pub id: String,
    pub name: String,
    pub level: Level,
    pub payload: Payload,
    /// Sent as the first frame, instead of `hello`.
    pub fresh: bool,
    pub binary: bool,
    /// Whether it is a sound enough `op` frame to be answered by the document.
    pub is_op: bool,
    pub setup: Vec<String>,
    pub setup_other: Vec<String>,
    /// Accepted as it is or normalised; else refused.
    pub accepted: bool,
    /// One of these refuses it.
    pub codes: Vec<String>,
    pub reason: String,
    pub normalised: Option<Value>,
    pub doc_after: Option<Value>,
    /// By how many versions the document is ahead at the end.
    pub versions: u64,
}

impl Line {
    pub fn read(json: &str) -> Self {
        let line: Value = serde_json::from_str(json).expect("the corpus is JSON");
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let level = match line["level"].as_str() {
            Some("delta") => Level::Delta,
            Some("message") => Level::Message,
            _ => Level::Frame,
        };
        let accepted = line["verdict"] != "refuse";
        // A delta that is accepted is a version; of the other lines the corpus says it.
        let versions = match (level, accepted) {
            (Level::Delta, true) => 1,
            _ => line["versions"].as_u64().unwrap_or(0),
        };
        let mut payload = Payload::read(&line);
        if level == Level::Delta {
            payload.prefix =
                [format!(r#"{{"type":"op","seq":1,"base":{HEAD},"delta":"#).as_bytes(), &payload.prefix]
                    .concat();
            payload.suffix.push(b'}');
        }
        let codes = line["codes"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let start = String::from_utf8_lossy(&payload.prefix).into_owned();
        Self {
            id: text("id"),
            name: text("name"),
            level,
            fresh: line["fresh"] == true,
            binary: line["binary"] == true,
            is_op: level == Level::Message && start.starts_with(r#"{"type":"op""#),
            setup: frames(&line["setup"]),
            setup_other: frames(&line["setup_other"]),
            accepted,
            codes: codes.map(|code| code.as_str().expect("a code").to_owned()).collect(),
            reason: text("reason"),
            normalised: line.get("normalised").cloned(),
            doc_after: line.get("doc_after").cloned(),
            versions,
            payload,
        }
    }
}

/// The frames of a `setup`: objects, or texts where a placeholder stands.
fn frames(list: &Value) -> Vec<String> {
    let frames = list.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    frames.map(|frame| fill_in(&frame.as_str().map_or_else(|| frame.to_string(), str::to_owned))).collect()
}

/// Puts the version in place of its placeholders.
fn fill_in(text: &str) -> String {
    text.replace("\"$HEAD+1\"", &(HEAD + 1).to_string()).replace("\"$HEAD\"", &HEAD.to_string())
}

/// What is sent: `prefix`, `repeat` × `count` joined by `join`, `middle`, `close` × `count`, `suffix`. Made piece
/// by piece: some are 100 MiB.
#[derive(Default)]
pub struct Payload {
    prefix: Vec<u8>,
    repeat: String,
    count: u64,
    join: Option<String>,
    middle: String,
    close: String,
    suffix: Vec<u8>,
}

impl Payload {
    fn read(line: &Value) -> Self {
        if let Some(raw) = line["raw"].as_str() {
            return Self { prefix: fill_in(raw).into(), ..Self::default() };
        }
        if let Some(base64) = line["raw_b64"].as_str() {
            return Self { prefix: decode_base64(base64), ..Self::default() };
        }
        let part = |name: &str| line["gen"][name].as_str().unwrap_or_default().to_owned();
        Self {
            prefix: fill_in(&part("prefix")).into(),
            repeat: part("repeat"),
            count: line["gen"]["count"].as_u64().expect("a count"),
            join: line["gen"]["join"].as_str().map(str::to_owned),
            middle: part("middle"),
            close: part("close"),
            suffix: part("suffix").into(),
        }
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.pieces().map(|piece| piece.len() as u64).sum()
    }

    /// The bytes, in pieces of up to some tens of kilobytes.
    pub fn pieces(&self) -> impl Iterator<Item = Vec<u8>> {
        let fixed = |bytes: &[u8]| std::iter::once(bytes.to_vec());
        fixed(&self.prefix)
            .chain(self.repeated())
            .chain(fixed(self.middle.as_bytes()))
            .chain(blocks(&self.close, self.count))
            .chain(fixed(&self.suffix))
    }

    fn repeated(&self) -> Box<dyn Iterator<Item = Vec<u8>> + '_> {
        let Some(join) = &self.join else { return Box::new(blocks(&self.repeat, self.count)) };
        let numbers = (0..self.count).step_by(BLOCK as usize);
        Box::new(numbers.map(move |first| {
            let block = first..self.count.min(first + BLOCK);
            let end = block.end;
            let items: Vec<String> = block.map(|n| self.repeat.replace("%d", &n.to_string())).collect();
            let last = if end < self.count { join } else { "" };
            (items.join(join) + last).into_bytes()
        }))
    }
}

/// Repetitions that are made at a time.
const BLOCK: u64 = 4_096;

/// `text` × `count`.
fn blocks(text: &str, count: u64) -> impl Iterator<Item = Vec<u8>> {
    let counts = (0..count).step_by(BLOCK as usize).map(move |first| BLOCK.min(count - first));
    counts.map(move |count| text.repeat(count as usize).into_bytes())
}

/// RFC 4648, section 4. The corpus is well-formed.
fn decode_base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').collect();
    let decode = |group: &[u8]| {
        let bits = group.iter().fold(0, |bits, byte| bits << 6 | value(*byte)) << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    digits.chunks(4).flat_map(decode).collect()
}
