//! The `chancery` command: arguments → one command. Everything it does is in the library.

/// Threads here hand each other what they made, which this one takes back sooner than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    chancery::main()
}
