//! `hozo ulog dump`

use std::io::Write;

use hozo::pages::format_time;
use hozo::repl::offline::Filter;
use hozo::traits::{Ambient, Effect, SystemAmbient, Timestamp, Update, What};
use serde_json::{Map, Value, json};

use super::open;
use crate::args::ulog::Dump;
use crate::commands::dbm::output::Look;
use crate::context::Context;
use crate::failure::{Done, Failure};

pub(super) fn run(args: &Dump, context: &mut Context) -> Done {
    let log = open(&args.of, context)?;
    let since = args.since.map_or(Timestamp::default(), |since| since.from(SystemAmbient.now()));
    let filter = Filter { since, server: args.server_id, dbm: args.dbm_index };
    let mut lines =
        Lines { look: Look::of(false, args.escape, Look::Plain), max: args.items, written: 0 };
    let mut failed = None;
    let read = log.updates(&filter, &mut |update| {
        let written = match context.json {
            true => lines.json(&update, context),
            false => lines.text(&update, context),
        };
        // What writing says is no error of the log.
        failed = written.err();
        Ok(failed.is_none() && !lines.are_enough())
    });
    if let Some(failure) = failed {
        return Err(failure);
    }
    if context.json {
        match lines.written {
            0 => writeln!(context.out, "[]")?,
            _ => writeln!(context.out, "\n]")?,
        }
    }
    read.map_err(|error| Failure::from(error).hint("`hozo ulog verify` says what is damaged"))
}

struct Lines {
    look: Look,
    /// 0 for all.
    max: u64,
    written: u64,
}

impl Lines {
    fn are_enough(&self) -> bool {
        self.max > 0 && self.written >= self.max
    }

    /// A line for each record, as Tkrzw's utilities write it.
    fn text(&mut self, update: &Update, context: &mut Context) -> Done {
        let What::Records { dbm, effects, .. } = &update.what else { return Ok(()) };
        let out = &mut context.out;
        for effect in effects {
            if self.are_enough() {
                break;
            }
            self.written += 1;
            write!(out, "{}\t{}\t{dbm}\t", update.time.as_millis(), update.server)?;
            match effect {
                Effect::Set { key, value } => {
                    out.write_all(b"SET\t")?;
                    out.write_all(&self.look.key(key))?;
                    out.write_all(b"\t")?;
                    out.write_all(&self.look.value(value))?;
                }
                Effect::Remove { key } => {
                    out.write_all(b"REMOVE\t")?;
                    out.write_all(&self.look.key(key))?;
                }
                Effect::Clear => out.write_all(b"CLEAR")?,
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn json(&mut self, update: &Update, context: &mut Context) -> Done {
        self.written += 1;
        context.out.write_all(if self.written == 1 { b"[\n  " } else { b",\n  " })?;
        let mut shown = json!({
            "time": format_time(update.time),
            "timestamp": update.time.as_millis(),
            "origin": update.origin.get(),
            "seq": update.reach.seq,
            "digest": format!("{:08x}", update.reach.digest),
            "server_id": update.server.get(),
        });
        match &update.what {
            What::Records { dbm, effects, reduced } => {
                shown["what"] = "records".into();
                shown["dbm_index"] = (*dbm).into();
                shown["reduced"] = (*reduced).into();
                shown["effects"] = effects.iter().map(|effect| self.effect(effect)).collect();
            }
            What::Nothing => shown["what"] = "nothing".into(),
            What::Epoch(epoch) => {
                shown["what"] = "epoch".into();
                shown["epoch"] = (*epoch).into();
            }
            What::Reset => shown["what"] = "reset".into(),
        }
        Ok(serde_json::to_writer(&mut context.out, &shown)?)
    }

    fn effect(&self, effect: &Effect) -> Value {
        let mut shown = Map::new();
        let op = match effect {
            Effect::Set { .. } => "SET",
            Effect::Remove { .. } => "REMOVE",
            Effect::Clear => "CLEAR",
        };
        shown.insert("op".to_owned(), op.into());
        match effect {
            Effect::Set { key, value } => {
                self.look.put(&mut shown, "key", key);
                self.look.put(&mut shown, "value", value);
            }
            Effect::Remove { key } => self.look.put(&mut shown, "key", key),
            Effect::Clear => {}
        }
        Value::Object(shown)
    }
}
