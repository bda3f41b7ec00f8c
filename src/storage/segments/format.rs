//! How operations lie in a segment: blocks that are unpacked one at a time, and behind them an index of the blocks.
//!
//! ```text
//! "QSEG" 1 │ block │ block │ … │ index          each of them zstd by itself
//! "QSEG" 2 │ block │ block │ … │ index          each of them encrypted by itself after that
//! ```
//! A block is lines of JSON, an operation each, as in a backup. The index is JSON ([`Index`]); how many bytes it has is in the
//! segment's row, and so is its xxh3-64. It has the blocks' checksums, so that whatever is read of a segment is checked, and
//! what is not needed is not read. Of an encrypted segment the index is what `storage::sealing` calls part 0, and the blocks are
//! the parts after it, in their order; checksums are of what is stored.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::ids::{ClientId, DocumentId, HistoryId, Version};
use crate::storage::LoggedOp;
use crate::storage::backup::OpRecord;
use crate::storage::object_store::unpack;
use crate::storage::sealing::{Part, Sealer, Unopened, Unsealer};

const MAGIC: [u8; 4] = *b"QSEG";
const PLAIN: u8 = 1;
const SEALED: u8 = 2;
/// Bytes before the first block.
pub(super) const HEADER: u64 = MAGIC.len() as u64 + 1;

/// Operations in a block, at most, and bytes of their deltas past the first one: what is unpacked to read one of them.
const BLOCK_OPS: usize = 1_024;
const BLOCK_BYTES: usize = 256 << 10;

/// Bytes that a block or an index may unpack to. An operation is at most a frame of 1 MiB.
const MOST_CONTENT: u64 = 64 << 20;

/// zstd's own middle.
const LEVEL: i32 = 3;

/// What is in a segment, and where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) doc: DocumentId,
    pub(super) history: HistoryId,
    /// In order of version, without a gap.
    pub(super) blocks: Vec<Block>,
    /// Opens the blocks, if they are encrypted.
    #[serde(skip)]
    unsealer: Option<Arc<Unsealer>>,
}

impl Index {
    /// Returns what opens its blocks, if they are encrypted.
    pub(super) fn unsealer(&self) -> Option<Arc<Unsealer>> {
        self.unsealer.clone()
    }
}

/// Where a block is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Block {
    pub(super) first: Version,
    pub(super) last: Version,
    /// Its number among the blocks, from 1.
    #[serde(skip)]
    part: Part,
    /// In the segment, as its bytes.
    offset: u64,
    bytes: u64,
    /// xxh3-64 of these bytes.
    checksum: u64,
    /// Lowest and highest `seq` of each client.
    clients: BTreeMap<ClientId, (u64, u64)>,
}

impl Block {
    pub(super) fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.bytes
    }

    /// Tells whether an operation may be in it.
    pub(super) fn may_have(&self, client: ClientId, seq: u64) -> bool {
        self.clients.get(&client).is_some_and(|(lowest, highest)| (*lowest..=*highest).contains(&seq))
    }
}

/// A segment that is to be stored.
pub(super) struct Encoded {
    pub(super) body: Bytes,
    pub(super) index_bytes: u64,
    /// xxh3-64 of the index.
    pub(super) checksum: u64,
}

/// Why a segment is none, or not the one that its row says.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damage {
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it is no segment of a format that is known")]
    Format,
    #[error("it is of another document")]
    Stranger,
    #[error("version {0} is not where it should be")]
    Version(Version),
    #[error(transparent)]
    Unopened(#[from] Unopened),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Packs operations, which follow each other without a gap, and encrypts them if that is wanted.
///
/// # Errors
/// A delta is no JSON.
pub(super) fn encode(
    doc: &DocumentId,
    history: HistoryId,
    ops: &[LoggedOp],
    sealer: Option<&Sealer>,
) -> Result<Encoded, Damage> {
    let format = if sealer.is_some() { SEALED } else { PLAIN };
    let mut body = [MAGIC.as_slice(), &[format]].concat();
    let mut index = Index { doc: doc.clone(), history, blocks: Vec::new(), unsealer: None };
    let mut rest = ops;
    while !rest.is_empty() {
        let (block, behind) = rest.split_at(length_of_block(rest));
        let part = index.blocks.len() as Part + 1;
        index.blocks.push(push_block(&mut body, part, block, sealer)?);
        rest = behind;
    }
    let mut index = zstd::bulk::compress(&serde_json::to_vec(&index)?, LEVEL)?;
    if let Some(sealer) = sealer {
        index = sealer.seal(&index)?;
    }
    let (index_bytes, checksum) = (index.len() as u64, xxh3_64(&index));
    body.extend_from_slice(&index);
    Ok(Encoded { body: body.into(), index_bytes, checksum })
}

fn length_of_block(ops: &[LoggedOp]) -> usize {
    let mut bytes = 0;
    let fits = ops.iter().take(BLOCK_OPS).take_while(|op| {
        bytes += op.delta.len();
        bytes <= BLOCK_BYTES
    });
    fits.count().max(1)
}

fn push_block(
    body: &mut Vec<u8>,
    part: Part,
    ops: &[LoggedOp],
    sealer: Option<&Sealer>,
) -> Result<Block, Damage> {
    let mut lines = Vec::new();
    let mut clients = BTreeMap::new();
    for op in ops {
        serde_json::to_writer(&mut lines, &OpRecord::of(op)?)?;
        lines.push(b'\n');
        let (lowest, highest) = clients.entry(op.client).or_insert((op.seq, op.seq));
        (*lowest, *highest) = (op.seq.min(*lowest), op.seq.max(*highest));
    }
    let mut packed = zstd::bulk::compress(&lines, LEVEL)?;
    if let Some(sealer) = sealer {
        packed = sealer.seal_part(part, &packed)?;
    }
    let (offset, bytes, checksum) = (body.len() as u64, packed.len() as u64, xxh3_64(&packed));
    body.extend_from_slice(&packed);
    let ends = ops.first().zip(ops.last()).map_or((0, 0), |(first, last)| (first.version, last.version));
    Ok(Block { first: ends.0, last: ends.1, part, offset, bytes, checksum, clients })
}

/// Looks at what a segment begins with.
///
/// # Errors
/// `Format`.
pub(super) fn check_header(header: &[u8]) -> Result<(), Damage> {
    let known = header.len() as u64 == HEADER
        && header.starts_with(&MAGIC)
        && [PLAIN, SEALED].contains(&header[MAGIC.len()]);
    if known { Ok(()) } else { Err(Damage::Format) }
}

/// Compares an index, as it is stored, with the checksum that its row has.
///
/// # Errors
/// `Checksum`.
pub(super) fn check_index(stored: &[u8], checksum: u64) -> Result<(), Damage> {
    if xxh3_64(stored) == checksum { Ok(()) } else { Err(Damage::Checksum) }
}

/// Opens and unpacks an index whose checksum was found right.
///
/// # Errors
/// It is not the one that was written for this document and these versions.
pub(super) fn decode_index(
    stored: &[u8],
    unsealer: Option<Unsealer>,
    doc: &DocumentId,
    versions: (Version, Version),
) -> Result<Index, Damage> {
    let opened = unsealer.as_ref().map(|unsealer| unsealer.open(stored)).transpose()?;
    let mut index: Index =
        serde_json::from_slice(&unpack(opened.as_deref().unwrap_or(stored), MOST_CONTENT)?)?;
    index.unsealer = unsealer.map(Arc::new);
    (1..).zip(&mut index.blocks).for_each(|(part, block)| block.part = part);
    if index.doc != *doc {
        return Err(Damage::Stranger);
    }
    let mut next = versions.0;
    for block in &index.blocks {
        if block.first != next || block.last < block.first {
            return Err(Damage::Version(next));
        }
        next = block.last + 1;
    }
    if next == versions.1 + 1 { Ok(index) } else { Err(Damage::Version(next)) }
}

/// Opens and unpacks a block after its checksum was found right.
///
/// # Errors
/// It is not the one that was written.
pub(super) fn decode_block(
    stored: &[u8],
    block: &Block,
    unsealer: Option<&Unsealer>,
) -> Result<Vec<LoggedOp>, Damage> {
    if xxh3_64(stored) != block.checksum {
        return Err(Damage::Checksum);
    }
    let opened = unsealer.map(|unsealer| unsealer.open_part(block.part, stored)).transpose()?;
    let lines = unpack(opened.as_deref().unwrap_or(stored), MOST_CONTENT)?;
    let records = serde_json::Deserializer::from_slice(&lines).into_iter::<OpRecord>();
    let ops: Vec<LoggedOp> = records.map(|record| record.map(OpRecord::into_op)).collect::<Result<_, _>>()?;
    let mut next = block.first;
    for op in &ops {
        if op.version != next {
            return Err(Damage::Version(next));
        }
        next += 1;
    }
    if next == block.last + 1 { Ok(ops) } else { Err(Damage::Version(next)) }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{doc, history, ops};
    use super::*;

    fn index_of(encoded: &Encoded, versions: (Version, Version)) -> Result<Index, Damage> {
        let begin = encoded.body.len() - encoded.index_bytes as usize;
        let stored = &encoded.body[begin..];
        check_index(stored, encoded.checksum).and_then(|()| decode_index(stored, None, &doc(), versions))
    }

    fn block_of(encoded: &Encoded, block: &Block) -> Result<Vec<LoggedOp>, Damage> {
        let Range { start, end } = block.range();
        decode_block(&encoded.body[start as usize..end as usize], block, None)
    }

    #[test]
    fn what_was_packed_is_unpacked_block_by_block() {
        let mut packed = ops(5..=2 * BLOCK_OPS as u64);
        packed[17].delta = format!(r#"[{{"insert":"{}"}}]"#, "é".repeat(BLOCK_BYTES)).into();
        let encoded = encode(&doc(), history(), &packed, None).unwrap();
        check_header(&encoded.body[..HEADER as usize]).unwrap();
        let index = index_of(&encoded, (5, 2 * BLOCK_OPS as u64)).unwrap();
        assert!(index.blocks.len() > 3, "{} blocks", index.blocks.len());
        let unpacked: Vec<_> =
            index.blocks.iter().flat_map(|block| block_of(&encoded, block).unwrap()).collect();
        assert_eq!(unpacked, packed);
    }

    #[test]
    fn a_block_tells_whose_operations_it_has() {
        let packed = ops(1..=9);
        let encoded = encode(&doc(), history(), &packed, None).unwrap();
        let index = index_of(&encoded, (1, 9)).unwrap();
        let has = |client, seq| index.blocks[0].may_have(client, seq);
        assert!(packed.iter().all(|op| has(op.client, op.seq)));
        assert!(!has(packed[0].client, 1_000) && !has(ClientId::generate(), 1));
    }

    #[test]
    fn a_bit_that_is_another_is_found_wherever_it_is() {
        let encoded = encode(&doc(), history(), &ops(1..=300), None).unwrap();
        for at in (0..encoded.body.len()).step_by(7) {
            let mut body = encoded.body.to_vec();
            body[at] ^= 1;
            let flipped = Encoded { body: body.into(), ..encoded };
            let read = check_header(&flipped.body[..HEADER as usize])
                .and_then(|()| index_of(&flipped, (1, 300)))
                .and_then(|index| {
                    index.blocks.iter().try_for_each(|block| block_of(&flipped, block).map(|_| ()))
                });
            assert!(read.is_err(), "byte {at}");
        }
    }

    #[test]
    fn an_index_of_other_versions_or_another_document_is_refused() {
        let encoded = encode(&doc(), history(), &ops(1..=9), None).unwrap();
        assert!(matches!(index_of(&encoded, (1, 10)), Err(Damage::Version(10))));
        assert!(matches!(index_of(&encoded, (2, 9)), Err(Damage::Version(2))));
        let index = &encoded.body[encoded.body.len() - encoded.index_bytes as usize..];
        let other = "other".parse().unwrap();
        assert!(matches!(decode_index(index, None, &other, (1, 9)), Err(Damage::Stranger)));
    }
}
