//! Why a delta is refused.

use super::MAX_LENGTH;

/// Why a delta is not taken. The message is for the developer of the client that sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// The text as a whole.
    #[error("{0}")]
    Form(Flaw),
    /// The short form of an edit.
    #[error("edit: {0}")]
    Edit(Flaw),
    /// One part of a delta, counted from 0.
    #[error("part {part}: {flaw}")]
    Part { part: usize, flaw: Flaw },
    #[error("the delta has more than {limit} parts")]
    TooLarge { limit: usize },
    #[error("the lengths add up to more than {MAX_LENGTH}")]
    LengthOverflow,
    /// It retains or deletes more than there is.
    #[error("the delta spans {span} units of a document of {length}")]
    PastEnd { span: u64, length: u64 },
    #[error("position {at} is in the middle of a surrogate pair")]
    CutsPair { at: u64 },
    #[error("a document consists of inserts only")]
    NotADocument,
}

/// What is wrong with the text of a delta, or of one part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    #[error("not JSON at byte {at}: expected {expected}")]
    NotJson { at: usize, expected: &'static str },
    #[error("expected {0}")]
    Expected(&'static str),
    #[error("unknown key {0:?}")]
    UnknownKey(String),
    #[error("the key {0:?} is there twice")]
    DuplicateKey(String),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("more than one of insert, retain and delete")]
    TwoKinds,
    #[error("{0} must be a whole number from 0 to {MAX_LENGTH}")]
    BadLength(&'static str),
    #[error("retaining an object is not supported")]
    EmbedRetain,
    #[error("an embed is an object with exactly one key")]
    BadEmbed,
    #[error("a lone surrogate is no text")]
    LoneSurrogate,
    #[error("U+0000 cannot be stored")]
    Nul,
    #[error("the key {0:?} is a property of every JavaScript object")]
    PrototypeKey(String),
    #[error("a key is longer than {limit} bytes")]
    LongKey { limit: usize },
    #[error("more than {limit} attributes")]
    TooManyAttributes { limit: usize },
    #[error("nested deeper than {limit}")]
    TooDeep { limit: usize },
    #[error("a 64-bit float does not hold the whole number {0} exactly")]
    InexactNumber(String),
    #[error("a number is beyond the range of a 64-bit float")]
    HugeNumber,
}
