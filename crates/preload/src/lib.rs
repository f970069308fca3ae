//! LD_PRELOAD library that lets unmodified SQLite programs open Hozo namespaces
