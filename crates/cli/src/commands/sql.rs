//! `hozo sql`

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};

use hozo::pages::Head;
use hozo::traits::{Ambient, SystemAmbient, Version};
use hozo_embedded::rusqlite;
use rustyline::error::ReadlineError;

use super::open_target;
use super::view::connect;
use crate::args::{Mode, Sql};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::output;
use crate::shell::{Session, Settings, Splitter, Stop};

pub(super) fn run(args: &Sql, context: &mut Context) -> Done {
    let stack = context.stack()?;
    let connection = connect(&stack, &args.target, args.create)?;
    let mode = match args.mode {
        _ if context.json => Mode::Json,
        _ if args.csv => Mode::Csv,
        mode => mode.unwrap_or(Mode::Table),
    };
    let settings = Settings { mode, headers: !args.no_headers, fit: io::stdout().is_terminal() };
    let interactive = args.sql.is_none() && io::stdin().is_terminal() && io::stdout().is_terminal();
    if interactive {
        let head = open_target(&stack, &args.target)?.head;
        context.remark(banner(&args.target.to_string(), &head));
    }
    let style = context.style;
    let mut session = Session {
        stack,
        target: args.target.clone(),
        connection,
        settings,
        out: &mut *context.out,
    };
    match &args.sql {
        Some(sql) if sql.trim_start().starts_with('.') => session.script(&mut sql.as_bytes()),
        Some(sql) => session.run(sql, None),
        None if interactive => talk(&mut session, |failure| failure.show(style)),
        None => session.script(&mut io::stdin().lock()),
    }
}

fn banner(target: &str, head: &Head) -> String {
    let hozo = env!("CARGO_PKG_VERSION");
    let sqlite = rusqlite::version();
    let at = if head.version == Version::ZERO {
        "empty".to_owned()
    } else {
        let time = output::time(SystemAmbient.now(), head.time);
        format!("{}, {time}, {}", head.version, output::size(head.bytes()))
    };
    format!("Hozo {hozo}, SQLite {sqlite}\n{target}: {at}\n.help lists what there is besides SQL")
}

/// Reads statements from a person and runs them; errors do not end it.
fn talk(session: &mut Session<'_>, complain: impl Fn(&Failure)) -> Done {
    let failed = |e: ReadlineError| Failure::new(exit::FAILED, format!("the terminal: {e}"));
    let mut editor = rustyline::DefaultEditor::new().map_err(failed)?;
    // Ctrl-C ends the statement that runs; at the prompt the editor sees it first.
    let running = Arc::new(Mutex::new(session.connection.get_interrupt_handle()));
    let interrupt = running.clone();
    ctrlc::set_handler(move || {
        interrupt.lock().unwrap_or_else(PoisonError::into_inner).interrupt();
    })
    .map_err(|e| Failure::new(exit::FAILED, format!("Ctrl-C cannot be caught: {e}")))?;

    let mut splitter = Splitter::new();
    loop {
        let name = session.target.to_string();
        let prompt = match splitter.is_idle() {
            true => format!("{name}> "),
            false => format!("{:>width$}> ", "...", width = name.chars().count()),
        };
        let line = match editor.readline(&prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                splitter.take_rest();
                continue;
            }
            Err(ReadlineError::Eof) => return Ok(()),
            Err(e) => return Err(failed(e)),
        };
        if !line.trim().is_empty() {
            // A line that is not remembered is no reason to stop.
            let _ = editor.add_history_entry(&line);
        }
        let outcome = if splitter.is_idle() && line.trim_start().starts_with('.') {
            splitter.take_rest();
            session.dot(&line)
        } else {
            splitter.push(&line);
            splitter.push("\n");
            match splitter.take() {
                Some(sql) => session.run(&sql, None).map(|()| Stop::GoOn),
                None => Ok(Stop::GoOn),
            }
        };
        session.out.flush()?;
        match outcome {
            Ok(Stop::GoOn) => {}
            Ok(Stop::Quit) => return Ok(()),
            Err(failure) => complain(&failure),
        }
        // `.open` may have made another connection.
        *running.lock().unwrap_or_else(PoisonError::into_inner) =
            session.connection.get_interrupt_handle();
    }
}
