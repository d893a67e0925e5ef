//! A service of actix-web. The lines that end in `// +` are what it takes to protect its route.
//!
//! `ISSUER=https://id.fleet.test cargo run --example actix --features actix`

use actix_web::{App, HttpServer, web};
use claviger_verifier::{Authorized, Verifier, required_scope}; // +

required_scope!(OrdersRead = "orders:read"); // +

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let verifier = Verifier::builder(&std::env::var("ISSUER")?, "https://orders.fleet.test").build()?; // +
    let server = HttpServer::new(move || {
        App::new()
            .app_data(verifier.clone()) // +
            .route("/orders", web::get().to(async |_: Authorized<OrdersRead>| "three apples\n")) // +
    });
    let server = server.bind("127.0.0.1:0")?;
    println!("listening on http://{}", server.addrs()[0]);
    Ok(server.run().await?)
}
