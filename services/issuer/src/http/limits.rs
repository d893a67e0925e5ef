use std::time::Duration;

/// How long a connection may wait, and how many there may be.
///
/// The size of a request's head has no field, because nobody needs another value: at most
/// 16 KiB and 100 header fields, or the answer is 431.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// From accept to the end of the first request's head, silence included; for a later request
    /// from its first byte. Default 5 s. Then the connection is closed without an answer.
    pub header_read: Duration,
    /// From the end of an answer to the first byte of the next request. Default 30 s. It also
    /// bounds a client that does not take the last of its answer from the socket.
    pub idle: Duration,
    /// From the end of a request's head to the end of its answer: reading the body, the handler
    /// and the answer's body. Default 30 s. Then the answer is 503, or the connection is cut if
    /// the answer has begun.
    pub request: Duration,
    /// Connections open at once. Default 1024, at least 1. Further clients wait in the kernel's
    /// accept queue.
    pub connections: usize,
    /// Connections open at once from one address, loopback included; an IPv6 client is counted by
    /// its /64. Default 256. The surplus is closed at once. Those of a [trusted
    /// proxy](super::TrustedProxies) are not counted: all its clients come through them.
    pub per_ip: usize,
    /// From the first wish to stop until no connection is accepted any more, so that load
    /// balancers see the readiness probe fail first. Default 5 s.
    pub drain_delay: Duration,
    /// From the end of `drain_delay` until requests still in flight are cut. Default 25 s.
    pub finish: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(5),
            idle: Duration::from_secs(30),
            request: Duration::from_secs(30),
            connections: 1024,
            per_ip: 256,
            drain_delay: Duration::from_secs(5),
            finish: Duration::from_secs(25),
        }
    }
}
