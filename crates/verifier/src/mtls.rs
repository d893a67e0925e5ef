//! Client certificates beside an access token (RFC 8705).

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
};

use aws_lc_rs::digest;
use base64_simd::STANDARD;
use claviger_jose::base64url;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request};
use tower_layer::Layer;
use tower_service::Service;

/// The longest certificate that is taken from a header, in characters.
const MAX_ENCODED: usize = 16 * 1024;

/// The certificate that the client has proven to have, in the handshake of the connection that a request came
/// by ([RFC 8705 section 3](https://www.rfc-editor.org/rfc/rfc8705#section-3)).
///
/// Whatever terminates TLS puts it into the extensions of the request: the service itself, or
/// [`ClientCertificateFromProxy`]. A token with `cnf.x5t#S256` is taken from this client alone. Whether the
/// certificate is to be trusted besides is the business of the TLS layer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientCertificate {
    sha256: [u8; 32],
}

impl ClientCertificate {
    /// The certificate of these bytes, in DER: the first of the chain that the client has sent.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
        Self { sha256 }
    }

    /// Its SHA-256, as it stands in `x5t#S256`.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        base64url::encode(&self.sha256)
    }

    pub(crate) fn has_thumbprint(&self, thumbprint: &str) -> bool {
        base64url::decode_into(thumbprint, &mut [0; 32]).is_ok_and(|sha256| sha256 == self.sha256)
    }

    /// What a proxy says about its client
    /// ([RFC 9440 section 2.2](https://www.rfc-editor.org/rfc/rfc9440#section-2.2)): a byte sequence of
    /// RFC 8941, which is base64 between colons.
    fn from_header(value: &HeaderValue) -> Option<Self> {
        let encoded = value.as_bytes().strip_prefix(b":")?.strip_suffix(b":")?;
        if encoded.is_empty() || encoded.len() > MAX_ENCODED {
            return None;
        }
        Some(Self::from_der(&STANDARD.decode_to_vec(encoded).ok()?))
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({})", self.thumbprint())
    }
}

/// The address at the other end of a request's connection, for [`ClientCertificateFromProxy`]. The server puts it
/// into the extensions of the request; with axum its `ConnectInfo<SocketAddr>` does as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// Takes the [`ClientCertificate`] from a header, where the connection comes from a proxy that terminates TLS and
/// is trusted to say ([RFC 9440](https://www.rfc-editor.org/rfc/rfc9440)).
///
/// From everybody else the header is a forgery, and is taken away unread. So is a second one of the same name, and
/// what is not of the form of RFC 9440. A proxy's own certificate never passes for that of its client.
///
/// ```
/// use std::net::IpAddr;
///
/// use axum::{Router, http::HeaderName};
/// use claviger_verifier::ClientCertificateFromProxy;
///
/// let proxy: IpAddr = "10.0.0.7".parse()?;
/// let certificates = ClientCertificateFromProxy::new(HeaderName::from_static("client-cert"), [proxy]);
/// let app: Router = Router::new().layer(certificates);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientCertificateFromProxy {
    header: HeaderName,
    proxies: Arc<[IpAddr]>,
}

impl ClientCertificateFromProxy {
    /// Takes this header from these addresses. RFC 9440 calls it `client-cert`.
    #[must_use]
    pub fn new(header: HeaderName, proxies: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { header, proxies: proxies.into_iter().map(|proxy| proxy.to_canonical()).collect() }
    }

    fn admit(&self, headers: &mut HeaderMap, extensions: &mut Extensions) {
        let from_proxy = peer(extensions).is_some_and(|peer| self.proxies.contains(&peer.to_canonical()));
        if from_proxy {
            // What the TLS layer may have found is the certificate of the proxy.
            extensions.remove::<ClientCertificate>();
            let mut values = headers.get_all(&self.header).into_iter();
            if let (Some(value), None) = (values.next(), values.next())
                && let Some(certificate) = ClientCertificate::from_header(value)
            {
                extensions.insert(certificate);
            }
        }
        headers.remove(&self.header);
    }
}

fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let peer = extensions.get::<PeerAddress>().map(|peer| peer.0.ip());
    #[cfg(feature = "axum")]
    let peer = peer.or_else(|| {
        let connection = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>();
        connection.map(|connection| connection.0.ip())
    });
    peer
}

impl<S> Layer<S> for ClientCertificateFromProxy {
    type Service = WithClientCertificate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithClientCertificate { inner, proxy: self.clone() }
    }
}

/// The service that [`ClientCertificateFromProxy`] makes.
#[derive(Debug, Clone)]
pub struct WithClientCertificate<S> {
    inner: S,
    proxy: ClientCertificateFromProxy,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for WithClientCertificate<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let (mut parts, body) = request.into_parts();
        self.proxy.admit(&mut parts.headers, &mut parts.extensions);
        self.inner.call(Request::from_parts(parts, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.7:1234";

    /// What is found of a request with these headers, from this address, over a connection with a certificate of
    /// its own.
    fn found(peer: Option<&str>, headers: &[&str], own: Option<&[u8]>) -> Option<ClientCertificate> {
        let layer = ClientCertificateFromProxy::new(
            HeaderName::from_static("client-cert"),
            ["10.0.0.7".parse().unwrap(), "::1".parse().unwrap()],
        );
        let (mut map, mut extensions) = (HeaderMap::new(), Extensions::new());
        for value in headers {
            map.append("client-cert", value.parse().unwrap());
        }
        if let Some(peer) = peer {
            extensions.insert(PeerAddress(peer.parse().unwrap()));
        }
        if let Some(own) = own {
            extensions.insert(ClientCertificate::from_der(own));
        }
        layer.admit(&mut map, &mut extensions);
        assert!(map.is_empty(), "nobody downstream reads the header");
        extensions.remove()
    }

    // S-58
    #[test]
    fn a_certificate_is_taken_from_a_trusted_proxy_alone() {
        let expected = Some(ClientCertificate::from_der(b"abcd"));
        let good = [":YWJjZA==:"];
        for proxy in [PROXY, "[::ffff:10.0.0.7]:9", "[::1]:9"] {
            assert_eq!(found(Some(proxy), &good, None), expected, "{proxy}");
        }
        for stranger in [None, Some("10.0.0.8:1234"), Some("127.0.0.1:1"), Some("[::2]:9")] {
            assert_eq!(found(stranger, &good, None), None, "{stranger:?}");
        }
    }

    // S-58
    #[test]
    fn of_two_certificates_the_wrong_one_is_not_chosen() {
        assert_eq!(found(Some(PROXY), &[":YWJjZA==:", ":YWJjZA==:"], None), None);
        assert_eq!(found(Some(PROXY), &[], Some(b"of the proxy")), None);
        let own = Some(ClientCertificate::from_der(b"of the client"));
        assert_eq!(found(Some("10.0.0.8:1"), &[":YWJjZA==:"], Some(b"of the client")), own);
        assert_eq!(found(None, &[":YWJjZA==:"], Some(b"of the client")), own);
    }

    // S-58
    #[test]
    fn a_header_is_of_the_form_of_rfc_9440() {
        let long = format!(":{}:", "AAAA".repeat(5000));
        for value in
            ["", ":", "::", "YWJjZA==", ":YWJjZA==", ":YWJjZA:", ":YWJjZA==:;a=b", ":YWJj-_==:", &long]
        {
            assert_eq!(found(Some(PROXY), &[value], None), None, "{value}");
        }
    }

    #[test]
    fn a_thumbprint_is_compared_in_its_one_spelling() {
        let certificate = ClientCertificate::from_der(b"abcd");
        let good = certificate.thumbprint();
        assert!(certificate.has_thumbprint(&good));
        for other in ["", &good[..42], &format!("{good}="), &format!("{good}AA"), "\u{e9}"] {
            assert!(!certificate.has_thumbprint(other), "{other}");
        }
        assert!(!ClientCertificate::from_der(b"abce").has_thumbprint(&good));
    }
}
