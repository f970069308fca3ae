//! The small SQL shell of `hozo sql`.

mod dot;
mod render;
mod session;
mod split;
mod table;

pub use split::Splitter;

pub(crate) use session::{Session, Settings, Stop};
