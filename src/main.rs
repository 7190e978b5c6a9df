//! The program: hands over to the library and returns its exit code. Nothing else lives here.

fn main() -> std::process::ExitCode {
    sx::cli::main()
}
