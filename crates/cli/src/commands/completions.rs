//! `hozo completions`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::context::Context;
use crate::failure::Done;

pub(super) fn run(shell: Shell, context: &mut Context) -> Done {
    // The generator does not pass write errors on, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "hozo", &mut script);
    Ok(context.out.write_all(&script)?)
}
