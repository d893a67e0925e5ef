//! A server of tonic. The lines that end in `// +` are what it takes to protect its services.
//!
//! `ISSUER=https://id.fleet.test cargo run --example tonic --features tonic`

use claviger_verifier::{Verifier, required_scope}; // +
use tonic::transport::{Server, server::TcpIncoming};

required_scope!(OrdersRead = "orders:read"); // +

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let verifier = Verifier::builder(&std::env::var("ISSUER")?, "https://orders.fleet.test").build()?; // +
    // Any service of gRPC; this one is at hand.
    let (_, health) = tonic_health::server::health_reporter();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Server::builder()
        .layer(verifier.layer().require::<OrdersRead>().grpc()) // +
        .add_service(health)
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}
