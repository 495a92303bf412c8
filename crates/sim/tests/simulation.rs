//! Runs seeds. `STEPWELL_SIM_SEED` names one, `STEPWELL_SIM_SEEDS` says how many from `STEPWELL_SIM_FROM`
//! on, `STEPWELL_SIM_STEPS` how long each is, `STEPWELL_SIM_LOG=1` shows all that happens.

use std::sync::atomic::{AtomicU64, Ordering};

use stepwell_sim::{Options, Ran, run};

/// Seeds that every run of the tests tries.
const SEEDS: u64 = 3000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

fn options() -> Options {
    let steps = number("STEPWELL_SIM_STEPS").and_then(|n| usize::try_from(n).ok());
    let keeps_all_lines = std::env::var("STEPWELL_SIM_LOG").is_ok();
    Options { steps: steps.unwrap_or(Options::default().steps), keeps_all_lines }
}

#[test]
#[expect(clippy::print_stderr, reason = "a failure, or what was asked for, is shown")]
fn no_seed_breaks_an_invariant() {
    let options = options();
    if let Some(seed) = number("STEPWELL_SIM_SEED") {
        match run(seed, &options) {
            Ok(ran) => eprintln!("{ran:#?}"),
            Err(failure) => panic!("{failure}"),
        }
        return;
    }
    let seeds = number("STEPWELL_SIM_SEEDS").unwrap_or(SEEDS);
    let from = number("STEPWELL_SIM_FROM").unwrap_or(0);
    let next = AtomicU64::new(0);
    let work = || {
        let mut sum = Ran::default();
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth >= seeds {
                return sum;
            }
            if nth > 0 && nth.is_multiple_of(10_000) {
                eprintln!("{nth} seeds");
            }
            match run(from + nth, &options) {
                Ok(ran) => sum = add(sum, ran),
                Err(failure) => panic!("{failure}"),
            }
        }
    };
    // Each run is one thread; several runs may go on side by side.
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let sum = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().fold(Ran::default(), |sum, worker| match worker.join() {
            Ok(ran) => add(sum, ran),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    });
    eprintln!("{seeds} seeds from {from} on: {sum:?}");
    // A simulation in which nothing happens would find nothing.
    if seeds >= 100 {
        let is_busy = sum.executions > 100 && sum.crashes > 100 && sum.stopped > 10 && sum.tokens > 10;
        assert!(is_busy && sum.redriven > 10, "{sum:?}");
        assert!(sum.started_express > 100 && sum.ended_sync > 100, "{sum:?}");
    }
}

fn add(a: Ran, b: Ran) -> Ran {
    Ran {
        hash: a.hash.wrapping_add(b.hash),
        steps: a.steps + b.steps,
        executions: a.executions + b.executions,
        events: a.events + b.events,
        started: a.started + b.started,
        started_express: a.started_express + b.started_express,
        ended_sync: a.ended_sync + b.ended_sync,
        stopped: a.stopped + b.stopped,
        redriven: a.redriven + b.redriven,
        tokens: a.tokens + b.tokens,
        crashes: a.crashes + b.crashes,
        groups: a.groups + b.groups,
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for seed in 0..100 {
        let first = run(seed, &Options::default()).unwrap_or_else(|failure| panic!("{failure}"));
        let second = run(seed, &Options::default()).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(first, second, "seed {seed}");
    }
}
