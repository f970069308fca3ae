//! What does not happen when the program ends.

/// Makes a library forget every destructor that is registered in it.
///
/// RocksDB joins its threads in a static destructor. In a forked child those
/// threads do not exist, and the join crashes the child, even one that never
/// used the store; in the parent, destructors run while other threads are still
/// in the store. None of them is needed: what was committed is in the log. So
/// the linker sends every registration of a destructor in the library here
/// (`--wrap=__cxa_atexit`, see [`link`](crate::link)), where it is forgotten.
///
/// In assembly, because a Rust function of this name would be exported; and a
/// macro, so that it is in the library's own object, which every linker takes
/// whatever the order of the others.
#[macro_export]
macro_rules! forget_destructors {
    () => {
        #[cfg(target_arch = "x86_64")]
        ::core::arch::global_asm!(
            ".pushsection .text.__wrap___cxa_atexit, \"ax\", @progbits",
            ".globl __wrap___cxa_atexit",
            ".hidden __wrap___cxa_atexit",
            ".type __wrap___cxa_atexit, @function",
            "__wrap___cxa_atexit:",
            "endbr64",
            "xor eax, eax",
            "ret",
            ".size __wrap___cxa_atexit, . - __wrap___cxa_atexit",
            ".popsection",
        );

        #[cfg(target_arch = "aarch64")]
        ::core::arch::global_asm!(
            ".pushsection .text.__wrap___cxa_atexit, \"ax\", @progbits",
            ".globl __wrap___cxa_atexit",
            ".hidden __wrap___cxa_atexit",
            ".type __wrap___cxa_atexit, @function",
            "__wrap___cxa_atexit:",
            "hint #34",
            "mov w0, #0",
            "ret",
            ".size __wrap___cxa_atexit, . - __wrap___cxa_atexit",
            ".popsection",
        );
    };
}
