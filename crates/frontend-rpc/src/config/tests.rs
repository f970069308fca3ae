use super::*;

fn parse(text: &str) -> std::result::Result<Config, String> {
    toml::from_str(text).map_err(|e| e.message().to_owned())
}

fn listening(text: &str) -> Config {
    parse(&format!("listen = \"{text}\"")).unwrap()
}

/// The setting that `check` says is wrong.
fn wrong(text: &str) -> String {
    let error = parse(text).unwrap().check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    let (key, setting) = &error.context()[0];
    assert_eq!(*key, "setting", "{error}");
    setting.clone()
}

#[test]
fn only_the_place_must_be_given() {
    let config = listening("127.0.0.1:1978");
    assert_eq!(config, Config::new(["127.0.0.1:1978".parse().unwrap()]));
    config.check().unwrap();
    assert!(parse("").unwrap_err().contains("listen"));
    assert!(parse("listen = \"[::1]:1\"\nlisten_on = 1").unwrap_err().contains("listen_on"));
    assert!(parse("listen = 1978").unwrap_err().contains("a place to listen at"));
}

#[test]
fn a_config_is_what_it_was_written_as() {
    let text = r#"listen = ["127.0.0.1:1978", "[::1]:1978", "db1.example.org:1978", "unix:dbm.sock"]
insecure = true
socket_mode = "0660"
tokens = "tokens.toml"
reflection = false
max_message_bytes = 1073741824
max_connections = 1
max_streams = 2
max_requests = 3
idle_timeout_s = 4
request_timeout_s = 5
stop_timeout_s = 6
threads = 7

[tls]
cert = "server.pem"
key = "server.key"
client_ca = "ca.pem"
"#;
    let config = parse(text).unwrap();
    config.check().unwrap();
    assert_eq!(config.stop_timeout(), Duration::from_secs(6));
    assert_eq!(config.socket_mode, SocketMode(0o660));
    let written = toml::to_string(&config).unwrap();
    assert_eq!(parse(&written).unwrap(), config, "{written}");
    let one = toml::to_string(&listening("localhost:1978")).unwrap();
    assert!(one.starts_with("listen = \"localhost:1978\"\n"), "{one}");
}

#[test]
fn places_are_addresses_names_and_paths() {
    let local = |text: &str| {
        let config = listening(text);
        assert_eq!(config.listen[0].to_string(), text);
        config.listen[0].is_local()
    };
    for text in ["127.0.0.1:1978", "127.9.9.9:0", "[::1]:1978", "localhost:1978", "unix:/x"] {
        assert!(local(text), "{text}");
    }
    for text in [
        "0.0.0.0:1978",
        "[::]:1978",
        "192.168.1.1:1978",
        "example.org:1978",
        "localhost.example.org:1978",
    ] {
        assert!(!local(text), "{text}");
    }
    assert!("[::ffff:127.0.0.1]:1978".parse::<Listen>().unwrap().is_local());
    assert_eq!("unix:///run/x".parse::<Listen>().unwrap(), Listen::Unix("/run/x".into()));
    assert_eq!("unix:x".parse::<Listen>().unwrap(), Listen::Unix("x".into()));
    for text in [
        "",
        "1978",
        ":1978",
        "localhost",
        "localhost:",
        "localhost:x",
        "localhost:65536",
        "*:1978",
        "::1:1978",
        "127.0.0.1:99999",
        "127.0.0:1978",
        "1.2.3.4.5:1978",
        "unix:",
        "a b:1978",
        "http://localhost:1978",
        "127.0.0.1:1978/",
    ] {
        let error = text.parse::<Listen>().unwrap_err();
        assert_eq!(error.context()[0], ("setting", "listen".to_owned()), "{text}");
        let said = parse(&format!("listen = [\"{text}\"]")).unwrap_err();
        assert!(said.contains(error.message()), "{said}");
    }
}

#[test]
fn names_are_looked_up_when_they_are_wanted() {
    let claim = |text: &str| text.parse::<Listen>().unwrap().claim();
    assert_eq!(claim("LocalHost:7").unwrap().to_string(), "127.0.0.1:7");
    assert_eq!(claim("unix:/x").unwrap().to_string(), "unix:/x");
    let error = claim("no-such-name.invalid:7").unwrap_err();
    assert!(error.to_string().contains("no-such-name.invalid:7"), "{error}");
}

#[test]
fn what_others_can_reach_is_protected() {
    let tls = "[tls]\ncert = \"c\"\nkey = \"k\"\n";
    let mutual = "[tls]\ncert = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n";
    let tokens = "tokens = \"t\"\n";
    for listen in ["\"0.0.0.0:1978\"", "[\"127.0.0.1:1978\", \"example.org:1978\"]"] {
        let text = |rest: &str| format!("listen = {listen}\n{rest}");
        for open in ["", tokens, tls] {
            assert_eq!(wrong(&text(open)), "listen", "{open}");
        }
        let said = parse(&text("")).unwrap().check().unwrap_err().to_string();
        for way_out in ["`tls`", "`tokens`", "`tls.client_ca`", "Unix socket", "insecure = true"] {
            assert!(said.contains(way_out), "{said}");
        }
        for closed in ["insecure = true", mutual, &format!("{tokens}{tls}")] {
            parse(&text(closed)).unwrap().check().unwrap();
        }
    }
    for listen in ["\"127.0.0.1:1978\"", "\"unix:x\"", "\"localhost:1978\""] {
        for rest in ["", tls, tokens] {
            parse(&format!("listen = {listen}\n{rest}")).unwrap().check().unwrap();
        }
    }
}

#[test]
fn each_setting_has_its_limits() {
    let with = |rest: &str| format!("listen = \"127.0.0.1:1978\"\n{rest}");
    for (setting, values) in [
        ("max_message_bytes", &["0", "1073741825"][..]),
        ("max_connections", &["0", "4294967295"]),
        ("max_streams", &["0"]),
        ("max_requests", &["0"]),
        ("idle_timeout_s", &["0", "9223372036854775807"]),
        ("request_timeout_s", &["0"]),
        ("stop_timeout_s", &["0"]),
        ("threads", &["1025"]),
        ("socket_mode", &["\"0066\"", "\"4600\"", "\"0400\""]),
        ("tokens", &["\"\""]),
    ] {
        for value in values {
            assert_eq!(wrong(&with(&format!("{setting} = {value}"))), setting, "{value}");
        }
    }
    assert_eq!(wrong("listen = []"), "listen");
    assert_eq!(wrong("listen = [\"[::1]:7\", \"[::1]:7\"]"), "listen");
    parse("listen = [\"[::1]:0\", \"[::1]:0\"]").unwrap().check().unwrap();
    assert_eq!(wrong(&with("tls = { cert = \"\", key = \"k\" }")), "tls.cert");
    assert_eq!(wrong(&with("tls = { cert = \"c\", key = \"\" }")), "tls.key");
    let said = parse(&with("socket_mode = \"rw\"")).unwrap_err();
    assert!(said.contains("octal"), "{said}");
}

#[test]
fn paths_are_relative_to_the_base() {
    let text = "listen = [\"unix:a/b\", \"unix:/c\"]\ntokens = \"t\"\n\
                tls = { cert = \"x\", key = \"/y\", client_ca = \"z\" }";
    let config = parse(text).unwrap().resolved("/base".as_ref());
    let listen: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["unix:/base/a/b", "unix:/c"]);
    let tls = config.tls.unwrap();
    assert_eq!(tls.cert, Path::new("/base/x"));
    assert_eq!(tls.key, Path::new("/y"));
    assert_eq!(tls.client_ca.unwrap(), Path::new("/base/z"));
    assert_eq!(config.tokens.unwrap(), Path::new("/base/t"));
}
