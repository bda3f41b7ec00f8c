//! An S3 gateway.

use std::path::PathBuf;

use crate::services::Service;

/// Where objects are in S3.
#[derive(Clone)]
pub struct Bucket {
    endpoint: String,
    prefix: String,
}

impl Bucket {
    /// Of the gateway that all tests may use that do not kill it: a prefix of the test's own.
    pub fn shared() -> Self {
        let endpoint = std::env::var("QUIRE_TEST_S3")
            .expect("QUIRE_TEST_S3 names a gateway: run `scripts/services/s3 with cargo test --features s3`");
        Self::at(endpoint)
    }

    fn at(endpoint: String) -> Self {
        Self { endpoint, prefix: uuid::Uuid::new_v4().to_string() }
    }

    /// The settings that name it, as flags without their dashes.
    pub fn settings(&self) -> [(&'static str, String); 4] {
        [
            ("object-store-url", format!("s3://quire/{}", self.prefix)),
            ("s3-endpoint", self.endpoint.clone()),
            ("s3-access-key", "quire".into()),
            ("s3-secret-key", "quire-test-secret".into()),
        ]
    }
}

/// A gateway of the test's own, since it is going to be killed.
pub struct Gateway {
    pub service: Service,
    pub bucket: Bucket,
}

impl Gateway {
    pub fn start() -> Self {
        let service = Service::start("s3");
        Self { bucket: Bucket::at(service.address.clone()), service }
    }

    /// The files that its objects are.
    pub fn files(&self, kind: &str) -> Vec<PathBuf> {
        let objects = self.service.folder.join("objects/quire").join(&self.bucket.prefix);
        crate::scene::files(&objects.join(kind))
    }
}
