//! What can be typed: every command, option and environment variable, and nothing about what they do.

mod bench;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use bench::{BenchArgs, BenchEchoArgs, BenchSection};

/// Where a server listens and clients look for it, unless told otherwise.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:8083";

const EXIT_CODES: &str = "Exit codes: 0 success; 1 an execution, a validation or a deployment failed; \
                          2 wrong usage, a file that cannot be read, or a server that cannot be reached.";

/// Runs AWS Step Functions workflows on your own machines.
#[derive(Debug, Parser)]
#[command(name = "stepwell", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server: Step Functions, Lambda, DynamoDB and SQS on one port
    Serve(ServeArgs),
    /// Deploy a CDK cloud assembly (cdk.out) or a CloudFormation template to a server
    Deploy(DeployArgs),
    /// What was deployed: list, show, delete
    #[command(subcommand)]
    Stacks(StacksCommand),
    /// Run a definition, a template or a cdk.out to its end and show every state
    Run(RunArgs),
    /// Executions on a server: list, show, history, start, stop, redrive
    #[command(subcommand)]
    Executions(ExecutionsCommand),
    /// State machines on a server: list, show
    #[command(subcommand)]
    Machines(MachinesCommand),
    /// Check definitions, and the definitions in templates, and show all that is wrong
    Validate(ValidateArgs),
    /// Draw a definition as Mermaid or SVG
    Graph(GraphArgs),
    /// Print the exports that point AWS SDKs and tools at a server
    Env(EnvArgs),
    /// Measure Stepwell on this machine, beside what the machine can do at best
    Bench(BenchArgs),
    /// The HTTP echo that `bench` compares with
    #[command(hide = true)]
    BenchEcho(BenchEchoArgs),
    /// Print the version
    Version(JsonArgs),
}

/// Machine output.
#[derive(Debug, Clone, Copy, Args)]
pub struct JsonArgs {
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Which server.
#[derive(Debug, Clone, Args)]
pub struct EndpointArgs {
    /// URL of the server [env: AWS_ENDPOINT_URL_SFN, AWS_ENDPOINT_URL] [default: http://127.0.0.1:8083]
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// PEM file with the certificates to trust instead of the well-known ones, for an https URL [env: AWS_CA_BUNDLE]
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
}

/// `stepwell serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where everything durable is kept; made if absent
    #[arg(long, value_name = "DIR", default_value = ".stepwell", env = "STEPWELL_DATA_DIR")]
    pub data_dir: PathBuf,
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = DEFAULT_ADDRESS, env = "STEPWELL_LISTEN")]
    pub listen: SocketAddr,
    /// Listen on an address that other machines reach although requests are not authenticated: anybody there can
    /// then run code here
    #[arg(long, env = "STEPWELL_ALLOW_UNAUTHENTICATED")]
    pub allow_unauthenticated: bool,
    /// Take only requests that are signed with an access key of this file, which looks like ~/.aws/credentials; a
    /// profile's aws_account_id is the account that its requests act for. The variables STEPWELL_ACCESS_KEY_ID and
    /// STEPWELL_SECRET_ACCESS_KEY add one key. SIGHUP reads the file again
    #[arg(long, value_name = "FILE", env = "STEPWELL_CREDENTIALS")]
    pub credentials: Option<PathBuf>,
    /// Serve HTTPS with this certificate, a PEM file with its chain. SIGHUP reads it again
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "STEPWELL_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "STEPWELL_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// What clients may take
    #[command(flatten)]
    pub limits: LimitArgs,
    /// What is embedded and how
    #[command(flatten)]
    pub system: SystemArgs,
    /// Number of shards that executions are spread over, 1 to 256: each is a thread [default: number of processors]
    #[arg(long, value_name = "N", env = "STEPWELL_SHARDS", value_parser = shards)]
    pub shards: Option<NonZeroUsize>,
    /// How long executions are kept after they have closed: 90d, 12h, 30m, 45s; or forever
    #[arg(long, value_name = "TIME", default_value = "90d", env = "STEPWELL_RETENTION", value_parser = retention)]
    pub retention: Retention,
    /// What is logged to stderr: a level (error, warn, info, debug, trace) or a filter such as `warn,stepwell_lambda=debug`
    #[arg(long, value_name = "FILTER", default_value = "info", env = "STEPWELL_LOG")]
    pub log: String,
    /// How long tasks and requests under way are given to end when the server is told to stop, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, env = "STEPWELL_DRAIN_TIMEOUT")]
    pub drain_timeout: u32,
    /// Which executions are traced to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names; none where it is not set
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = Traces::All, env = "STEPWELL_TRACES")]
    pub traces: Traces,
    /// How it is logged
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text, env = "STEPWELL_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// Make every sync of the disk take so much longer, as an ordinary disk would: for measurements
    #[arg(long, value_name = "TIME", value_parser = bench::delay, hide = true)]
    pub sync_delay: Option<std::time::Duration>,
}

/// How long executions are kept after they have closed; `None` for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention(pub Option<Duration>);

/// Limits of the port.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Connections open at once; further ones wait
    #[arg(long, value_name = "N", default_value_t = 16_384, env = "STEPWELL_MAX_CONNECTIONS", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,
    /// Requests worked on at once, long polls among them; further ones get a ThrottlingException
    #[arg(long, value_name = "N", default_value_t = 8192, env = "STEPWELL_MAX_REQUESTS", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_requests: u32,
    /// Seconds for the headers of a request, and until an idle connection is closed
    #[arg(long, value_name = "SECONDS", default_value_t = 60, env = "STEPWELL_IDLE_TIMEOUT", value_parser = clap::value_parser!(u32).range(1..))]
    pub idle_timeout: u32,
    /// Seconds for the body of a request, and for a client to take something of an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60, env = "STEPWELL_BODY_TIMEOUT", value_parser = clap::value_parser!(u32).range(1..))]
    pub body_timeout: u32,
}

/// Settings of a system, whether served or started for one run.
#[derive(Debug, Clone, Args)]
pub struct SystemArgs {
    /// Region in ARNs and for functions
    #[arg(long, value_name = "REGION", default_value = "us-east-1", env = "STEPWELL_REGION", value_parser = region)]
    pub region: String,
    /// Account id in ARNs
    #[arg(long, value_name = "ID", default_value = "000000000000", env = "STEPWELL_ACCOUNT", value_parser = account_id)]
    pub account: String,
    /// Use a service outside: dynamodb=http://127.0.0.1:8000, s3=http://127.0.0.1:9000, sqs=aws …, or *=URL for all that
    /// are not embedded; may be repeated (the variables AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_S3 … do the same)
    #[arg(long, value_name = "SERVICE=URL|aws|embedded")]
    pub endpoint: Vec<String>,
    /// Where language packages for functions are kept between runs [default: the user's cache directory]
    #[arg(long, value_name = "DIR", env = "STEPWELL_CACHE_DIR")]
    pub cache_dir: Option<PathBuf>,
}

/// Which executions are traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Traces {
    /// All of them
    All,
    /// Those of state machines whose tracingConfiguration is enabled
    Enabled,
    /// None
    Off,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// `stepwell deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// A cdk.out directory, or a CloudFormation template in JSON or YAML
    pub path: PathBuf,
    /// Only this stack of the assembly (may be repeated); for a template, the name of its stack
    #[arg(long, value_name = "NAME")]
    pub stack: Vec<String>,
    /// Value of a template parameter; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_and_value)]
    pub parameter: Vec<(String, String)>,
    /// Which server
    #[command(flatten)]
    pub endpoint: EndpointArgs,
    /// How to print
    #[command(flatten)]
    pub output: JsonArgs,
}

/// `stepwell stacks …`.
#[derive(Debug, Subcommand)]
pub enum StacksCommand {
    /// List the stacks
    List {
        /// Which server
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// How to print
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Show a stack: status, resources, outputs
    Show {
        /// Its name
        name: String,
        /// Which server
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// How to print
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Delete a stack and its resources
    Delete {
        /// Its name
        name: String,
        /// Which server
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// How to print
        #[command(flatten)]
        output: JsonArgs,
    },
}

/// `stepwell run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Definitions (.json, .asl.json, .yaml), CloudFormation templates or cdk.out directories
    #[arg(required = true)]
    pub path: Vec<PathBuf>,
    /// Input of the execution, a JSON document [default: {}]
    #[arg(long, value_name = "JSON", conflicts_with = "input_file")]
    pub input: Option<String>,
    /// File with the input; - is stdin
    #[arg(long, value_name = "FILE")]
    pub input_file: Option<PathBuf>,
    /// Run only this state machine: its name or logical id; may be repeated
    #[arg(long, value_name = "NAME")]
    pub state_machine: Vec<String>,
    /// Name of the execution [default: a generated one]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Value of a template parameter; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_and_value)]
    pub parameter: Vec<(String, String)>,
    /// URL of a server to run on [env: AWS_ENDPOINT_URL_SFN, AWS_ENDPOINT_URL]; without one, a server is started inside
    /// this process and ends with it
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    pub endpoint_url: Option<String>,
    /// PEM file with the certificates to trust instead of the well-known ones, for an https URL [env: AWS_CA_BUNDLE]
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
    /// Data directory of the server inside this process, kept afterwards [default: a temporary one]; the variables
    /// that name a server do not count then
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Settings of the server inside this process
    #[command(flatten)]
    pub system: SystemArgs,
    /// Stop the executions and fail after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// Print one JSON object per line: every event, then the result
    #[arg(long)]
    pub json: bool,
    /// What the server inside this process logs to stderr
    #[arg(long, value_name = "FILTER", default_value = "off", env = "STEPWELL_LOG")]
    pub log: String,
}

/// `stepwell executions …`.
#[derive(Debug, Subcommand)]
pub enum ExecutionsCommand {
    /// List executions, newest first
    List {
        /// Of this state machine only: its name or ARN
        #[arg(long, value_name = "NAME|ARN")]
        state_machine: Option<String>,
        /// With this status only
        #[arg(long, value_enum, ignore_case = true)]
        status: Option<Status>,
        /// So many of each state machine at the most
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// Which server
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// How to print
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Show an execution: status, times, input, output
    Show {
        /// Its ARN
        execution: String,
        /// Which server
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// How to print
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Show the events of an execution
    History {
        /// Its ARN
        execution: String,
        /// Newest first
        #[arg(long)]
        reverse: bool,
        /// Which server
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// How to print
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Start an execution
    Start {
        /// The state machine: its name or ARN
        state_machine: String,
        /// Input, a JSON document [default: {}]
        #[arg(long, value_name = "JSON", conflicts_with = "input_file")]
        input: Option<String>,
        /// File with the input; - is stdin
        #[arg(long, value_name = "FILE")]
        input_file: Option<PathBuf>,
        /// Name of the execution [default: a generated one]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Wait for its end and show every state
        #[arg(long)]
        wait: bool,
        /// Which server
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// How to print
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Stop an execution
    Stop {
        /// Its ARN
        execution: String,
        /// Error to record
        #[arg(long, value_name = "NAME")]
        error: Option<String>,
        /// Cause to record
        #[arg(long, value_name = "TEXT")]
        cause: Option<String>,
        /// Which server
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// How to print
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Let an execution that failed, timed out or was stopped go on from where it failed
    Redrive {
        /// Its ARN
        execution: String,
        /// Which server
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// How to print
        #[command(flatten)]
        output: JsonArgs,
    },
}

/// Status of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Status {
    /// RUNNING
    Running,
    /// SUCCEEDED
    Succeeded,
    /// FAILED
    Failed,
    /// TIMED_OUT
    #[value(alias = "timed_out")]
    TimedOut,
    /// ABORTED
    Aborted,
}

impl Status {
    /// As in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted => "ABORTED",
        }
    }
}

/// `stepwell machines …`.
#[derive(Debug, Subcommand)]
pub enum MachinesCommand {
    /// List the state machines
    List {
        /// Which server
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// How to print
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Show a state machine and its definition
    Show {
        /// Its name or ARN
        state_machine: String,
        /// Which server
        #[command(flatten)]
        endpoint: EndpointArgs,
        /// How to print
        #[command(flatten)]
        output: JsonArgs,
    },
}

/// `stepwell validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Definitions in JSON or YAML, CloudFormation templates, or cdk.out directories; - is stdin
    #[arg(required = true)]
    pub file: Vec<PathBuf>,
    /// Check as an Express state machine
    #[arg(long)]
    pub express: bool,
    /// How to print
    #[command(flatten)]
    pub output: JsonArgs,
}

/// `stepwell graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// A definition in JSON or YAML, a CloudFormation template, or a cdk.out directory; - is stdin
    #[arg(required_unless_present = "execution")]
    pub file: Option<PathBuf>,
    /// Which state machine of a template: its name or logical id
    #[arg(long, value_name = "NAME")]
    pub state_machine: Option<String>,
    /// What to draw with
    #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
    pub format: GraphFormat,
    /// Write to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Mark what this execution did; without FILE, draw the definition that it runs
    #[arg(long, value_name = "ARN")]
    pub execution: Option<String>,
    /// Which server has the execution
    #[command(flatten)]
    pub endpoint: EndpointArgs,
}

/// What a graph is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Text that Markdown viewers draw
    Mermaid,
    /// A picture
    Svg,
}

/// `stepwell env`.
#[derive(Debug, Args)]
pub struct EnvArgs {
    /// Which server
    #[command(flatten)]
    pub endpoint: EndpointArgs,
    /// How to print
    #[command(flatten)]
    pub output: JsonArgs,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}

/// Each shard is a thread; beyond the number of processors they bring nothing.
const SHARDS_MAX: usize = 256;

fn shards(text: &str) -> Result<NonZeroUsize, String> {
    let shards = text.parse().ok().filter(|shards: &NonZeroUsize| shards.get() <= SHARDS_MAX);
    shards.ok_or_else(|| format!("a number from 1 to {SHARDS_MAX}"))
}

fn retention(text: &str) -> Result<Retention, String> {
    if text == "forever" {
        return Ok(Retention(None));
    }
    let unit = |unit: char| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(60 * 60),
        'd' => Some(24 * 60 * 60),
        _ => None,
    };
    let seconds = text.char_indices().next_back().and_then(|(at, last)| {
        let count = text[..at].parse::<u64>().ok().filter(|count| *count > 0)?;
        count.checked_mul(unit(last)?)
    });
    // More than a clock can be set back.
    let seconds = seconds.filter(|seconds| *seconds <= 1_000 * 365 * 24 * 60 * 60);
    let time = seconds.map(|seconds| Retention(Some(Duration::from_secs(seconds))));
    time.ok_or_else(|| "a time is a number and a unit (s, m, h, d), as 90d; or it is forever".to_owned())
}

fn account_id(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account id has twelve digits".to_owned())
    }
}

fn region(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !text.is_empty() && text.len() <= 32 && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("a region has lower case letters, digits and hyphens, as us-east-1 has".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_declarations_are_consistent() {
        super::Arguments::command().debug_assert();
    }

    #[test]
    fn options_take_what_they_say() {
        let accepts = |line: &str| super::Arguments::try_parse_from(line.split(' ')).is_ok();
        for (status, is_one) in [
            ("FAILED", true),
            ("failed", true),
            ("TIMED_OUT", true),
            ("timed-out", true),
            ("timed_out", true),
            ("DONE", false),
        ] {
            assert_eq!(accepts(&format!("stepwell executions list --status {status}")), is_one, "{status}");
        }
        for (shards, fits) in
            [("1", true), ("256", true), ("0", false), ("257", false), ("100000", false), ("x", false)]
        {
            assert_eq!(accepts(&format!("stepwell serve --shards {shards}")), fits, "{shards}");
        }
    }

    #[test]
    fn a_retention_time_is_a_number_and_a_unit() {
        let seconds = |text: &str| super::retention(text).map(|time| time.0.map(|time| time.as_secs()));
        assert_eq!(seconds("90d"), Ok(Some(7_776_000)));
        assert_eq!(seconds("45s"), Ok(Some(45)));
        assert_eq!(seconds("forever"), Ok(None));
        for wrong in ["", "d", "90", "0d", "-1d", "1y", "1é", "99999999999999999999d", "400000d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
