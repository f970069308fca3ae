//! FoundationDB's C API, declared by hand, for the crate `foundationdb`.
//!
//! The crate of this name on crates.io makes its declarations with bindgen, with
//! features of bindgen that RocksDB's build does not have: cargo would join them,
//! and compile RocksDB again. It also links libfdb_c by name. This one needs no
//! libclang and links nothing: the symbols come from `hozo-backend-fdb`, which
//! finds the real ones at run time.
//!
//! What is here is what `foundationdb` uses at API version 740, and
//! [`fdb_create_database_from_connection_string`].
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]

mod functions;
mod options;
mod types;

pub use functions::*;
pub use options::*;
pub use types::*;

/// The API version whose declarations these are.
pub const FDB_API_VERSION: u32 = 740;

/// Chooses code by API version, as the macro of this name that it stands in for:
/// with declarations of one version only, the newest, every `min` holds and every
/// `max` does not.
#[macro_export]
macro_rules! if_cfg_api_versions {
    (min = $min:tt, max = $max:tt => { $($then:tt)* } else { $($else:tt)* }) => {{ $($else)* }};
    (min = $min:tt, max = $max:tt => $($then:tt)*) => {};
    (max = $max:tt => { $($then:tt)* } else { $($else:tt)* }) => {{ $($else)* }};
    (max = $max:tt => $($then:tt)*) => {};
    (min = $min:tt => { $($then:tt)* } else { $($else:tt)* }) => {{ $($then)* }};
    (min = $min:tt => $($then:tt)*) => { $($then)* };
}
