use super::*;
use crate::service::Access;

/// Of `x`: `printf x | sha256sum`.
const X: &str = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

fn file(entries: &[(&str, &str, &str)]) -> String {
    entries.iter().fold(String::new(), |text, (name, sha256, rights)| {
        format!("{text}[[token]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\nrights = {rights}\n")
    })
}

fn tokens(text: &str) -> Tokens {
    Tokens::new(&parse_tokens(text).unwrap(), &["casket".into(), "log".into()]).unwrap()
}

#[test]
fn a_file_is_what_it_says() {
    let text = file(&[("web", &X.to_uppercase(), "{ casket = \"write\", \"*\" = \"read\" }")]);
    let entries = parse_tokens(&text).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].name, "web");
    assert_eq!(entries[0].sha256, token_hash("x"));
    let rights: Vec<_> = entries[0].rights.iter().map(|(dbm, r)| (&**dbm, *r)).collect();
    assert_eq!(rights, [("*", Right::Read), ("casket", Right::Write)]);
    assert!(parse_tokens("").unwrap().is_empty());
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let other = X.replace('2', "3");
    for (text, why) in [
        (file(&[("a", "2d71", "{}")]), "64 hex digits"),
        (file(&[("a", &format!("+{}", &X[1..]), "{}")]), "64 hex digits"),
        (file(&[("a", &format!("ほ{}", &X[3..]), "{}")]), "64 hex digits"),
        (file(&[("a", X, "{}"), ("a", &other, "{}")]), "this name"),
        (file(&[("a", X, "{}"), ("b", &X.to_uppercase(), "{}")]), "the same token"),
        (file(&[("a", X, "{ casket = \"all\" }")]), "all"),
        (file(&[("a", X, "{}\nexpires = 1")]), "expires"),
        ("[[tokens]]\n".into(), "tokens"),
        ("token = 1\n".into(), "token"),
    ] {
        let error = parse_tokens(&text).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let many: Vec<_> = (0..=TOKENS_MAX).map(|n| (n.to_string(), format!("{n:064x}"))).collect();
    let many: Vec<_> = many.iter().map(|(name, hash)| (&**name, &**hash, "{}")).collect();
    assert!(parse_tokens(&file(&many)).unwrap_err().to_string().contains("1024"));
    parse_tokens(&file(&many[1..])).unwrap();
}

#[test]
fn each_token_is_found_among_the_others() {
    let names: Vec<_> = (0..200).map(|n| format!("token {n}")).collect();
    let hashes: Vec<String> = names
        .iter()
        .map(|name| token_hash(name).iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    let entries: Vec<_> = (0..200)
        .map(|n| {
            let rights = if n % 2 == 0 { "{ casket = \"admin\" }" } else { "{ \"*\" = \"read\" }" };
            (&*names[n], &*hashes[n], rights)
        })
        .collect();
    let tokens = tokens(&file(&entries));
    for (n, name) in names.iter().enumerate() {
        let access = Access::Rights(Arc::clone(tokens.grant(name.as_bytes()).unwrap()));
        assert!(access.allows(0, Right::Read), "{name}");
        assert_eq!(access.allows(0, Right::Admin), n % 2 == 0, "{name}");
        assert_eq!(access.allows(1, Right::Read), n % 2 == 1, "{name}");
        assert!(!access.allows(2, Right::Read), "{name}");
    }
    for none in ["", "token", "token 200", "token 0 "] {
        assert!(tokens.grant(none.as_bytes()).is_none(), "{none}");
    }
    assert!(super::tests::tokens("").grant(b"").is_none());
}

#[test]
fn what_is_named_is_not_among_the_others() {
    // Lower than what all others have.
    let tokens = tokens(&file(&[("a", X, "{ \"*\" = \"admin\", log = \"read\" }")]));
    let access = Access::Rights(Arc::clone(tokens.grant(b"x").unwrap()));
    assert!(access.allows(0, Right::Admin));
    assert!(access.allows(1, Right::Read));
    assert!(!access.allows(1, Right::Write));
}

#[test]
fn nothing_of_them_is_shown() {
    let shown = format!("{:?}", tokens(&file(&[("web", X, "{}")])));
    assert_eq!(shown, "Tokens(1)");
}
