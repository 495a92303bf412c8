# Everyday commands. `just` lists them.

default:
    @just --list

# Build the binary.
build:
    cargo build --release --bin stepwell

# Everything that CI checks.
ci:
    .ci/run

# All tests.
test *ARGS:
    ./test {{ARGS}}

# Formatting and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Rewrite the expectations of the data-driven tests; review the diff like code.
bless:
    BLESS=1 cargo test -p stepwell-conformance --test spec

# The recordings from AWS, with every difference spelled out.
conformance:
    CONFORMANCE_VERBOSE=1 cargo test -p stepwell-conformance --test families -- --nocapture

# Kill the server at random moments; ROUNDS says how often.
kill ROUNDS="50":
    STEPWELL_KILL_ROUNDS={{ROUNDS}} cargo test -p stepwell --test kill -- --nocapture

# Simulate: one SEED (as a failure prints it, with its STEPS), or SEEDS new ones.
sim SEED="" STEPS="" SEEDS="20000":
    STEPWELL_SIM_SEED={{SEED}} STEPWELL_SIM_STEPS={{STEPS}} STEPWELL_SIM_SEEDS={{SEEDS}} STEPWELL_SIM_FROM="$(date +%s)000000" \
        cargo test -p stepwell-sim --test simulation no_seed -- --nocapture

# Benchmarks of single parts, then of the whole server on this machine; ARGS go to `stepwell bench`.
bench *ARGS:
    cargo bench --workspace
    cargo run --release --bin stepwell -- bench {{ARGS}}

# Build and run the three workflows of examples/.
run:
    ./run

# Feed a part of the language (definition, json, path, intrinsic, jsonata, template, choice) or the interpreter (decide)
# with whatever the fuzzer thinks of; needs `cargo install cargo-fuzz`. ARGS go to libFuzzer.
fuzz TARGET *ARGS="-max_total_time=600":
    fuzz/seed
    RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none {{TARGET}} -- -dict=fuzz/asl.dict -timeout=30 -rss_limit_mb=3000 {{ARGS}}
