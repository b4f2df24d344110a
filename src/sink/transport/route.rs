//! How to reach an endpoint: directly or through a proxy, with TLS or without.

use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri};
use hyper::service::Service;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::service::TowerToHyperService;
use reqwest::Url;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;

use super::super::{Fault, FaultKind};
use super::connection::{Connection, Stream};
use super::fault;
use crate::http::{CONNECT_TIMEOUT, is_loopback, use_ring};

/// The system asks a peer that has said nothing for so long whether it is still there, again after as
/// long, and gives it up after so many questions.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_QUESTIONS: u32 = 3;

/// What was sent and not acknowledged for so long ends a connection.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

type Tls<C> = TowerToHyperService<HttpsConnector<C>>;

/// The way to an endpoint.
pub(super) struct Route {
    connector: Connector,
    /// What the connector connects to: scheme, host and port.
    to: Uri,
    /// The endpoint's name in every request.
    host: HeaderValue,
    proxy: Option<Proxy>,
}

enum Connector {
    Tcp(TowerToHyperService<HttpConnector>),
    Tls(Box<Tls<HttpConnector>>),
    /// TLS in a tunnel through a proxy.
    Tunnel(Box<Tls<Tunnel<HttpsConnector<HttpConnector>>>>),
}

struct Proxy {
    /// Host and port, for messages.
    name: String,
    /// For an endpoint without TLS, whose requests the proxy reads: the endpoint, which stands in their
    /// first line, and who we are to the proxy.
    forwards: Option<(Uri, Option<HeaderValue>)>,
}

impl Route {
    /// The way to an endpoint.
    ///
    /// # Errors
    /// An endpoint that is not understood, or TLS that cannot be set up.
    pub(super) fn to(endpoint: &str) -> Result<Self, Fault> {
        let (host, address) = understood(endpoint).ok_or_else(|| {
            Fault::new(FaultKind::Connect, format!("{endpoint} is no address of a service"))
        })?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(KEEPALIVE_QUESTIONS));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));

        // What is on this machine needs no proxy.
        let proxy = Some(()).filter(|()| !is_loopback(endpoint));
        let proxy = proxy.and_then(|()| proxies().intercept(&address));
        let secure = address.scheme() == Some(&Scheme::HTTPS);
        let Some(proxy) = proxy else {
            let connector = if secure { over_tls(tcp)? } else { over_tcp(tcp) };
            return Ok(Self { connector, to: address, host, proxy: None });
        };
        let (to, auth) = (proxy.uri().clone(), proxy.basic_auth().cloned());
        let name = to.authority().map_or(String::new(), |authority| {
            let port = authority.port().map_or(String::new(), |port| format!(":{port}"));
            format!("{}{port}", authority.host())
        });
        if !secure {
            let secure_proxy = to.scheme() == Some(&Scheme::HTTPS);
            let connector = if secure_proxy { over_tls(tcp)? } else { over_tcp(tcp) };
            let proxy = Proxy { name, forwards: Some((address, auth)) };
            return Ok(Self { connector, to, host, proxy: Some(proxy) });
        }
        let tls = tls_config()?;
        let mut tunnel = Tunnel::new(to, tls_over(tls.clone(), tcp));
        if let Some(auth) = auth {
            tunnel = tunnel.with_auth(auth);
        }
        let connector =
            Connector::Tunnel(Box::new(TowerToHyperService::new(tls_over(tls, tunnel))));
        let proxy = Proxy { name, forwards: None };
        Ok(Self { connector, to: address, host, proxy: Some(proxy) })
    }

    /// The endpoint's name.
    pub(super) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// What a proxy that reads the requests wants to know.
    pub(super) fn proxy_authorization(&self) -> Option<HeaderValue> {
        self.proxy.as_ref()?.forwards.as_ref()?.1.clone()
    }

    /// Gives a request whose address is a path the one that this way needs.
    pub(super) fn address<B>(&self, request: &mut Request<B>) {
        let forwards = self.proxy.as_ref().and_then(|proxy| proxy.forwards.as_ref());
        let Some((endpoint, _)) = forwards else { return };
        let mut parts = endpoint.clone().into_parts();
        let path = request.uri().path_and_query().cloned();
        parts.path_and_query = path.or(Some(PathAndQuery::from_static("/")));
        // Its parts are those of two addresses.
        if let Ok(address) = Uri::from_parts(parts) {
            *request.uri_mut() = address;
        }
    }

    /// A new connection.
    ///
    /// # Errors
    /// When there is none within [`CONNECT_TIMEOUT`].
    pub(super) async fn connect(&self) -> Result<Connection, Fault> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await.unwrap_or_else(|_| {
            let within = humantime::format_duration(CONNECT_TIMEOUT);
            Err(Fault::new(FaultKind::Timeout, format!("no connection within {within}")))
        })
    }

    async fn open(&self) -> Result<Connection, Fault> {
        let through = self.proxy.as_ref().map(|proxy| proxy.name.as_str());
        let refused = |e: &(dyn std::error::Error + 'static)| fault::unconnected(e, through);
        let to = self.to.clone();
        let stream: Box<dyn Stream> = match &self.connector {
            Connector::Tcp(tcp) => Box::new(tcp.call(to).await.map_err(|e| refused(&e))?),
            Connector::Tls(tls) => Box::new(tls.call(to).await.map_err(|e| refused(&*e))?),
            Connector::Tunnel(tunnel) => Box::new(tunnel.call(to).await.map_err(|e| refused(&*e))?),
        };
        Connection::open(stream).await.map_err(|e| refused(&e))
    }
}

/// The name of an endpoint's host in requests, and what to connect to.
/// The proxies that the environment names, or the system's settings. A variable that is empty names none:
/// `HTTP_PROXY=` does not hide `http_proxy`.
fn proxies() -> Matcher {
    let names = [
        ["ALL_PROXY", "all_proxy"],
        ["HTTP_PROXY", "http_proxy"],
        ["HTTPS_PROXY", "https_proxy"],
        ["NO_PROXY", "no_proxy"],
    ];
    let get = |name: &str| std::env::var(name).ok();
    let is_hidden =
        |[first, second]: &[&str; 2]| get(first).as_deref() == Some("") && get(second).is_some();
    if !names.iter().any(is_hidden) {
        return Matcher::from_system();
    }
    let [all, http, https, no] = names.map(|pair| {
        let set = pair.iter().find_map(|name| get(name).filter(|value| !value.is_empty()));
        set.unwrap_or_default()
    });
    // A server hands its programs a header of the request, "Proxy", under that name.
    let http = if get("REQUEST_METHOD").is_some() { String::new() } else { http };
    Matcher::builder().all(all).http(http).https(https).no(no).build()
}

fn understood(endpoint: &str) -> Option<(HeaderValue, Uri)> {
    let url = Url::parse(endpoint).ok()?;
    let host = url.host_str()?;
    let address = format!("{}://{host}:{}", url.scheme(), url.port_or_known_default()?);
    let name = url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
    Some((HeaderValue::from_str(&name).ok()?, address.parse().ok()?))
}

fn over_tcp(tcp: HttpConnector) -> Connector {
    Connector::Tcp(TowerToHyperService::new(tcp))
}

fn over_tls(tcp: HttpConnector) -> Result<Connector, Fault> {
    Ok(Connector::Tls(Box::new(TowerToHyperService::new(tls_over(tls_config()?, tcp)))))
}

fn tls_over<C>(tls: ClientConfig, connector: C) -> HttpsConnector<C> {
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
    builder.https_or_http().enable_http1().wrap_connector(connector)
}

/// TLS that trusts whom the system trusts.
fn tls_config() -> Result<ClientConfig, Fault> {
    use_ring();
    let builder = ClientConfig::builder().with_platform_verifier().map_err(|e| {
        // Where a variable names the certificates, nothing else is looked at.
        let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find_map(|variable| {
            Some(format!("; {variable} is {}", std::env::var_os(variable)?.display()))
        });
        let named = named.unwrap_or_default();
        Fault::new(FaultKind::Connect, format!("TLS cannot be set up: {e}{named}"))
    })?;
    Ok(builder.with_no_client_auth())
}
