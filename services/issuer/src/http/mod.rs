//! The issuer's own HTTP/1.1 server: `axum::serve` with an end to everything.
//!
//! `axum::serve` waits for ever: for the first byte, for the rest of a header, for a body, for the
//! next request. A few thousand sockets that send nothing (slowloris) then hold every descriptor.
//! Here each wait has a limit, and each client a share.
//!
//! Read in this order:
//! [`ConnectionLimits`] names the limits; [`Shutdown`] is the operator's wish to stop; [`serve`]
//! accepts connections and drains them; `connection` drives one of them, with one alarm clock
//! that is set by what `watch` saw last; `per_ip` counts them; [`TrustedProxies`] says where a request
//! comes from; [`read_body`] is what a route uses to read a request body within limits of its own.
//!
//! Absent on purpose: TLS and HTTP/2 (the proxy in front terminates both, so their handshake,
//! stream and reset limits are the proxy's), protocol upgrades, and catching panics (a layer of
//! the router; here a panic ends its own connection and nothing else).

mod body;
mod connection;
mod form;
mod limits;
mod per_ip;
mod proxies;
mod serve;
mod shutdown;
mod subscriber;
mod watch;

pub use body::{BodyError, read_body};
pub(crate) use form::read_form;
pub use limits::ConnectionLimits;
pub(crate) use per_ip::{PerIp, Share};
pub use proxies::{TrustedProxies, TrustedProxy, TrustedProxyError};
pub use serve::{Drained, serve};
pub use shutdown::{Shutdown, ShutdownHandle};
pub(crate) use subscriber::subscriber;
