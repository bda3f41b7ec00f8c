//! Reading a backup.

use std::io::{self, BufRead, BufReader, Read};

use zstd::stream::read::Decoder;

use super::rows::{is_of_a_document, table};
use super::sealed::{OpenError, Unsealed};
use super::{Counts, DOCUMENTS_ALONE, FORMAT, MAGIC, Record, RowRecord};
use crate::storage::sealing::{Unopened, Vault};

/// Bytes of one line at most: an operation's delta is at most some megabytes.
const LINE: u64 = 64 << 20;

/// Why a backup cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("this is no backup")]
    NoBackup,
    #[error("this backup is of format {0}, which a newer quire has written")]
    Newer(u8),
    #[error("the backup was cut off")]
    CutOff,
    #[error("the backup cannot be read")]
    Io(#[from] io::Error),
    #[error("the backup cannot be opened")]
    Sealed(#[from] Unopened),
    #[error("the backup is damaged: its line {line} {why}")]
    Damaged { line: u64, why: String },
}

/// Reads records one by one. The last one is the `end`, and has been compared with what was read.
pub struct Reader<R: Read> {
    lines: BufReader<Decoder<'static, BufReader<Unsealed<R>>>>,
    format: u8,
    buffer: Vec<u8>,
    counts: Counts,
    line: u64,
    /// Whether there was a document, whose rows may come.
    in_document: bool,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Begins to read what may be encrypted with one of these keys.
    ///
    /// # Errors
    /// It is no backup, or of a format that is not known, or there is no key for it.
    pub async fn open(mut from: R, vault: &Vault) -> Result<Self, BackupError> {
        let mut header = [0; MAGIC.len() + 1];
        from.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BackupError::NoBackup,
            _ => error.into(),
        })?;
        let format = match header.split_last() {
            Some((format @ DOCUMENTS_ALONE..=FORMAT, magic)) if magic == MAGIC => *format,
            Some((format, magic)) if magic == MAGIC => return Err(BackupError::Newer(*format)),
            _ => return Err(BackupError::NoBackup),
        };
        let from = Unsealed::begin(from, vault).await?;
        let lines = BufReader::new(Decoder::new(from)?);
        let counts = Counts::default();
        Ok(Self { lines, format, buffer: Vec::new(), counts, line: 0, in_document: false, ended: false })
    }

    /// Reads all of it, and returns what is in it.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn check(mut self) -> Result<Counts, BackupError> {
        while self.record()?.is_some() {}
        Ok(self.counts)
    }

    /// Tells whether it has accounts and what else is beside documents.
    pub(super) fn has_rows(&self) -> bool {
        self.format > DOCUMENTS_ALONE
    }

    /// Reads the next record; `None` after the end.
    ///
    /// # Errors
    /// `CutOff` when the stream ends before its `end`; `Damaged` names the line.
    pub fn record(&mut self) -> Result<Option<Record>, BackupError> {
        self.line += 1;
        if !self.read_line()? {
            return if self.ended { Ok(None) } else { Err(BackupError::CutOff) };
        }
        if self.ended {
            return Err(self.damaged("comes after the end"));
        }
        let record = serde_json::from_slice(&self.buffer);
        let record = record.map_err(|error| self.damaged(format!("cannot be understood: {error}")))?;
        if let Record::Row(row) = &record {
            self.check_row(row)?;
        }
        self.count(&record)?;
        Ok(Some(record))
    }

    fn check_row(&self, row: &RowRecord) -> Result<(), BackupError> {
        let known = table(&row.table).ok_or_else(|| self.damaged("is of a table that is not known"))?;
        if is_of_a_document(known) && !self.in_document {
            return Err(self.damaged("belongs to a document, and there was none"));
        }
        row.row.check(known).map_err(|why| self.damaged(why))
    }

    /// Returns false at the end of the stream, where its checksum has been compared.
    fn read_line(&mut self) -> Result<bool, BackupError> {
        self.buffer.clear();
        let read = (&mut self.lines).take(LINE).read_until(b'\n', &mut self.buffer);
        match read {
            Ok(0) => Ok(false),
            Ok(_) if self.buffer.ends_with(b"\n") => Ok(true),
            Ok(_) if self.buffer.len() as u64 == LINE => Err(self.damaged("is too long")),
            Ok(_) => Err(BackupError::CutOff),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(BackupError::CutOff),
            Err(error) => Err(self.damaged(format!("cannot be unpacked: {error}"))),
        }
    }

    fn count(&mut self, record: &Record) -> Result<(), BackupError> {
        match record {
            Record::Document(_) => {
                self.counts.documents += 1;
                self.in_document = true;
            }
            Record::Row(_) => self.counts.rows += 1,
            Record::Head(_) => {}
            Record::Op(_) => self.counts.operations += 1,
            Record::Purged(_) => {
                self.counts.purged += 1;
                self.in_document = false;
            }
            Record::End(counts) if *counts != self.counts => {
                return Err(self.damaged(format!("counts {counts:?}, and there were {:?}", self.counts)));
            }
            Record::End(_) => self.ended = true,
        }
        Ok(())
    }

    /// Says what is wrong with the line that was read last.
    pub(super) fn damaged(&self, why: impl Into<String>) -> BackupError {
        BackupError::Damaged { line: self.line, why: why.into() }
    }
}

impl From<OpenError> for BackupError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Sealed(why) => Self::Sealed(why),
            OpenError::Io(error) => Self::Io(error),
        }
    }
}
