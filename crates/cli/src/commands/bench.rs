//! `stepwell bench`: what this machine does with Stepwell, beside what it could do at best.
//!
//! A server in a process of its own, on one processor, is driven over HTTP by clients in this process, on another one.
//! Every figure stands for results that were checked. What the machine can do at best is measured in the same run: an
//! HTTP echo over the same HTTP stack ([`echo`]) and syncs of the same bytes ([`references`]).

pub(super) mod echo;

mod connection;
mod error;
mod executions;
mod load;
mod machine;
mod parked;
mod process;
mod references;
mod report;
mod site;
mod startup;
mod workloads;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::serve::Signals;
use crate::args::{BenchArgs, BenchSection};
use crate::outcome::{CommandError, CommandResult, Outcome};
use crate::terminal::{Paint, Terminal};
use error::BenchError;
use machine::Cpus;
use report::Section;
use site::Bench;
use workloads::Workload;

/// All sections, the quick and telling ones first.
const SECTIONS: [BenchSection; 8] = [
    BenchSection::Startup,
    BenchSection::Start,
    BenchSection::Loop,
    BenchSection::Sync,
    BenchSection::Map,
    BenchSection::Shape,
    BenchSection::Journal,
    BenchSection::Parked,
];

pub(super) async fn run(args: BenchArgs, terminal: &Terminal) -> CommandResult {
    if args.endpoint_url.as_ref().is_some_and(|url| !url.starts_with("http://")) {
        return Err(CommandError::unusable("the endpoint must be an http:// URL"));
    }
    let cpus = Cpus::choose(&args).map_err(CommandError::unusable)?;
    let mut signals = Signals::new()?;
    let directory = args.data_dir.display().to_string();
    let bench = Bench::new(args, cpus).map_err(|error| {
        CommandError::unusable(format!("no directory can be made in {directory}: {error}"))
            .hint("--data-dir takes another directory")
    })?;
    // All clients are tasks of one thread on their own processor. It owns everything that has to be cleaned up, so that
    // all of it is gone when the thread ends.
    let (stop, stopped) = oneshot::channel::<()>();
    let (send, mut result) = oneshot::channel();
    let terminal = *terminal;
    let thread = std::thread::spawn(move || {
        machine::pin(cpus.client);
        let _ = send.send(on_this_thread(bench, &terminal, stopped));
    });
    tokio::select! {
        result = &mut result => result.unwrap_or_else(|_| Err(CommandError::failed("the benchmark broke off"))),
        () = signals.next() => {
            drop(stop);
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
            Ok(Outcome::Interrupted)
        }
    }
}

fn on_this_thread(bench: Bench, terminal: &Terminal, stopped: oneshot::Receiver<()>) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| CommandError::unusable(format!("no threads can be started: {error}")))?;
    let tasks = tokio::task::LocalSet::new();
    runtime.block_on(tasks.run_until(async {
        tokio::select! {
            result = measure_all(&bench, terminal) => result,
            _ = stopped => Ok(Outcome::Interrupted),
        }
    }))
}

async fn measure_all(bench: &Bench, terminal: &Terminal) -> CommandResult {
    let machine = machine_json(bench);
    if !bench.args.json {
        terminal.data(&machine_text(bench, terminal))?;
    }
    let mut sections = Vec::new();
    for which in SECTIONS.into_iter().filter(|s| bench.args.only.is_empty() || bench.args.only.contains(s)) {
        let mut section = Section { name: name(which), title: title(which, bench), ..Section::default() };
        if bench.args.json || terminal.redraws {
            terminal.note(&format!("measuring {} …", section.name));
        }
        if let Err(error) = measure(which, bench, &mut section).await {
            section.error = Some(bench.explain(error).to_string());
        }
        if !bench.args.json {
            terminal.data(&section.text(terminal))?;
        }
        sections.push(section);
    }
    if bench.args.json {
        let sections: Value = sections.iter().map(Section::json).collect();
        let report = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "machine": machine,
            "loadAverageAtEnd": machine::load_average(),
            "sections": sections,
        });
        terminal.data(&report.to_string())?;
    }
    let all = sections.iter().all(|section| section.error.is_none());
    Ok(if all { Outcome::Success } else { Outcome::Failure })
}

async fn measure(which: BenchSection, bench: &Bench, section: &mut Section) -> Result<(), BenchError> {
    let workloads: Vec<Workload> = match which {
        BenchSection::Startup => return startup::measure(bench, section).await,
        BenchSection::Parked => return parked::measure(bench, section).await,
        BenchSection::Start => vec![workloads::start()],
        BenchSection::Loop => vec![workloads::looping()],
        BenchSection::Sync => vec![workloads::sync()],
        BenchSection::Map => vec![workloads::map()],
        BenchSection::Shape => workloads::shaping().into(),
        BenchSection::Journal => vec![workloads::chain()],
    };
    for workload in &workloads {
        executions::measure(bench, workload, section).await?;
    }
    Ok(())
}

fn name(which: BenchSection) -> String {
    use clap::ValueEnum as _;
    which.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn title(which: BenchSection, bench: &Bench) -> String {
    match which {
        BenchSection::Startup => "from process start to the first answer, on an empty directory".to_owned(),
        BenchSection::Start => "durable executions of one Pass state".to_owned(),
        BenchSection::Loop => "durable loop of 100 iterations, two states each".to_owned(),
        BenchSection::Sync => "StartSyncExecution of one Pass state".to_owned(),
        BenchSection::Map => "inline Map over 1,000 items, one Pass state each".to_owned(),
        BenchSection::Shape => "20 Pass states that make five values out of 20 orders".to_owned(),
        BenchSection::Journal => "1,000 Pass states that leave 10 kB unchanged".to_owned(),
        BenchSection::Parked => format!("{} executions that wait at once", bench.args.parked),
    }
}

fn machine_json(bench: &Bench) -> Value {
    json!({
        "processor": machine::processor_name(),
        "usableCpus": machine::usable_cpus().len(),
        "serverCpu": bench.cpus.server,
        "clientCpu": bench.cpus.client,
        "loadAverage": machine::load_average(),
        "dataInMemory": machine::is_memory(bench.directory()),
        "syncDelayMilliseconds": bench.args.sync_delay.map(|delay| delay.as_secs_f64() * 1000.0),
        "secondsEach": bench.args.seconds.as_secs_f64(),
    })
}

fn machine_text(bench: &Bench, terminal: &Terminal) -> String {
    let mut lines = vec![format!(
        "Stepwell {} on {}, load average {}",
        env!("CARGO_PKG_VERSION"),
        machine::processor_name().unwrap_or_else(|| "an unknown processor".to_owned()),
        machine::load_average().map_or_else(|| "unknown".to_owned(), |load| format!("{load:.2}")),
    )];
    lines.push(match (bench.cpus.server, bench.cpus.client) {
        _ if bench.args.endpoint_url.is_some() => {
            "server elsewhere: without its memory, disk and processor time".to_owned()
        }
        (Some(server), Some(client)) if server != client => {
            format!("server on processor {server}, clients on processor {client}")
        }
        (None, None) if bench.args.all_cpus => "server and clients share all processors".to_owned(),
        _ => "server and clients share a processor: figures are lower than they could be".to_owned(),
    });
    if let Some(delay) = bench.args.sync_delay {
        lines.push(format!("every sync takes {delay:?} longer than the disk needs"));
    }
    if bench.args.endpoint_url.is_none() && machine::is_memory(bench.directory()) {
        lines.push(
            "the data directory is in memory: syncs cost nothing there; --data-dir takes a disk".to_owned(),
        );
    }
    lines.push("ratio: how many times what the machine does at best (1 is as many)".to_owned());
    lines.push("p50 ratio: how many times as long".to_owned());
    if cfg!(debug_assertions) {
        lines.push(terminal.out(Paint::Warn, "this binary is not optimized: build it with --release"));
    }
    lines.join("\n") + "\n"
}
