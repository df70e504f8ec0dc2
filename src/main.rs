//! The `chancery` command: arguments → one command. Everything it does is in the library.

fn main() -> std::process::ExitCode {
    chancery::main()
}
