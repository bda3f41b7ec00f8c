//! Mail to people: a password to be set anew, an account that somebody has tried to make twice.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use uuid::Uuid;

/// A mail in plain text.
pub struct Mail {
    pub to: String,
    pub subject: &'static str,
    pub body: String,
}

/// What sends mail. Called on a thread that may block.
pub trait Mailer: Send + Sync {
    /// Sends a mail, or hands it on.
    ///
    /// # Errors
    /// It could not; nobody tries again.
    fn send(&self, mail: &Mail) -> io::Result<()>;
}

/// Sends nothing, and says so in the log: without the body, in which there may be a secret, and without whom it was for.
pub struct LogMailer;

impl Mailer for LogMailer {
    fn send(&self, mail: &Mail) -> io::Result<()> {
        tracing::warn!(subject = mail.subject, "a mail was not sent: --mail names no folder for it");
        Ok(())
    }
}

/// Writes each mail to a file (RFC 5322) that only this user reads, for a program that sends it.
pub struct FolderMailer(pub PathBuf);

impl Mailer for FolderMailer {
    fn send(&self, mail: &Mail) -> io::Result<()> {
        let name = Uuid::now_v7().to_string();
        let (unfinished, whole) = (self.0.join(format!(".{name}")), self.0.join(format!("{name}.eml")));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        let Mail { to, subject, body } = mail;
        let body = body.replace('\n', "\r\n");
        write!(
            file,
            "To: {to}\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
        )?;
        file.sync_all()?;
        // A reader of the folder sees it whole or not at all.
        std::fs::rename(unfinished, whole)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_mail_is_a_file_that_nobody_else_reads() {
        let folder = tempfile::tempdir().unwrap();
        let mail = Mail { to: "ada@example.org".into(), subject: "Hello", body: "one\ntwo".into() };
        FolderMailer(folder.path().to_owned()).send(&mail).unwrap();
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].path().extension().unwrap(), "eml");
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(files[0].path()).unwrap();
        assert!(text.starts_with("To: ada@example.org\r\nSubject: Hello\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\none\r\ntwo\r\n"), "{text}");
    }
}
