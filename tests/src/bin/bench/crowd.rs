use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use e2e::Wire;
use tokio::{task::JoinSet, time::interval_at};

/// Kept-alive connections to one server that all ask the same.
pub(crate) struct Crowd {
    wires: Vec<Wire>,
    request: Arc<[u8]>,
}

/// How many requests were answered in what time.
#[derive(Clone, Copy, Default)]
pub(crate) struct Answered {
    pub(crate) requests: u32,
    pub(crate) elapsed: Duration,
}

impl Answered {
    pub(crate) fn per_second(self) -> f64 {
        f64::from(self.requests) / self.elapsed.as_secs_f64()
    }
}

impl Crowd {
    pub(crate) async fn connect(url: &str, size: u32, request: Vec<u8>) -> anyhow::Result<Self> {
        let mut wires = Vec::new();
        for _ in 0..size {
            wires.push(Wire::connect(url).await?);
        }
        Ok(Self { wires, request: request.into() })
    }

    /// Asks again and again, each connection as soon as it has its answer.
    pub(crate) async fn flood(&mut self, time: Duration) -> anyhow::Result<Answered> {
        self.ask_each(time, None).await
    }

    /// Asks at a steady rate, however long the answers take.
    pub(crate) async fn trickle(&mut self, per_second: f64, time: Duration) -> anyhow::Result<Answered> {
        self.ask_each(time, Some(Duration::from_secs_f64(1.0 / per_second))).await
    }

    /// `pause` lies between two requests of all connections together.
    async fn ask_each(&mut self, time: Duration, pause: Option<Duration>) -> anyhow::Result<Answered> {
        let size = u32::try_from(self.wires.len())?;
        let start = Instant::now();
        let mut asking = JoinSet::new();
        for (number, mut wire) in (0..).zip(self.wires.drain(..)) {
            let request = Arc::clone(&self.request);
            let mut ticks = pause.map(|pause| interval_at((start + pause * number).into(), pause * size));
            asking.spawn(async move {
                let mut requests = 0;
                while start.elapsed() < time {
                    if let Some(ticks) = &mut ticks {
                        ticks.tick().await;
                    }
                    let status = wire.ask(&request).await?;
                    ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(wire.body()));
                    requests += 1;
                }
                Ok((wire, requests))
            });
        }
        let mut answered = Answered::default();
        while let Some(ended) = asking.join_next().await {
            let (wire, requests) = ended??;
            self.wires.push(wire);
            answered.requests += requests;
        }
        answered.elapsed = start.elapsed();
        Ok(answered)
    }
}
