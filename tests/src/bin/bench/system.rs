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

/// The memory of a process that is in RAM, in bytes.
pub(crate) fn resident(pid: u32) -> anyhow::Result<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kibibytes: u32 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}
