use super::{Block, blocks};

#[test]
fn blocks_are_found() {
    let found = blocks("one\n```sh x\nls\n  pwd\n```\ntwo\n```toml\n```\n");
    let first = Block { info: "sh x".into(), line: 2, text: "ls\n  pwd\n".into() };
    assert_eq!(found[0], first);
    assert_eq!(found[0].language(), "sh");
    assert_eq!((found.len(), found[1].text.as_str()), (2, ""));
}
