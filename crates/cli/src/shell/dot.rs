//! Lines that begin with a dot.

use clap::ValueEnum;
use hozo::pages::Target;

use super::session::{Session, Stop};
use crate::args::Mode;
use crate::exit;
use crate::failure::{Done, Failure};

/// A dot command: its name, what may follow, what it does.
const COMMANDS: [(&str, &str, &str); 9] = [
    (".help", "", "show this list"),
    (".headers", "on|off", "column names above the rows, or none"),
    (".log", "[N]", "show the newest commits, 20 if not said"),
    (".mode", "MODE", "how rows are written: table, list, csv, json, line"),
    (".open", "NAME[@WHEN]", "go to another namespace, or to another moment of this one"),
    (".quit", "", "leave; Ctrl-D does, too"),
    (".read", "FILE", "run a script"),
    (".schema", "[TABLE]", "show the statements that made the tables, indexes, views, triggers"),
    (".tables", "[PATTERN]", "list tables and views; PATTERN as in LIKE"),
];

pub(super) fn run(session: &mut Session<'_>, line: &str) -> Done<Stop> {
    let line = line.trim().trim_end_matches(';');
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let argument = (!rest.is_empty()).then_some(rest);
    let needed = || {
        argument.ok_or_else(|| {
            let what = COMMANDS.iter().find(|c| c.0 == name).map_or("", |c| c.1);
            Failure::new(exit::USAGE, format!("usage: {name} {what}"))
        })
    };
    match name {
        ".quit" | ".exit" => return Ok(Stop::Quit),
        ".help" => help(session)?,
        ".tables" => tables(session, argument.unwrap_or("%"))?,
        ".schema" => schema(session, argument)?,
        ".mode" => {
            let mode = needed()?;
            session.settings.mode = Mode::from_str(mode, true).map_err(|_| {
                Failure::new(exit::USAGE, format!("there is no mode `{mode}`"))
                    .hint("modes: table, list, csv, json, line")
            })?;
        }
        ".headers" => match needed()? {
            "on" => session.settings.headers = true,
            "off" => session.settings.headers = false,
            _ => return Err(Failure::new(exit::USAGE, "usage: .headers on|off")),
        },
        ".log" => {
            let limit = argument
                .unwrap_or("20")
                .parse()
                .map_err(|_| Failure::new(exit::USAGE, "usage: .log [N]"))?;
            crate::commands::newest(&session.stack, &session.target.name, limit, session.out)?;
        }
        ".open" => {
            let target: Target = needed()?.parse()?;
            session.connection = crate::commands::connect(&session.stack, &target, false)?;
            session.target = target;
        }
        ".read" => {
            let path = needed()?;
            let file = std::fs::File::open(path).map_err(|e| Failure::from(e).when(path))?;
            session.script(&mut std::io::BufReader::new(file)).map_err(|e| e.when(path))?;
        }
        _ => {
            return Err(Failure::new(exit::USAGE, format!("there is no `{name}`"))
                .hint(".help lists what there is"));
        }
    }
    Ok(Stop::GoOn)
}

fn help(session: &mut Session<'_>) -> Done {
    for (name, argument, does) in COMMANDS {
        writeln!(session.out, "{:<21} {does}", format!("{name} {argument}"))?;
    }
    writeln!(
        session.out,
        "\nAnything else is SQL; it ends with a semicolon and may have several lines."
    )?;
    Ok(())
}

fn tables(session: &mut Session<'_>, pattern: &str) -> Done {
    let sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name LIKE ?1 ORDER BY name";
    let mut statement = session.connection.prepare(sql)?;
    let mut rows = statement.query([pattern])?;
    while let Some(row) = rows.next()? {
        writeln!(session.out, "{}", row.get::<_, String>(0)?)?;
    }
    Ok(())
}

fn schema(session: &mut Session<'_>, table: Option<&str>) -> Done {
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL \
               AND (?1 IS NULL OR tbl_name LIKE ?1) ORDER BY tbl_name, type DESC, name";
    let mut statement = session.connection.prepare(sql)?;
    let mut rows = statement.query([table])?;
    while let Some(row) = rows.next()? {
        writeln!(session.out, "{};", row.get::<_, String>(0)?)?;
    }
    Ok(())
}
