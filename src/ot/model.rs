//! A document as a plain list of characters, and generated edits of it (tests). It shares no code with the kernel but the
//! builder of deltas, so that what an edit should lead to is known without applying it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Attributes, Delta, Embed, Value};

/// One character or embed, with its formatting.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    content: Content,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Content {
    Char(char),
    Embed(u8),
}

/// Values by key; `None` removes the key.
type Format = BTreeMap<&'static str, Option<u8>>;

/// A step of an edit, in cells.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Keep(usize),
    Delete(usize),
    Format(usize, Format),
    Insert(Vec<Cell>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) cells: Vec<Cell>,
}

impl Content {
    fn units(self) -> u64 {
        match self {
            Content::Char(c) => c.len_utf16() as u64,
            Content::Embed(_) => 1,
        }
    }
}

/// The values that the numbers in a format stand for: some primitive, some nested.
fn value(number: u8) -> Value {
    let json = ["true", "\"red\"", "1", r#"{"a":1,"b":[null,1.5]}"#, "[]", "false"][usize::from(number)];
    super::json::Reader::new(json).value(0).unwrap()
}

fn attributes(format: &Format) -> Attributes {
    format
        .iter()
        .fold(Attributes::new(), |all, (key, number)| all.with(key, number.map_or(Value::Null, value)))
}

impl Model {
    /// Adds the cells to `delta`, as inserts.
    fn insert_into(&self, delta: Delta) -> Delta {
        self.cells.iter().fold(delta, |delta, cell| match cell.content {
            Content::Char(c) => delta.insert(c.to_string(), attributes(&cell.format)),
            Content::Embed(number) => {
                delta.insert_embed(Embed::new("image", value(number)), attributes(&cell.format))
            }
        })
    }

    pub(crate) fn to_delta(&self) -> Delta {
        self.insert_into(Delta::new())
    }

    pub(crate) fn text(&self) -> String {
        let char_of = |cell: &Cell| match cell.content {
            Content::Char(c) => c,
            Content::Embed(_) => '\u{fffc}',
        };
        self.cells.iter().map(char_of).collect()
    }

    pub(crate) fn units(&self) -> u64 {
        self.cells.iter().map(|cell| cell.content.units()).sum()
    }

    /// The edit that `steps` describe, and what it leads to. Steps past the end are left out.
    pub(crate) fn edit(&self, steps: &[Step]) -> (Delta, Model) {
        let mut rest = self.cells.as_slice();
        let mut after = Model::default();
        let mut delta = Delta::new();
        for step in steps {
            let mut take = |len: &usize| {
                let (taken, left) = rest.split_at(rest.len().min(*len));
                rest = left;
                Model { cells: taken.to_vec() }
            };
            match step {
                Step::Keep(len) => {
                    let kept = take(len);
                    delta = delta.retain(kept.units(), Attributes::NONE);
                    after.cells.extend(kept.cells);
                }
                Step::Delete(len) => delta = delta.delete(take(len).units()),
                Step::Format(len, format) => {
                    let mut kept = take(len);
                    delta = delta.retain(kept.units(), attributes(format));
                    kept.cells.iter_mut().for_each(|cell| cell.reformat(format));
                    after.cells.extend(kept.cells);
                }
                Step::Insert(cells) => {
                    let inserted = Model { cells: cells.clone() };
                    delta = inserted.insert_into(delta);
                    after.cells.extend(inserted.cells);
                }
            }
        }
        after.cells.extend_from_slice(rest);
        delta.chop();
        (delta, after)
    }
}

impl Cell {
    fn reformat(&mut self, format: &Format) {
        for (&key, &number) in format {
            match number {
                Some(_) => self.format.insert(key, number),
                None => self.format.remove(key),
            };
        }
    }
}

fn a_char() -> impl Strategy<Value = char> {
    prop_oneof![
        4 => prop::char::range('a', 'd'),
        1 => Just('\n'),
        // One beyond U+FFFF that shares its first half with another, a combining mark, a joiner, two bytes, three bytes.
        2 => prop::sample::select(vec!['😀', '😁', '\u{10400}', '\u{301}', '\u{200d}', 'é', '漢', '"', '\u{1}']),
    ]
}

fn a_format(values: impl Strategy<Value = Option<u8>>) -> impl Strategy<Value = Format> {
    let entry = (prop::sample::select(vec!["bold", "color", "名前"]), values);
    prop::collection::vec(entry, 0..3).prop_map(|entries| entries.into_iter().collect())
}

fn cells(most: usize) -> impl Strategy<Value = Vec<Cell>> {
    let content = prop_oneof![9 => a_char().prop_map(Content::Char), 1 => (0..6u8).prop_map(Content::Embed)];
    let format = prop_oneof![2 => Just(Format::new()), 1 => a_format((0..6u8).prop_map(Some))];
    // Stretches that are formatted alike, as documents have.
    let stretch = (prop::collection::vec(content, 1..6), format).prop_map(|(contents, format)| {
        contents.into_iter().map(move |content| Cell { content, format: format.clone() })
    });
    prop::collection::vec(stretch, 0..=most.div_ceil(3))
        .prop_map(|stretches| stretches.into_iter().flatten().collect())
}

/// A document of about `most` cells, or fewer.
pub(crate) fn a_document(most: usize) -> impl Strategy<Value = Model> {
    cells(most).prop_map(|cells| Model { cells })
}

/// An edit whose steps are up to `reach` cells long, and whose inserts are repeated up to `times`.
pub(crate) fn an_edit_of(reach: usize, times: usize) -> impl Strategy<Value = Vec<Step>> {
    let insert = (cells(reach.min(30)), 1..=times)
        .prop_map(|(cells, times)| Step::Insert(vec![cells; times].concat()));
    let step = prop_oneof![
        3 => (1..=reach).prop_map(Step::Keep),
        2 => (1..=reach).prop_map(Step::Delete),
        2 => (1..=reach, a_format(prop::option::of(0..6u8))).prop_map(|(len, format)| Step::Format(len, format)),
        3 => insert,
    ];
    prop::collection::vec(step, 0..8)
}

/// An edit whose steps are up to `reach` cells long.
pub(crate) fn an_edit(reach: usize) -> impl Strategy<Value = Vec<Step>> {
    an_edit_of(reach, 1)
}
