//! Whose connection it is: the kernel knows.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// Where the harness itself connects from when it opens many connections: they belong to nobody who is set apart.
pub(crate) const CALLERS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Whoever is not found by then has closed his socket.
const LOOKS: u32 = 5;

/// The first of these processes that holds the socket that is connected from this address of loopback.
pub(super) fn of(peer: SocketAddr, pids: impl IntoIterator<Item = u32>) -> Option<u32> {
    let mut pids = pids.into_iter().peekable();
    pids.peek()?;
    // The table is long where connections come and go, and takes its time.
    if peer.ip() == CALLERS {
        return None;
    }
    // The table is read in pieces while others change it, so that a row can be missed.
    let table = || fs::read_to_string("/proc/self/net/tcp").ok();
    let inode = (0..LOOKS).find_map(|_| inode(&table()?, peer))?;
    let socket = format!("socket:[{inode}]");
    pids.find(|pid| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.any(|target| target.as_os_str() == socket.as_str())
    })
}

/// The inode of the socket with this local address, from the table that `proc(5)` describes.
fn inode(table: &str, local: SocketAddr) -> Option<String> {
    let SocketAddr::V4(local) = local else { return None };
    let address = u32::from_ne_bytes(local.ip().octets());
    let wanted = format!("{address:08X}:{:04X}", local.port());
    let rows = table.lines().skip(1).filter(|row| row.split_whitespace().nth(1) == Some(&wanted));
    // A connection that has ended lingers in the table under an address that is in use again, and belongs to nobody.
    rows.filter_map(|row| row.split_whitespace().nth(9)).find(|inode| *inode != "0").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_belongs_to_the_process_that_has_opened_it_and_to_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let peer = client.local_addr().unwrap();
        assert_eq!(of(peer, [1, std::process::id()]), Some(std::process::id()));
        assert_eq!(of(peer, [1]), None);
        drop(client);
    }
}
