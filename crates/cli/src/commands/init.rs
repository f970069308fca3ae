//! `hozo init`

use std::fs::{self, OpenOptions};
use std::io::{self, Write};

use hozo::{Plan, Registry};
use serde_json::json;

use crate::args::Init;
use crate::context::{CONFIG_FILE, Context};
use crate::exit;
use crate::failure::{Done, Failure};

/// The directory of stores, beside the config.
const DATA: &str = "data";

/// The config that is written: a complete one, every key explained. `@store@` is
/// what [`store`] says.
const CONFIG: &str = include_str!("init.toml");

/// The keys of the store.
fn store(backend: &str) -> String {
    match backend {
        "memory" => "backend = \"memory\"      # gone when the process ends".to_owned(),
        _ => format!(
            "{:<23} # or \"memory\", which is gone when the process ends\n\
             path = \"data/main\"      # a directory of its own, made when first used",
            format!("backend = {backend:?}")
        ),
    }
}

/// Refuses a backend that is not there before anything is written.
fn check(backend: &str) -> Done {
    let registry = Registry::builtin();
    if registry.names().any(|name| name == backend) {
        return Ok(());
    }
    // What is wrong with the name, and how to get the backend, as any config has it.
    let text = format!("[store.main]\nbackend = {backend:?}\n");
    Plan::from_text("--backend", &text, ".", &registry)?;
    Ok(())
}

pub(super) fn run(args: &Init, context: &mut Context) -> Done {
    let doing = |e: io::Error| Failure::from(e).when(&args.dir.display().to_string());
    let config = args.dir.join(CONFIG_FILE);
    let data = args.dir.join(DATA);
    check(&args.backend)?;
    let text = CONFIG.replace("@store@", &store(&args.backend));
    fs::create_dir_all(&args.dir).map_err(doing)?;
    match OpenOptions::new().write(true).create_new(true).open(&config) {
        Ok(mut file) => file.write_all(text.as_bytes()).map_err(doing)?,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let message = format!("{} is there already; nothing was changed", config.display());
            return Err(Failure::new(exit::CONFLICT, message)
                .hint(format!("`hozo check {}` says whether it is right", config.display())));
        }
        Err(e) => return Err(doing(e)),
    }
    fs::create_dir_all(&data).map_err(doing)?;
    context.whole_plan_of(&config)?;
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
