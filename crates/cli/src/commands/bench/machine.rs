//! What the benchmarks need to know of the machine: its processors, and what a process has used of it.
//!
//! Owns `/proc` and affinities. Where a system has neither, the answer is `None` and the report leaves the figure out.

use std::path::Path;
use std::time::Duration;

use crate::args::BenchArgs;

/// Which processors the two sides run on; `None` for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cpus {
    pub(super) server: Option<usize>,
    pub(super) client: Option<usize>,
}

impl Cpus {
    /// As the arguments say; one processor each by default, where this process may use two.
    ///
    /// Errors: a processor that this process may not use.
    pub(super) fn choose(args: &BenchArgs) -> Result<Cpus, String> {
        let usable = usable_cpus();
        if let Some(cpu) =
            [args.server_cpu, args.client_cpu].into_iter().flatten().find(|c| !usable.contains(c))
        {
            return Err(format!("this process may not use the processor {cpu}, only {usable:?}"));
        }
        if args.all_cpus || usable.len() < 2 {
            return Ok(Cpus { server: args.server_cpu, client: args.client_cpu });
        }
        Ok(Cpus {
            server: args
                .server_cpu
                .or_else(|| usable.iter().copied().find(|cpu| Some(*cpu) != args.client_cpu)),
            client: args
                .client_cpu
                .or_else(|| usable.iter().copied().rfind(|cpu| Some(*cpu) != args.server_cpu)),
        })
    }
}

/// The processors that this process may use; none where that cannot be known.
#[cfg(target_os = "linux")]
pub(super) fn usable_cpus() -> Vec<usize> {
    let Ok(set) = rustix::thread::sched_getaffinity(None) else { return Vec::new() };
    (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}

/// The processors that this process may use; none where that cannot be known.
#[cfg(not(target_os = "linux"))]
pub(super) fn usable_cpus() -> Vec<usize> {
    Vec::new()
}

/// Keeps the calling thread, and what it starts from now on, on one processor. Silently does nothing where that fails:
/// the figures are then those of a thread that moves.
#[cfg(target_os = "linux")]
pub(super) fn pin(cpu: Option<usize>) {
    let Some(cpu) = cpu else { return };
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    let _ = rustix::thread::sched_setaffinity(None, &set);
}

/// Does nothing: this system has no affinities.
#[cfg(not(target_os = "linux"))]
pub(super) fn pin(_cpu: Option<usize>) {}

/// The load average of the last minute.
pub(super) fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// The model of the first processor.
pub(super) fn processor_name() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Whether the directory is memory that looks like a disk.
#[cfg(target_os = "linux")]
pub(super) fn is_memory(directory: &Path) -> bool {
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    rustix::fs::statfs(directory).is_ok_and(|stat| u64::try_from(stat.f_type) == Ok(TMPFS_MAGIC))
}

/// Whether the directory is memory that looks like a disk: not known here.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_memory(_directory: &Path) -> bool {
    false
}

/// Reads what a process uses; a gauge without one reads nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gauge {
    pid: Option<u32>,
}

impl Gauge {
    /// Of this process; `None` for one on another machine.
    pub(super) fn of(pid: Option<u32>) -> Self {
        Gauge { pid }
    }

    /// Processor time that it has used so far; steps of the system's clock tick, usually 10 ms.
    pub(super) fn cpu(self) -> Option<Duration> {
        // The name, in parentheses, may contain anything; what follows it does not. User and system time are the 12th
        // and 13th field there. Source: proc_pid_stat(5).
        let stat = self.read("stat")?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
        let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
        let per_second = rustix::param::clock_ticks_per_second();
        Some(Duration::from_micros(ticks.saturating_mul(1_000_000) / per_second.max(1)))
    }

    /// Bytes of memory that it has resident.
    pub(super) fn resident(self) -> Option<u64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    }

    fn read(self, file: &str) -> Option<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.pid?)).ok()
    }
}

/// Bytes that the files below a directory take on its disk. What goes away meanwhile counts nothing.
pub(super) fn disk_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    // Blocks of 512 bytes, whatever the disk's own are. Source: stat(2).
    const BLOCK_BYTES: u64 = 512;
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let bytes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        // A file that was made longer than what was written into it takes less than its length; one that was given
        // room in advance takes more.
        Ok(metadata) => (metadata.blocks() * BLOCK_BYTES).min(metadata.len()),
        Err(_) => 0,
    });
    bytes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_can_be_read() {
        let gauge = Gauge::of(Some(std::process::id()));
        assert!(gauge.resident().is_some_and(|bytes| bytes > 100_000));
        assert!(gauge.cpu().is_some());
        assert!(!usable_cpus().is_empty());
        assert_eq!(Gauge::of(None).resident(), None);
    }

    #[test]
    fn a_directory_counts_what_is_below_it() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("below")).expect("is made");
        let file = std::fs::File::create(directory.path().join("below/file")).expect("is made");
        file.set_len(1 << 30).expect("is long");
        std::fs::write(directory.path().join("text"), "five5").expect("is written");
        file.sync_all().expect("is synced");
        let bytes = disk_bytes(directory.path());
        assert!((5..1 << 20).contains(&bytes), "holes take no room: {bytes}");
        assert_eq!(disk_bytes(&directory.path().join("absent")), 0);
    }
}
