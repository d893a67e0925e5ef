//! A service of axum. The lines that end in `// +` are what it takes to protect its route.
//!
//! `ISSUER=https://id.fleet.test cargo run --example axum`

use axum::{Router, routing::get};
use claviger_verifier::{Authorized, Verifier, required_scope}; // +

required_scope!(OrdersRead = "orders:read"); // +

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let verifier = Verifier::builder(&std::env::var("ISSUER")?, "https://orders.fleet.test").build()?; // +
    let app = Router::new()
        .route("/orders", get(async |_: Authorized<OrdersRead>| "three apples\n")) // +
        .with_state(verifier); // +
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
