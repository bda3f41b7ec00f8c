//! S3 through `object_store`.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::{Objects, S3Options};
use crate::storage::OpenError;
use crate::storage::sealing::Vault;

/// How long a connection may take to be made …
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// … and a request to be answered, body and all: a snapshot of 10 MB at 1 MB/s. Whoever opens a document whose snapshot is
/// there waits for so long at most before the log is read instead.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A request is not repeated any more after this time, and not more often than this. What has failed then is tried again by
/// whoever wanted it: a snapshot with the next edits, a segment with the next round.
const RETRY_WITHIN: Duration = Duration::from_secs(5);
const RETRIES: usize = 2;

/// Opens a bucket. Nobody is spoken to.
///
/// # Errors
/// The settings make no sense.
pub(super) fn open(options: &S3Options) -> Result<Objects, OpenError> {
    // The HTTP client asks for the process's provider, whichever crates are linked in. Somebody else may have named it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = match &options.keys {
        Some(keys) => {
            AmazonS3Builder::new().with_access_key_id(&keys.id).with_secret_access_key(&keys.secret)
        }
        None => AmazonS3Builder::from_env(),
    };
    let mut client = ClientOptions::new().with_connect_timeout(CONNECT_WITHIN).with_timeout(ANSWER_WITHIN);
    let mut builder =
        builder.with_bucket_name(&options.bucket).with_region(&options.region).with_retry(retries());
    if let Some(endpoint) = &options.endpoint {
        client = client.with_allow_http(endpoint.starts_with("http://"));
        // Gateways are seldom reached under a host name for each bucket.
        builder = builder.with_endpoint(endpoint).with_virtual_hosted_style_request(false);
    }
    let bucket =
        builder.with_client_options(client).build().map_err(|error| OpenError::Objects(error.into()))?;
    let store: Arc<dyn ObjectStore> = match &*options.prefix {
        "" => Arc::new(bucket),
        prefix => Arc::new(PrefixStore::new(bucket, prefix)),
    };
    Ok(Objects { store, folder: None, pause: Some(Arc::default()), vault: Vault::plain(), read_only: false })
}

fn retries() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_WITHIN }
}
