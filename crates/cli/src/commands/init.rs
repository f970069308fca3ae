//! `hozo init`

use std::fs::{self, OpenOptions};
use std::io::{self, Write};

use serde_json::json;

use crate::args::Init;
use crate::context::{CONFIG_FILE, Context};
use crate::exit;
use crate::failure::{Done, Failure};

/// The directory of stores, beside the config.
const DATA: &str = "data";

/// The config that is written: a complete one, every key explained.
const CONFIG: &str = include_str!("init.toml");

pub(super) fn run(args: &Init, context: &mut Context) -> Done {
    let doing = |e: io::Error| Failure::from(e).when(&args.dir.display().to_string());
    fs::create_dir_all(&args.dir).map_err(doing)?;
    let config = args.dir.join(CONFIG_FILE);
    let data = args.dir.join(DATA);
    match OpenOptions::new().write(true).create_new(true).open(&config) {
        Ok(mut file) => file.write_all(CONFIG.as_bytes()).map_err(doing)?,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let message = format!("{} is there already; nothing was changed", config.display());
            return Err(Failure::new(exit::CONFLICT, message)
                .hint(format!("`hozo check {}` says whether it is right", config.display())));
        }
        Err(e) => return Err(doing(e)),
    }
    fs::create_dir_all(&data).map_err(doing)?;
    context.plan_of(&config)?;
    if context.json {
        return context.write_json(&json!({ "config": config, "data": data }));
    }
    let good = context.out_style.good("made");
    writeln!(context.out, "{good} {}", config.display())?;
    writeln!(context.out, "{good} {}", data.display())?;
    let enter = match args.dir.as_os_str() {
        dir if dir == "." => String::new(),
        _ => format!("  cd '{}'\n", args.dir.display()),
    };
    writeln!(
        context.out,
        "\nNext:\n{enter}\
         \x20 hozo ns create app            make a namespace\n\
         \x20 hozo sql app                  use it\n\
         \x20 hozo ns log app               see its commits\n\
         \x20 hozo sql app@-5m 'SELECT 1'   read it as it was five minutes ago\n\
         \x20 eval \"$(hozo env app)\"        then `sqlite3 app`, or any program that uses SQLite"
    )?;
    Ok(())
}
