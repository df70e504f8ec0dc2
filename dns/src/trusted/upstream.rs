//! The resolver that is asked: plain DNS over UDP and TCP, with validation switched off on its side.
//!
//! Every question goes out with DO and CD set (RFC 6840 §5.9): a validating resolver then hands over what it would
//! have hidden behind SERVFAIL, and the house judges it itself and can say why it is broken. The library sends
//! CD=0; this handle stands below its validator and corrects that.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer, RetryDnsHandle};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, Query};
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};

use super::{Settings, SetupError};

type Pool = RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>;

/// A handle on the resolvers; answers are whatever they say.
#[derive(Clone)]
pub(super) struct Upstream(Pool);

impl Upstream {
    pub(super) fn new(settings: &Settings) -> Result<Self, SetupError> {
        let servers = if settings.servers.is_empty() {
            let (config, _) = read_system_conf().map_err(|no| SetupError::Servers(no.to_string()))?;
            config.name_servers
        } else {
            settings.servers.iter().map(server).collect()
        };
        let mut options = ResolverOpts::default();
        options.timeout = settings.timeout;
        options.attempts = settings.attempts.max(1);
        options.use_hosts_file = ResolveHosts::Never;
        options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;

        let retries = options.attempts - 1;
        let tls = TlsConfig::new().map_err(|no| SetupError::Servers(no.to_string()))?;
        let context = Arc::new(PoolContext::new(options, tls));
        let pool = NameServerPool::from_config(servers, context, TokioRuntimeProvider::default());
        Ok(Self(RetryDnsHandle::new(pool, retries)))
    }

    /// The records of an answer section, unvalidated; an answer without records is an empty list.
    pub(super) async fn look(&self, name: &Name, kind: RecordType) -> Result<Vec<Record>, NetError> {
        let query = Query::query(name.clone(), kind);
        match self.lookup(query, options()).first_answer().await {
            Ok(response) => Ok(response.into_message().answers),
            Err(none) if none.is_no_records_found() => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }
}

impl DnsHandle for Upstream {
    type Response = <Pool as DnsHandle>::Response;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, mut request: DnsRequest) -> Self::Response {
        request.metadata.checking_disabled = true;
        self.0.send(request)
    }
}

/// Options of every question: EDNS with DO, answers small enough for one unfragmented packet.
pub(super) fn options() -> DnsRequestOptions {
    let mut options = DnsRequestOptions::default();
    options.use_edns = true;
    options.edns_set_dnssec_ok = true;
    options
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}
