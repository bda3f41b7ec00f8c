//! Makes connections, by TLS where the address says so.
//!
//! The client library can do that, too. It reads all authorities of the system for each connection, on the thread that all
//! exchanges share: of many connections that are made at once, the last would come too late for whoever waits for it.

use std::sync::Arc;

use deadpool::managed;
use deadpool_redis::Manager;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, RedisError};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::RedisOptions;
use super::error::RedisAddressError;
use crate::tls;

/// What the pool makes its connections by.
pub struct Connector {
    /// Makes those without TLS, and looks whether one that was lent is still good.
    plain: Manager,
    encrypted: Option<Encrypted>,
}

struct Encrypted {
    info: ConnectionInfo,
    config: AsyncConnectionConfig,
    host: String,
    port: u16,
    /// The host, as its certificate has to name it.
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Connector {
    /// # Errors
    /// The host is nothing that a certificate could be for, or there is no authority.
    pub fn new(options: &RedisOptions, config: AsyncConnectionConfig) -> Result<Self, RedisAddressError> {
        let info = options.info.clone();
        let encrypted = match info.addr() {
            ConnectionAddr::TcpTls { host, port, .. } => Some(Encrypted {
                name: ServerName::try_from(host.clone())
                    .map_err(|error| RedisAddressError::new(error.to_string()))?,
                host: host.clone(),
                port: *port,
                tls: TlsConnector::from(trusted(options)?),
                info: info.clone(),
                config: config.clone(),
            }),
            _ => None,
        };
        let plain = Manager::new_with_config(info, config)
            .map_err(|error| RedisAddressError::new(error.category()))?;
        Ok(Self { plain, encrypted })
    }
}

fn trusted(options: &RedisOptions) -> Result<Arc<ClientConfig>, RedisAddressError> {
    match &options.trusted {
        Some(trusted) => Ok(trusted.clone()),
        None => Ok(Arc::new(tls::client_config(None)?)),
    }
}

impl managed::Manager for Connector {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        match &self.encrypted {
            Some(encrypted) => encrypted.connect().await,
            None => self.plain.create().await,
        }
    }

    async fn recycle(
        &self,
        connection: &mut MultiplexedConnection,
        metrics: &managed::Metrics,
    ) -> managed::RecycleResult<RedisError> {
        self.plain.recycle(connection, metrics).await
    }
}

impl Encrypted {
    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        let (settings, config) = (self.info.redis_settings(), self.config.clone());
        let (connection, driver) = MultiplexedConnection::new_with_config(settings, stream, config).await?;
        // It ends with the connection.
        tokio::spawn(driver);
        Ok(connection)
    }
}
