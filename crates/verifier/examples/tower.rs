//! A plain service of tower behind hyper. The lines that end in `// +` are what it takes to protect it.
//!
//! `ISSUER=https://id.fleet.test cargo run --example tower`

use std::convert::Infallible;

use claviger_verifier::{Verifier, required_scope}; // +
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tower::{ServiceBuilder, service_fn};

required_scope!(OrdersRead = "orders:read"); // +

async fn orders(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("three apples\n")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let verifier = Verifier::builder(&std::env::var("ISSUER")?, "https://orders.fleet.test").build()?; // +
    let service = ServiceBuilder::new()
        .layer(verifier.layer().require::<OrdersRead>()) // +
        .service(service_fn(orders));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (connection, _) = listener.accept().await?;
        let served = TowerToHyperService::new(service.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), served));
    }
}
