//! What the system says about this process, as far as it says it in `/proc`.

/// Memory, time and files of this process.
pub(crate) struct Process {
    pub cpu_s: f64,
    /// Seconds since 1970.
    pub start_s: f64,
    pub resident_bytes: u64,
    pub virtual_bytes: u64,
    pub threads: u64,
    pub open_fds: u64,
    pub max_fds: u64,
}

/// Asks the system; `None` where it has no `/proc`.
#[cfg(target_os = "linux")]
#[allow(clippy::cast_precision_loss, reason = "times in ticks and seconds are far below 2^53")]
pub(crate) fn measure() -> Option<Process> {
    let process = procfs::process::Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let boot_s = procfs::boot_time_secs().ok()? as f64;
    let max_fds = process.limits().map_or(0, |limits| match limits.max_open_files.soft_limit {
        procfs::process::LimitValue::Value(value) => value,
        procfs::process::LimitValue::Unlimited => u64::MAX,
    });
    Some(Process {
        cpu_s: (stat.utime + stat.stime) as f64 / ticks,
        start_s: boot_s + stat.starttime as f64 / ticks,
        resident_bytes: stat.rss.saturating_mul(procfs::page_size()),
        virtual_bytes: stat.vsize,
        threads: u64::try_from(stat.num_threads).unwrap_or(0),
        open_fds: process.fd_count().map_or(0, |count| count as u64),
        max_fds,
    })
}

/// Asks the system; `None` where it has no `/proc`.
#[cfg(not(target_os = "linux"))]
pub(crate) fn measure() -> Option<Process> {
    None
}
