//! The encryption of a backup: where this process has keys, all that follows `QBAK` and the version is an object like those of the
//! object store ([`sealing`](crate::storage::sealing)), whose part 0 is empty and whose other parts are 64 KiB of the stream each, but
//! for the last one.
//!
//! Parts cannot be exchanged, since each has its number. One that is missing at the end is missed by who unpacks the stream.

use std::io::{self, Cursor, Read, Write};

use crate::ids::{DocumentId, HistoryId};
use crate::storage::StoreError;
use crate::storage::sealing::{
    HEADER_BYTES, Kind, Part, Place, Sealer, Unopened, Unsealer, Vault, is_sealed,
};

/// Bytes of the stream in one part.
const PART: usize = 64 << 10;

/// Bytes that a part is longer by when it is encrypted.
const TAG: usize = 16;

/// A name for where a backup belongs: nothing else is opened as one.
const NAME: &str = "backup";

/// Writes a stream, encrypted if there is a key for it.
pub(super) enum Sealed<W> {
    Plain(W),
    Encrypted { out: W, sealer: Box<Sealer>, part: Part, buffer: Vec<u8> },
}

impl<W: Write> Sealed<W> {
    /// Draws a key where there are keys, and writes what tells of it.
    pub(super) async fn begin(mut out: W, vault: &Vault) -> Result<Self, BeginError> {
        let name = name()?;
        Ok(match vault.sealer(&place(&name)).await? {
            None => Self::Plain(out),
            Some(sealer) => {
                out.write_all(&sealer.seal(&[])?)?;
                Self::Encrypted { out, sealer: sealer.into(), part: 1, buffer: Vec::with_capacity(PART) }
            }
        })
    }

    /// Writes what is left.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(out) => Ok(out),
            Self::Encrypted { mut out, sealer, part, buffer } => {
                out.write_all(&sealer.seal_part(part, &buffer)?)?;
                Ok(out)
            }
        }
    }
}

/// Why a backup could not be begun.
#[derive(Debug, thiserror::Error)]
pub(super) enum BeginError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Encrypted { out, sealer, part, buffer } => {
                let taken = bytes.len().min(PART - buffer.len());
                buffer.extend_from_slice(&bytes[..taken]);
                if buffer.len() == PART {
                    out.write_all(&sealer.seal_part(*part, buffer)?)?;
                    *part += 1;
                    buffer.clear();
                }
                Ok(taken)
            }
        }
    }

    /// What does not fill a part waits for more.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) | Self::Encrypted { out, .. } => out.flush(),
        }
    }
}

/// Reads a stream that may be encrypted.
pub(super) enum Unsealed<R> {
    Plain(Beginning<R>),
    Encrypted { from: Beginning<R>, unsealer: Box<Unsealer>, part: Part, buffer: Cursor<Vec<u8>> },
}

/// What was read to look at it, and what follows.
type Beginning<R> = io::Chain<Cursor<Vec<u8>>, R>;

impl<R: Read> Unsealed<R> {
    /// Looks at how a stream begins, and finds its key.
    pub(super) async fn begin(mut from: R, vault: &Vault) -> Result<Self, OpenError> {
        let mut beginning = Vec::new();
        from.by_ref().take(HEADER_BYTES + TAG as u64).read_to_end(&mut beginning)?;
        if !is_sealed(&beginning) {
            return Ok(Self::Plain(Cursor::new(beginning).chain(from)));
        }
        let name = name().map_err(io::Error::other)?;
        let unsealer = vault.unsealer(&place(&name), &beginning).await?.ok_or(Unopened::Envelope)?;
        let begins = unsealer.header_bytes() + TAG;
        unsealer.open(beginning.get(..begins).ok_or(Unopened::Envelope)?)?;
        let from = Cursor::new(beginning.split_off(begins)).chain(from);
        Ok(Self::Encrypted { from, unsealer: unsealer.into(), part: 1, buffer: Cursor::default() })
    }
}

/// Why a backup could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Sealed(#[from] Unopened),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl<R: Read> Read for Unsealed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let (from, unsealer, part, buffer) = match self {
            Self::Plain(from) => return from.read(out),
            Self::Encrypted { from, unsealer, part, buffer } => (from, unsealer, part, buffer),
        };
        let mut read = buffer.read(out)?;
        while read == 0 && !out.is_empty() {
            let mut sealed = Vec::with_capacity(PART + TAG);
            from.by_ref().take((PART + TAG) as u64).read_to_end(&mut sealed)?;
            if sealed.is_empty() {
                return Ok(0);
            }
            let opened = unsealer.open_part(*part, &sealed);
            // One that is cut off is no other than one that was changed.
            *buffer = Cursor::new(opened.map_err(io::Error::other)?);
            *part += 1;
            read = buffer.read(out)?;
        }
        Ok(read)
    }
}

fn name() -> Result<DocumentId, StoreError> {
    NAME.parse().map_err(StoreError::unavailable)
}

fn place(name: &DocumentId) -> Place<'_> {
    Place { kind: Kind::Backup, doc: name, history: HistoryId(uuid::Uuid::nil()), versions: (0, 0) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::storage::sealing::LocalKeys;

    fn vault() -> Vault {
        Vault::new(Arc::new(LocalKeys::parse("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()))
    }

    async fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut out = Sealed::begin(Vec::new(), &vault()).await.unwrap();
        // In pieces that fit no part.
        plain.chunks(1_000).for_each(|piece| out.write_all(piece).unwrap());
        out.finish().unwrap()
    }

    async fn opened(sealed: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        let mut from = Unsealed::begin(sealed, &vault()).await.map_err(io::Error::other)?;
        from.read_to_end(&mut plain).map(|_| plain)
    }

    #[tokio::test]
    async fn a_stream_of_any_length_comes_back() {
        for length in [0, 1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 7] {
            let plain: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let sealed = sealed(&plain).await;
            assert!(is_sealed(&sealed));
            assert_eq!(opened(&sealed).await.unwrap(), plain, "{length}");
        }
        assert_eq!(opened(b"plain").await.unwrap(), b"plain");
    }

    #[tokio::test]
    async fn parts_that_were_changed_exchanged_or_cut_off_are_not_opened() {
        let whole = sealed(&vec![7; 3 * PART]).await;
        let first = whole.len() - 3 * (PART + TAG) - TAG;
        let mut changed = whole.clone();
        changed[first + PART / 2] ^= 1;
        assert!(opened(&changed).await.is_err());
        let mut exchanged = whole.clone();
        exchanged.copy_within(first + PART + TAG..first + 2 * (PART + TAG), first);
        assert!(opened(&exchanged).await.is_err());
        assert!(opened(&whole[..whole.len() - 1]).await.is_err());
        assert!(opened(&whole[..first / 2]).await.is_err());
        assert!(Unsealed::begin(&whole[..], &Vault::plain()).await.is_err());
        // That parts are missing at the end is for who unpacks the stream to notice.
        assert_eq!(opened(&whole[..first + PART + TAG]).await.unwrap().len(), PART);
    }
}
