//! Settings from text: what is accepted, what is refused and with which words.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::golden;

/// Reads `text` as `t.toml` and compares every problem, a line each.
fn check(text: &str, expected: &[&str]) {
    let problems = match Config::parse(text, "t.toml") {
        Ok(_) => Vec::new(),
        Err(ConfigError::Refused(problems)) => problems,
        Err(error) => panic!("{error}"),
    };
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, expected, "of {text:?}");
}

#[test]
fn the_sample_is_the_reviewed_one_and_the_deployed_one() {
    golden::check("tests/golden/hooksensor.toml", &sample());
    golden::check("deploy/hooksensor.toml", &sample());
}

#[test]
fn the_sample_is_the_default() {
    assert_eq!(Config::parse(&sample(), "sample").unwrap(), Config::default());
    assert_eq!(Config::parse("", "empty").unwrap(), Config::default());
}

#[test]
fn the_commented_examples_of_the_sample_are_good() {
    let is_setting = |line: &&str| {
        let key = line.split(" = ").next().unwrap_or_default();
        let is_key = line.contains(" = ") && !key.contains(' ');
        is_key || line.starts_with("[[")
    };
    let sample = sample();
    let lines = sample.lines().filter_map(|line| line.strip_prefix("# ")).filter(is_setting);
    let text = lines.collect::<Vec<_>>().join("\n");
    let config = Config::parse(&text, "example").unwrap();
    assert_eq!(config.endpoints.len(), 1, "{text}");
    assert_eq!(config.providers[0].signature.len(), 1, "{text}");
}

#[test]
fn lines_of_the_sample_fit_a_terminal() {
    for line in sample().lines() {
        assert!(line.len() <= 80, "{line}");
    }
}

#[test]
fn effective_settings_read_back() {
    let text = r#"
        interfaces = ["eth0"]
        ports = [8080, 80]
        enforce = true
        [kernel]
        xdp_mode = "generic"
        ring_bytes = "64KiB"
        [ban]
        codes = ["4xx", 500, "501-503"]
        duration = "1h30m"
        [protect]
        addresses = ["192.0.2.7", "2001:db8::/32"]
        [metrics]
        listen = "[::1]:9000"
        [[endpoint]]
        name = "say \"hi\"\u0000"
        port = 80
        path_prefix = "/"
    "#;
    let config = Config::parse(text, "t.toml").unwrap();
    assert_eq!(config.ports, BTreeSet::from([80, 8080]));
    assert_eq!(config.kernel.ring_bytes, 65_536);
    assert_eq!(config.ban.duration, Duration::from_secs(5400));
    assert!(config.ban.codes.contains(502) && !config.ban.codes.contains(504));
    assert_eq!(config.protect.addresses[0].to_string(), "192.0.2.7/32");
    assert_eq!(Config::parse(&config.to_toml(), "shown").unwrap(), config);
}

#[test]
fn unknown_keys() {
    check(
        "\n[kernel]\nring_byte = 1\n",
        &["t.toml:3: unknown key \"ring_byte\" in [kernel]; did you mean \"ring_bytes\"? known \
           keys: xdp_mode, ring_bytes, shards, payload_bytes, sample_one_in, follow, max_bans, \
           max_cidr_bans, max_sources, pin_path, stay_attached"],
    );
    check(
        "[control]\nzzz = 1\n",
        &["t.toml:2: unknown key \"zzz\" in [control]; known keys: socket"],
    );
    check(
        "[[endpoint]]\nname = \"a\"\nport = 1\npath_prefix = \"/\"\npath = \"/\"\n",
        &["t.toml:5: unknown key \"path\" in [endpoint]; did you mean \"path_prefix\"? \
           known keys: name, port, path_prefix, provider, secrets, public_url, subscription, \
           record_body, checks, schemas, unknown_members, shape_after"],
    );
    let top = Config::parse("por = 1", "t.toml").unwrap_err().to_string();
    assert!(top.starts_with("t.toml:1: unknown key \"por\"; did you mean \"ports\"? "), "{top}");
}

#[test]
fn bad_values() {
    check(
        "ports = [80, 70000]",
        &["t.toml:1: ports: 70000 is out of range; a TCP port is 1 to 65535"],
    );
    check("ports = [0]", &["t.toml:1: ports: 0 is out of range; a TCP port is 1 to 65535"]);
    check(
        "enforce = \"yes\"",
        &["t.toml:1: enforce: invalid type: string \"yes\", expected a boolean"],
    );
    check(
        "[ban]\nfailures = -1",
        &["t.toml:2: ban.failures: invalid value: integer `-1`, write a whole number from 0 to \
           4294967295"],
    );
    check(
        "[ban]\nwindow = \"5 minutes\"",
        &["t.toml:2: ban.window: \"5 minutes\" is not a duration; write numbers with units, \
           largest first, as in \"5s\", \"30m\", \"4h\", \"7d\" or \"1h30m\""],
    );
    check(
        "[kernel]\nring_bytes = \"8MB\"",
        &["t.toml:2: kernel.ring_bytes: \"8MB\" is not a size; write octets, or a number with a \
           unit, as in \"64KiB\" or \"8MiB\""],
    );
    check(
        "[kernel]\nring_bytes = \"4GiB\"",
        &["t.toml:2: kernel.ring_bytes: 4294967296 is too large"],
    );
    check(
        "[kernel]\nxdp_mode = \"fast\"",
        &["t.toml:2: kernel.xdp_mode: unknown variant `fast`, expected one of `auto`, `native`, \
           `generic`, `tc`"],
    );
    check(
        "[protect]\naddresses = [\"10.0.0.0/40\"]",
        &["t.toml:2: protect.addresses: \"10.0.0.0/40\" is neither an address nor a network; \
           write \"192.0.2.7\" or \"2001:db8::/32\""],
    );
    check(
        "[ban]\ncodes = [\"4xx\", \"7xx\"]",
        &[
            "t.toml:2: ban.codes: \"7xx\" names no response codes; write a code, a range or a class \
           from 100 to 599, as in \"401\", \"500-599\" or \"4xx\"",
        ],
    );
}

#[test]
fn endpoints_that_do_not_fit() {
    check(
        "ports = [80]\n[[endpoint]]\nname = \"a\"\nport = 80\npath_prefix = \"/\"\nschemas = \"/a\"",
        &["t.toml:6: endpoint.schemas: this holds names with their values; \
           write schemas = { \"NAME\" = \"VALUE\" }"],
    );
    check(
        "ports = [80]\n[[endpoint]]\nname = \"a\"\nport = 80\npath_prefix = \"/\"\n\
         schemas = { push = \"a.json\" }",
        &["t.toml:6: endpoint[0].schemas.push: a.json is not an absolute path; begin it with /"],
    );
    check(
        "[[endpoint]]\nname = \"a\"\nport = 80\npath_prefix = \"/\"\nrecord_body = \"65KiB\"",
        &["t.toml:5: endpoint[0].record_body: 66560 octets make records too long; write at most \
           \"64KiB\""],
    );
}

#[test]
fn what_is_missing_is_said_where_it_should_be() {
    check(
        "[[endpoint]]\nname = \"a\"\nport = 1",
        &["t.toml:1: endpoint: missing field `path_prefix`"],
    );
    check(
        "[[provider]]\nname = \"acme\"",
        &["t.toml:2: provider[0].name: \"acme\" is not built in, and nothing tells it; write \
           recognise = [\"header NAME\"], or [] where only an endpoint names it"],
    );
    check(
        "[[provider]]\nname = \"github\"\nnetworks = [\"192.0.2.0/24\"]",
        &["t.toml:3: provider[0].networks: networks move, and who reads of one that sent from \
             outside them has to know how old they are; write networks_as_of = \"2026-11-01\""],
    );
    // What was refused is not missing as well.
    check(
        "[[endpoint]]\nname = \"a\"\nport = 0\npath_prefix = \"/\"",
        &["t.toml:3: endpoint.port: 0 is out of range; a TCP port is 1 to 65535"],
    );
}

#[test]
fn tables_lists_and_values_in_the_place_of_each_other() {
    let table = "kernel: this is a table; write [kernel] and its keys below it";
    check("kernel = 5", &[&format!("t.toml:1: {table}")]);
    check("\n[[kernel]]\nmax_bans = 1", &[&format!("t.toml:2: {table}")]);
    let value = "kernel.max_bans: this is a single value; write max_bans = ...";
    check("[kernel]\nmax_bans.x = 1", &[&format!("t.toml:2: {value}")]);
    check("[kernel.max_bans]\nx = 1", &[&format!("t.toml:1: {value}")]);
    let tables = "endpoint: this is a list of tables; write [[endpoint]] for each of them";
    check("[endpoint]\nname = \"a\"", &[&format!("t.toml:1: {tables}")]);
    check("endpoint = [1]", &[&format!("t.toml:1: {tables}")]);
    let list = "ports: this is a list; write it in brackets: ports = [...]";
    check("ports = 80", &[&format!("t.toml:1: {list}")]);
    check("ports = { a = 1 }", &[&format!("t.toml:1: {list}")]);
    check(
        "output.file = \"/a\"",
        &["t.toml:1: output.file: this is a table; write [output.file] and its keys below it"],
    );
}

#[test]
fn settings_that_do_not_fit() {
    check(
        "[kernel]\nring_bytes = 100000",
        &["t.toml:2: kernel.ring_bytes: 100000 octets; write a power of two that is at least \
           64KiB, as in \"8MiB\""],
    );
    check(
        "[kernel]\nshards = 65",
        &[
            "t.toml:2: kernel.shards: 65 is out of range; write 1 to 64, or 0 to let the agent choose",
        ],
    );
    check(
        "[ban]\nduration = \"8d\"",
        &[
            "t.toml:2: ban.duration: 8d is longer than max_duration, 7d; lower the one or raise the \
           other",
        ],
    );
    check(
        "[metrics]\nlisten = \"0.0.0.0:10477\"",
        &["t.toml:2: metrics.listen: 0.0.0.0 is not a loopback address, and the endpoint has no \
           authentication; write 127.0.0.1, or allow it with allow_remote = true"],
    );
    check("[metrics]\nlisten = \"0.0.0.0:10477\"\nallow_remote = true", &[]);
    check(
        "ports = [80]\n[[endpoint]]\nname = \"a\"\nport = 81\npath_prefix = \"x\"",
        &[
            "t.toml:4: endpoint[0].port: 81 is not watched; add it to ports at the top",
            "t.toml:5: endpoint[0].path_prefix: \"x\" matches no path; begin it with /",
        ],
    );
    check(
        "interfaces = [\"eth0\", \"an-interface-name\", \"eth0\"]",
        &[
            "t.toml:1: interfaces[1]: \"an-interface-name\" cannot be the name of an interface; \
             `ip link` lists them",
            "t.toml:1: interfaces[2]: \"eth0\" is there twice; remove one",
        ],
    );
}

#[test]
fn what_a_file_can_ask_for_is_bounded() {
    check(
        "[kernel]\nmax_bans = 20000000\n[output.file]\nkeep = 4294967295",
        &[
            "t.toml:2: kernel.max_bans: 20000000 is out of range; write 1 to 16777216",
            "t.toml:4: output.file.keep: 4294967295 files are too many; the most is 1000",
        ],
    );
}

#[test]
fn every_problem_is_reported_in_the_order_of_lines() {
    let text = "ports = [0, 1, 70000]\nenforce = 1\n[kernel]\nmax_bans = 0\nx = 1\n\
                [ban]\nwindow = \"1\"\nwidest_v4 = 0\n";
    let refused = Config::parse(text, "t.toml").unwrap_err();
    let ConfigError::Refused(problems) = refused else { panic!("{refused}") };
    let lines: Vec<_> = problems.iter().filter_map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 1, 2, 4, 5, 7, 8]);
}

#[test]
fn text_that_is_not_toml() {
    check(
        "enforce = true\nports = [80\n[kernel\nx = 1",
        &["t.toml:3: missing comma between array elements, expected `,`"],
    );
    check("ports = [80]\n\nports = [81]", &["t.toml:3: duplicate key, at \"ports\""]);
    check("[kernel\nmax_bans = 1", &["t.toml:1: unclosed table, expected `]`"]);
}

#[test]
fn a_run_without_anything_to_watch_says_what_to_write() {
    let refused = Config::default().watching().unwrap_err().to_string();
    assert_eq!(
        refused,
        "interfaces: no network interface to watch; write interfaces = [\"eth0\"] or give \
         --interface eth0\n\
         ports: no port to watch; write ports = [8080] or give --port 8080"
    );
    let config = Config::default_with(vec!["eth0".to_owned()], BTreeSet::from([8080])).unwrap();
    assert!(!config.enforce, "simulation is the default");
}

#[test]
fn the_command_line_is_over_the_file() {
    let text = "interfaces = [\"a\"]\nports = [1, 2]\nenforce = true\n\
                endpoint = [{ name = \"one\", port = 1, path_prefix = \"/\" },\
                            { name = \"two\", port = 2, path_prefix = \"/\" }]";
    let file = Config::parse(text, "t").unwrap();
    let same = file.clone().with(Overrides::default()).unwrap();
    assert_eq!(same, file);
    let overrides = Overrides {
        interfaces: vec!["b".to_owned()],
        ports: BTreeSet::from([2]),
        enforce: Some(false),
    };
    let changed = file.with(overrides).unwrap();
    assert_eq!((changed.interfaces[0].as_str(), changed.enforce), ("b", false));
    assert_eq!(changed.ports, BTreeSet::from([2]));
    let named: Vec<_> = changed.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    assert_eq!(named, ["two"], "an endpoint on a port that is not watched is left out");
}

#[test]
fn a_file_that_is_not_there() {
    let error = Config::load(Path::new("/nonexistent/hooksensor.toml")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the configuration /nonexistent/hooksensor.toml: "));
}

#[test]
fn the_schema_has_a_description_for_every_setting() {
    fn describe(schema: &serde_json::Value, path: &str) {
        for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
            assert!(inner["description"].is_string(), "{path}.{key} has no description");
            describe(inner, &format!("{path}.{key}"));
            describe(&inner["items"], &format!("{path}.{key}"));
        }
    }
    describe(&schema::inlined(), "");
    assert!(schema().contains("\"$schema\""));
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in "([a-z_]{1,9}|[\\[\\]=\"\\n0-9.\\-#{}, ]|ports|kernel|endpoint){0,40}") {
        if let Err(error) = Config::parse(&text, "t.toml") {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn providers_and_their_endpoints() {
    let endpoint = "[[endpoint]]\nname = \"a\"\nport = 1\npath_prefix = \"/\"\n";
    let first_line = |text: &str| {
        let error = Config::parse(text, "t.toml").unwrap_err().to_string();
        error.lines().next().unwrap_or_default().to_owned()
    };
    let unknown = first_line(&format!("{endpoint}provider = \"gihtub\"\n"));
    let expected = "t.toml:5: endpoint[0].provider: \"gihtub\" is not known; write a [[provider]]";
    assert!(unknown.starts_with(expected), "{unknown}");
    let secret = first_line(&format!("{endpoint}secrets = [\"hunter2\"]\n"));
    assert!(secret.contains("no reference to a secret") && !secret.contains("hunter2"), "{secret}");
    let provider = "[[provider]]\nname = \"b\"\nrecognise = [\"json /a\"]\n";
    assert!(first_line(provider).contains("told by headers"), "{}", first_line(provider));
    let custom = "[[provider]]\nname = \"b\"\nrecognise = [\"header x-b\"]\n";
    for (algorithm, signed) in [("sha256", "{body}"), ("hmac-sha256", "{secret}{body}")] {
        let scheme = format!(
            "[[provider.signature]]\nalgorithm = {algorithm:?}\nsignature = \"header x-b\"\n\
             signed = {signed:?}\n"
        );
        let refused = first_line(&format!("{custom}{scheme}"));
        assert!(refused.contains("{secret} stands in"), "{refused}");
    }
    let both = format!("{custom}{endpoint}provider = \"b\"\nsecrets = [\"env:B\"]\n");
    let config = Config::parse(&both, "t.toml").unwrap();
    assert_eq!(Config::parse(&config.to_toml(), "written").unwrap(), config);
}
