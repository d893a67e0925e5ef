//! What the system knows about a process.

use std::{fs, time::Duration};

use anyhow::Context;

/// The unit of times in `/proc/PID/stat` (`USER_HZ`), the same on every machine that Linux tells it to.
const TICKS_PER_SECOND: u32 = 100;

/// The processor time that a process has used, by itself and in the kernel for it; in steps of 10 ms.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold spaces; utime and stime are the 12th and 13th behind it.
    let (_, fields) = stat.rsplit_once(')').context("a name in parentheses")?;
    let ticks: u32 =
        fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>).sum::<Result<_, _>>()?;
    Ok(Duration::from_secs(1) * ticks / TICKS_PER_SECOND)
}
