use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::gate::CALLERS;

/// A kept-alive connection that sends requests made in advance and looks at little of the answers.
///
/// For load: a full client spends more than the server that it is to load.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    /// Connects to the server of a base URL such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// If there is none.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let address: SocketAddr = url.strip_prefix("http://").context("a plain URL")?.parse()?;
        Self::over(TcpStream::connect(address).await?)
    }

    /// The same for one of many, so that a gate need not ask whose each of them is.
    pub(crate) async fn connect_as_caller(url: &str) -> anyhow::Result<Self> {
        let address: SocketAddr = url.strip_prefix("http://").context("a plain URL")?.parse()?;
        let socket = TcpSocket::new_v4()?;
        socket.bind((CALLERS, 0).into())?;
        Self::over(socket.connect(address).await?)
    }

    fn over(stream: TcpStream) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a whole request and waits for the whole answer; answers its status.
    ///
    /// # Errors
    /// If the connection breaks or the answer has no `Content-Length`.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            let Some(head) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
                continue;
            };
            let text = str::from_utf8(&self.buffer[..head])?;
            let status = text.split(' ').nth(1).context("a status")?.parse()?;
            let Some(length) = content_length(text) else { bail!("no content-length in {text}") };
            while self.buffer.len() < head + 4 + length {
                ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the answer broke off");
            }
            return Ok(status);
        }
    }

    /// The body of the last answer.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        let head = self.buffer.windows(4).position(|window| window == b"\r\n\r\n");
        head.map_or(&[], |head| &self.buffer[head + 4..])
    }
}

/// A `GET` with a bearer token, ready for [`Wire::ask`].
#[must_use]
pub fn get_request(path: &str, token: &str) -> Vec<u8> {
    let authorization =
        if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}\r\n").into_bytes()
}

fn content_length(head: &str) -> Option<usize> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    })
}
