//! What every command needs: where the config is, and how to talk.

use std::cell::RefCell;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hozo::{Plan, Problems, Registry, Stack};

use crate::args::{ColorWhen, Global};
use crate::exit;
use crate::failure::{Done, Failure};
use crate::output::Style;

/// The config's name where none is given.
pub(crate) const CONFIG_FILE: &str = "hozo.toml";

/// Names the config where the command line does not.
const CONFIG_VARIABLE: &str = "HOZO_CONFIG";

/// Things that all commands share.
pub(crate) struct Context {
    config: Option<PathBuf>,
    /// Whether the command line names the config.
    pub(crate) config_is_given: bool,
    /// Programs read the output.
    pub(crate) json: bool,
    /// Neither progress nor remarks.
    pub(crate) quiet: bool,
    /// How standard error looks.
    pub(crate) style: Style,
    /// How standard output looks.
    pub(crate) out_style: Style,
    /// Standard output.
    pub(crate) out: Box<dyn Write>,
    /// What was made, to be closed at the end.
    stacks: RefCell<Vec<Arc<Stack>>>,
}

impl Context {
    pub(crate) fn new(global: &Global) -> Self {
        let color = |terminal: bool| match global.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            // See https://no-color.org: set and not empty means no.
            ColorWhen::Auto => {
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Context {
            config: global.config.clone().or_else(|| {
                std::env::var_os(CONFIG_VARIABLE).filter(|file| !file.is_empty()).map(PathBuf::from)
            }),
            config_is_given: global.config.is_some(),
            json: global.json,
            quiet: global.quiet,
            style: Style::new(color(io::stderr().is_terminal())),
            out_style: Style::new(color(io::stdout().is_terminal()) && !global.json),
            out: Box::new(BufWriter::new(io::stdout())),
            stacks: RefCell::default(),
        }
    }

    /// The config file: from `--config`, `HOZO_CONFIG`, or here.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| PathBuf::from(CONFIG_FILE))
    }

    /// The config, checked as far as it is about what commands do themselves.
    pub(crate) fn plan(&self) -> Done<Plan> {
        self.plan_for(&Registry::builtin())
    }

    pub(crate) fn plan_for(&self, registry: &Registry) -> Done<Plan> {
        let file = self.config_file();
        if self.config.is_none() && !file.exists() {
            return Err(Failure::new(exit::CONFIG, format!("there is no {CONFIG_FILE} here"))
                .hint("`hozo init` makes one; --config FILE or HOZO_CONFIG names another"));
        }
        Ok(Plan::from_file(&file, registry)?)
    }

    /// A config, all of it checked, the frontends of `hozo serve` too.
    pub(crate) fn whole_plan_of(&self, file: &Path) -> Result<Plan, Problems> {
        Plan::from_file(file, &Registry::serving())
    }

    /// The stack of the config.
    pub(crate) fn stack(&self) -> Done<Arc<Stack>> {
        Ok(self.stack_of(self.plan()?))
    }

    /// The same with the frontends that can be served.
    pub(crate) fn stack_to_serve(&self) -> Done<Arc<Stack>> {
        Ok(self.stack_of(self.plan_for(&Registry::serving())?))
    }

    /// A plan's stack, which is closed at the end.
    pub(crate) fn stack_of(&self, plan: Plan) -> Arc<Stack> {
        let stack = Stack::open(plan);
        self.stacks.borrow_mut().push(Arc::clone(&stack));
        stack
    }

    /// Closes what is open, so that who opens it next has nothing to make good.
    pub(crate) fn close(&self) {
        self.stacks.borrow().iter().for_each(|stack| stack.close());
    }

    /// Whether somebody sits there who can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Says something to a person, not to a program.
    pub(crate) fn remark(&self, text: impl AsRef<str>) {
        if !self.quiet && !self.json {
            eprintln!("{}", text.as_ref());
        }
    }

    /// Writes a value as JSON, on its own lines.
    pub(crate) fn write_json(&mut self, value: &impl serde::Serialize) -> Done {
        serde_json::to_writer_pretty(&mut self.out, value)?;
        Ok(writeln!(self.out)?)
    }
}
