use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::sleep,
};

/// What a network does with a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Line {
    /// It carries everything at once.
    #[default]
    Open,
    /// Connections are reset, old ones and new ones.
    Cut,
    /// Connections are accepted, and nothing is ever heard: a host that is gone without a word.
    Silent,
    /// Each piece arrives so much later.
    Late(Duration),
    /// Of so many connections one carries what the client says, and loses the answer.
    Lossy(u32),
    /// It carries so many bytes in a second, in each direction of each connection.
    Narrow(u32),
}

/// The line of a connection as it is now, and the news of its change.
#[derive(Debug, Clone)]
pub(super) struct Weather(pub(super) watch::Receiver<Line>);

impl Weather {
    /// Returns when the line is cut, or nobody can change it any more.
    pub(super) async fn cut(mut self) {
        // An error means that the gate is gone: so is its line.
        let _ = self.0.wait_for(|line| *line == Line::Cut).await;
    }

    /// Whether the connection of this number loses its answer.
    pub(super) fn loses(&self, number: usize) -> bool {
        match *self.0.borrow() {
            Line::Lossy(of) => usize::try_from(of).is_ok_and(|of| of > 0 && number % of == of - 1),
            _ => false,
        }
    }

    /// Returns when the line carries something.
    async fn carries(&mut self) -> Line {
        let carrying = self.0.wait_for(|line| !matches!(line, Line::Silent | Line::Cut)).await;
        carrying.map_or(Line::Cut, |line| *line)
    }
}

/// Waits for what a server says, for nobody to hear it.
pub(super) async fn lose(mut from: impl AsyncRead + Unpin) -> std::io::Result<()> {
    from.read(&mut vec![0; 16 * 1024]).await.map(drop)
}

/// Carries one direction of a connection until an end closes it.
pub(super) async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: Weather,
) -> std::io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let narrow = if let Line::Narrow(bytes) = *weather.0.borrow() { bytes } else { u32::MAX };
        let most = usize::try_from(narrow).unwrap_or(usize::MAX).clamp(1, piece.len());
        let length = from.read(&mut piece[..most]).await?;
        match weather.carries().await {
            Line::Late(delay) => sleep(delay).await,
            Line::Narrow(bytes) => {
                let share = u32::try_from(length).unwrap_or(u32::MAX);
                sleep(Duration::from_secs(1) * share / bytes.max(1)).await;
            }
            Line::Open | Line::Lossy(_) | Line::Cut | Line::Silent => {}
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..length]).await?;
    }
}
