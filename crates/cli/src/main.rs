//! The command `hozo`.

fn main() -> std::process::ExitCode {
    hozo_cli::main(std::env::args_os())
}
