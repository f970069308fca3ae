//! The commands of a document, so that a test can run them.

/// A fenced block of a Markdown file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// What stands after the opening fence, such as `sh` or `sh test=django`.
    pub info: String,
    /// The line of the opening fence, from 1.
    pub line: usize,
    /// What is inside.
    pub text: String,
}

impl Block {
    /// The block's language: the first word after the fence.
    pub fn language(&self) -> &str {
        self.info.split_whitespace().next().unwrap_or("")
    }
}

/// The fenced blocks of a Markdown text, in order.
///
/// # Panics
/// If the last one is not closed.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in markdown.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let info = info.trim().to_owned();
                open = Some(Block { info, line: number + 1, text: String::new() });
            }
            (None, None) => {}
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
        }
    }
    if let Some(block) = open {
        panic!("the block of line {} is not closed", block.line);
    }
    blocks
}

#[cfg(test)]
mod tests;
