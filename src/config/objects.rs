//! Settings of the object store.

use clap::Args;

use super::{EncryptionSettings, Secret};
use crate::storage::{DatabaseOptions, ObjectOptions, OpenError, S3Keys, StorageOptions};

/// Where snapshots and the cold part of the log are.
#[derive(Args, Clone, Debug)]
pub struct ObjectSettings {
    /// Where snapshots and archived operations go: s3://BUCKET/PREFIX, or file:///FOLDER instead of the one in --data.
    #[arg(long, env = "QUIRE_OBJECT_STORE_URL", value_name = "URL")]
    pub object_store_url: Option<String>,

    /// Address of an S3 that is not Amazon's, http://HOST:PORT or https://…; buckets are named in the path.
    #[arg(long, env = "QUIRE_S3_ENDPOINT", value_name = "URL")]
    pub s3_endpoint: Option<String>,

    /// Region of the bucket.
    #[arg(long, env = "QUIRE_S3_REGION", default_value = "us-east-1", value_name = "NAME")]
    pub s3_region: String,

    /// Access key for S3; without one AWS_ACCESS_KEY_ID and their like are asked, or the role of the machine.
    #[arg(long, env = "QUIRE_S3_ACCESS_KEY", value_name = "ID")]
    pub s3_access_key: Option<String>,

    /// Secret key that belongs to it.
    #[arg(long, env = "QUIRE_S3_SECRET_KEY", hide_env_values = true, value_name = "TEXT")]
    pub s3_secret_key: Option<Secret>,

    #[command(flatten)]
    pub encryption: EncryptionSettings,
}

impl ObjectSettings {
    /// Returns a storage whose database is this one.
    ///
    /// # Errors
    /// As [`Self::options`] and [`EncryptionSettings::vault`].
    pub fn storage(&self, database: DatabaseOptions) -> Result<StorageOptions, OpenError> {
        Ok(StorageOptions { database, objects: self.options()?, vault: self.encryption.vault()? })
    }

    /// Returns which object store is to be used, and how.
    ///
    /// # Errors
    /// The address is none, or one of the keys is given without the other.
    pub fn options(&self) -> Result<ObjectOptions, OpenError> {
        let failed = |why: &str| OpenError::Objects(format!("QUIRE_OBJECT_STORE_URL: {why}").into());
        let url = self.object_store_url.as_deref().unwrap_or_default();
        let mut options = ObjectOptions::parse(url).map_err(|why| failed(&why))?;
        if let ObjectOptions::S3(s3) = &mut options {
            s3.endpoint = given(self.s3_endpoint.as_deref());
            if s3
                .endpoint
                .as_ref()
                .is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://"))
            {
                return Err(failed("QUIRE_S3_ENDPOINT has to begin with http:// or https://"));
            }
            s3.region.clone_from(&self.s3_region);
            s3.keys = self.keys().map_err(failed)?;
        }
        Ok(options)
    }

    fn keys(&self) -> Result<Option<S3Keys>, &'static str> {
        let id = given(self.s3_access_key.as_deref());
        let secret = given(self.s3_secret_key.as_ref().map(Secret::expose));
        match (id, secret) {
            (Some(id), Some(secret)) => Ok(Some(S3Keys { id, secret })),
            (None, None) => Ok(None),
            (Some(_), None) => Err("QUIRE_S3_ACCESS_KEY is set, and QUIRE_S3_SECRET_KEY is not"),
            (None, Some(_)) => Err("QUIRE_S3_SECRET_KEY is set, and QUIRE_S3_ACCESS_KEY is not"),
        }
    }
}

/// A variable that is set to nothing is not set.
fn given(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}
