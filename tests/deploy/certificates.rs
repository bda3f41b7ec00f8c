//! Certificates for tests: an authority, and what it has signed for `localhost` and `127.0.0.1`.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// An authority of a test's own, with a folder for what it signs.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
    folder: TempDir,
}

/// Files of one certificate.
pub struct Signed {
    pub cert: PathBuf,
    pub key: PathBuf,
    /// Both, one after the other.
    pub both: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate whose issuer has its own name for one that has signed itself.
        params.distinguished_name.push(DnType::CommonName, "authority of tests");
        let pem = params.self_signed(&key).expect("it signs").pem();
        Self { issuer: Issuer::new(params, key), pem, folder: TempDir::new().expect("a folder") }
    }

    /// A certificate that is good for years.
    pub fn sign(&self, name: &str) -> Signed {
        self.signed(name, &["localhost", "127.0.0.1"], 2040)
    }

    /// One that is good for years, and for another host.
    pub fn sign_for_elsewhere(&self, name: &str) -> Signed {
        self.signed(name, &["elsewhere.example"], 2040)
    }

    /// One whose time is over.
    pub fn sign_expired(&self, name: &str) -> Signed {
        self.signed(name, &["localhost", "127.0.0.1"], 2021)
    }

    /// The authority's own certificate.
    pub fn file(&self) -> PathBuf {
        self.write("authority.pem", &self.pem)
    }

    fn signed(&self, name: &str, hosts: &[&str], until: i32) -> Signed {
        let key = KeyPair::generate().expect("a key");
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("names");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let cert = params.signed_by(&key, &self.issuer).expect("it signs").pem();
        let both = self.write(&format!("{name}.both.pem"), &format!("{cert}{}", key.serialize_pem()));
        let cert = self.write(&format!("{name}.cert.pem"), &cert);
        Signed { cert, key: self.write(&format!("{name}.key.pem"), &key.serialize_pem()), both }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("the folder is ours");
        path
    }
}
