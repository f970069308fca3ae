//! Rows as a table with lines.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, ContentArrangement, presets};

use crate::output::printable;

/// Rows that a table has at most: their widths must be known before the first is
/// written. More rows are another table.
const ROWS_MAX: usize = 10_000;

/// A table under way.
pub(super) struct Table {
    header: Option<Vec<String>>,
    fit: bool,
    rows: Vec<Vec<(String, bool)>>,
    any: bool,
}

impl Table {
    /// A table with column names above it or not, as wide as it needs or as the
    /// terminal is.
    pub(super) fn new(header: Option<Vec<String>>, fit: bool) -> Self {
        Table { header, fit, rows: Vec::new(), any: false }
    }

    /// Adds a row: texts, and whether each is a number.
    pub(super) fn row(
        &mut self,
        cells: Vec<(String, bool)>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        self.rows.push(cells);
        if self.rows.len() == ROWS_MAX { self.write(out) } else { Ok(()) }
    }

    /// Writes what is there. A table without rows is only its header.
    pub(super) fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if !self.rows.is_empty() || (!self.any && self.header.is_some()) {
            self.write(out)?;
        }
        Ok(())
    }

    fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.any = true;
        let mut table = comfy_table::Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(match self.fit {
            true => ContentArrangement::Dynamic,
            false => ContentArrangement::Disabled,
        });
        if let Some(header) = &self.header {
            table.set_header(header.iter().map(|name| printable(name)));
        }
        for row in self.rows.drain(..) {
            table.add_row(row.into_iter().map(|(text, is_number)| {
                let alignment = if is_number { CellAlignment::Right } else { CellAlignment::Left };
                Cell::new(printable(&text)).set_alignment(alignment)
            }));
        }
        writeln!(out, "{table}")
    }
}
