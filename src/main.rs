//! The program: hands over to the library and returns its exit code. Nothing else lives here.

#[cfg(feature = "end-of-stack")]
use end_of_stack as _;

fn main() -> std::process::ExitCode {
    sx::cli::main()
}
