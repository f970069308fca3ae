//! The preload library in real programs.

mod copies;
mod doctor;
mod names;
mod processes;
mod quiet;
mod refused;
mod shell;
mod support;
