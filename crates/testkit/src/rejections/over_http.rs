use axum::{
    body::Body,
    http::{Request, Response, Uri, header, uri::Scheme},
};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A route of a service that runs elsewhere.
pub(super) struct Place {
    authority: String,
    address: String,
    path: String,
}

impl Place {
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let uri: Uri = url.parse().map_err(|_| "this is no URL")?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err("a running service is asked over plain http; others are asked as a tower service");
        }
        let authority = uri.authority().ok_or("there is no host")?;
        let port = authority.port_u16().unwrap_or(80);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            authority: authority.to_string(),
            address: format!("{}:{port}", authority.host()),
            path: path.to_owned(),
        })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Each request has a connection of its own: a forgery that ends one is nothing to the next.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, String> {
        let stream = TcpStream::connect(&self.address).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        let host = self.authority.parse().map_err(|_| "the host cannot be sent".to_owned())?;
        request.headers_mut().insert(header::HOST, host);
        sender.send_request(request).await.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_url_of_plain_http() {
        let place =
            Place::parse("http://127.0.0.1:8080/entries?a=b").map(|place| (place.address, place.path));
        assert_eq!(place, Ok(("127.0.0.1:8080".to_owned(), "/entries?a=b".to_owned())));
        let place = Place::parse("http://localhost").map(|place| (place.address, place.path));
        assert_eq!(place, Ok(("localhost:80".to_owned(), "/".to_owned())));
        assert!(Place::parse("https://127.0.0.1/").is_err_and(|reason| reason.contains("plain http")));
        assert!(Place::parse("/entries").is_err());
        assert!(Place::parse("nonsense nonsense").is_err());
    }
}
