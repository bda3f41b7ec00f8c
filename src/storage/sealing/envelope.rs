//! How an encrypted object begins, and how its parts are encrypted.
//!
//! ```text
//! "QENC" 1 │ n │ key id (n bytes) │ w │ wrapped data key (w bytes) │ part 0: ciphertext, tag (16 bytes)
//! ```
//! `n` is a byte and `w` two, the lower first. A snapshot is part 0 and nothing else. Of a segment this is the end, its index;
//! its blocks are the parts from 1 on, ciphertext and tag each, so that one is read without the others.
//!
//! The nonce of a part is its number. It cannot come twice under one key, since a data key is drawn for one object, which is
//! written once.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce};

use super::{DataKey, KeyId, Unopened};

const MAGIC: [u8; 4] = *b"QENC";
const FORMAT: u8 = 1;

/// Bytes of a wrapped key, at most.
const MOST_WRAPPED: usize = 4_096;

/// Bytes from which the key of any object can be told, and more than any header has.
pub const HEADER_BYTES: u64 = (MAGIC.len() + 1 + 1 + KeyId::MAX_BYTES + 2 + MOST_WRAPPED) as u64;

/// The number of a part of an object.
pub type Part = u64;

/// Tells whether an object is encrypted.
pub fn is_sealed(object: &[u8]) -> bool {
    object.starts_with(&MAGIC)
}

/// Tells with which key an object is encrypted, by its first [`HEADER_BYTES`]; `None` when it is plain.
///
/// # Errors
/// Its header is damaged.
pub fn key_of(object: &[u8]) -> Result<Option<KeyId>, Unopened> {
    if !is_sealed(object) {
        return Ok(None);
    }
    Header::read(object).map(|header| Some(header.key)).ok_or(Unopened::Envelope)
}

/// What an object begins with.
pub(super) struct Header<'a> {
    pub(super) key: KeyId,
    pub(super) wrapped: &'a [u8],
    /// All of it, as it is authenticated with part 0.
    whole: &'a [u8],
}

impl<'a> Header<'a> {
    pub(super) fn read(object: &'a [u8]) -> Option<Self> {
        let rest = object.strip_prefix(&MAGIC)?.strip_prefix(&[FORMAT])?;
        let (length, rest) = rest.split_first()?;
        let (key, rest) = rest.split_at_checked(usize::from(*length))?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (wrapped, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let key = KeyId::new(str::from_utf8(key).ok()?)?;
        Some(Self { key, wrapped, whole: &object[..object.len() - rest.len()] })
    }
}

/// Encrypts the parts of one object, with the nonces that go with their numbers.
struct Cipher {
    aes: Aes256Gcm,
    place: Vec<u8>,
    header: Vec<u8>,
}

impl Cipher {
    fn new(key: &DataKey, place: Vec<u8>, header: Vec<u8>) -> Self {
        let key: &[u8; 32] = key;
        Self { aes: Aes256Gcm::new(key.into()), place, header }
    }

    fn nonce(part: Part) -> Nonce<aes_gcm::aead::consts::U12> {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&part.to_be_bytes());
        nonce.into()
    }

    /// The place, and the header with the part that it is in front of.
    fn associated(&self, part: Part) -> Vec<u8> {
        let header: &[u8] = if part == 0 { &self.header } else { &[] };
        [header, &self.place].concat()
    }

    fn seal(&self, part: Part, buffer: &mut Vec<u8>) -> Result<(), aes_gcm::Error> {
        self.aes.encrypt_in_place(&Self::nonce(part), &self.associated(part), buffer)
    }

    fn open(&self, part: Part, buffer: &mut Vec<u8>) -> Result<(), aes_gcm::Error> {
        self.aes.decrypt_in_place(&Self::nonce(part), &self.associated(part), buffer)
    }
}

/// Encrypts one object that is to be written.
pub struct Sealer {
    cipher: Cipher,
}

impl Sealer {
    /// # Errors
    /// The ring has wrapped the key into something that no object begins with.
    pub(super) fn new(id: &KeyId, wrapped: &[u8], key: &DataKey, place: Vec<u8>) -> Result<Self, String> {
        if wrapped.len() > MOST_WRAPPED {
            return Err(format!("key {id} wraps into {} bytes, more than {MOST_WRAPPED}", wrapped.len()));
        }
        let id = id.as_str().as_bytes();
        let length = (wrapped.len() as u16).to_le_bytes();
        let header = [&MAGIC[..], &[FORMAT, id.len() as u8], id, &length, wrapped].concat();
        Ok(Self { cipher: Cipher::new(key, place, header) })
    }

    /// Encrypts part 0 and puts the header in front of it.
    ///
    /// # Errors
    /// It is too large: 64 GiB.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, std::io::Error> {
        let sealed = self.seal_part(0, plain)?;
        Ok([self.cipher.header.as_slice(), &sealed].concat())
    }

    /// Encrypts another part. Each has a number of its own.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_part(&self, part: Part, plain: &[u8]) -> Result<Vec<u8>, std::io::Error> {
        let mut buffer = Vec::with_capacity(plain.len() + 16);
        buffer.extend_from_slice(plain);
        let sealed = self.cipher.seal(part, &mut buffer);
        sealed.map_err(|_| std::io::Error::other("it is too large to be encrypted"))?;
        Ok(buffer)
    }
}

/// Opens one object that was read.
pub struct Unsealer {
    cipher: Cipher,
    key: KeyId,
}

impl std::fmt::Debug for Unsealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Unsealer").field(&self.key).finish()
    }
}

impl Unsealer {
    pub(super) fn new(header: Header<'_>, key: &DataKey, place: Vec<u8>) -> Self {
        Self { cipher: Cipher::new(key, place, header.whole.to_vec()), key: header.key }
    }

    /// Returns how many bytes lie in front of part 0.
    pub fn header_bytes(&self) -> usize {
        self.cipher.header.len()
    }

    /// Opens what [`Sealer::seal`] has made.
    ///
    /// # Errors
    /// `Changed`.
    pub fn open(&self, object: &[u8]) -> Result<Vec<u8>, Unopened> {
        self.open_part(0, object.get(self.cipher.header.len()..).unwrap_or_default())
    }

    /// Opens what [`Sealer::seal_part`] has made.
    ///
    /// # Errors
    /// `Changed`.
    pub fn open_part(&self, part: Part, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let mut buffer = sealed.to_vec();
        self.cipher.open(part, &mut buffer).map_err(|_| Unopened::Changed(self.key.clone()))?;
        Ok(buffer)
    }
}
