//! Whose connection it is: the kernel knows.

use std::{fs, net::SocketAddr};

/// Whether this process holds the socket that is connected from this address of loopback.
pub(super) fn owns(pid: u32, peer: SocketAddr) -> bool {
    let Some(inode) = fs::read_to_string("/proc/self/net/tcp").ok().and_then(|table| inode(&table, peer))
    else {
        return false;
    };
    let socket = format!("socket:[{inode}]");
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| target.as_os_str() == socket.as_str())
}

/// The inode of the socket with this local address, from the table that `proc(5)` describes.
fn inode(table: &str, local: SocketAddr) -> Option<String> {
    let SocketAddr::V4(local) = local else { return None };
    let address = u32::from_ne_bytes(local.ip().octets());
    let wanted = format!("{address:08X}:{:04X}", local.port());
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let row = table.lines().skip(1).map(columns).find(|row| row.get(1) == Some(&wanted))?;
    row.get(9).cloned()
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
        assert!(owns(std::process::id(), peer));
        assert!(!owns(1, peer));
        drop(client);
    }
}
