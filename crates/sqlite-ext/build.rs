//! Links the library so that it can be loaded into any program.

fn main() {
    hozo_loaded::link::library();
}
