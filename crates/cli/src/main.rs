//! Everything is in the library; see there.

fn main() -> std::process::ExitCode {
    stepwell::run_command_line()
}
