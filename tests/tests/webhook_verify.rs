//! `hooksensor verify` on a capture.
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use harness::agent::binary;
use harness::curl::SECRET;
use harness::replay::{Exchange, Scratch, capture};
use harness::webhook::{BODY, PORT, github};
use serde_json::Value;

/// The request of a delivery with this text as its body, signed as if it were [`BODY`].
fn delivery(second: u64, id: &str, body: &str) -> Exchange {
    let head = github("push", id, BODY.as_bytes()).join("\r\n");
    Exchange {
        second,
        took: 0,
        client: [10, 1, 2, 3].into(),
        port: PORT,
        request: format!(
            "POST /hooks HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}",
            BODY.len()
        ),
        response: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
    }
}

#[test]
fn a_delivery_of_a_capture_is_explained() {
    let mut other = delivery(0, "none", BODY);
    other.request = "GET / HTTP/1.1\r\n\r\n".to_owned();
    let changed = BODY.replace("main", "mian");
    let file = capture(&[
        other,
        delivery(10, "first", BODY),
        delivery(20, "changed", &changed),
        delivery(30, "cut", &BODY[..20]),
    ]);
    let scratch = Scratch::new().unwrap();
    let file = scratch.write("capture.pcap", &file).unwrap();
    let secret = scratch.write("secret", SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let check = |choice: &[&str], code: i32, expected: Result<&str, &str>| {
        let mut verify = Command::new(binary().unwrap());
        verify.arg("verify").arg(&file).arg("--secret").arg(format!("file:{}", secret.display()));
        let output = verify.args(["-o", "json"]).args(choice).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{choice:?}: {output:?}");
        match expected {
            Ok(status) => {
                let said: Value = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(said["status"], status, "{choice:?}: {said:#}");
                assert!(said["steps"].as_array().unwrap().len() > 1, "{said:#}");
            }
            Err(words) => {
                let said = String::from_utf8(output.stderr).unwrap();
                assert!(said.contains(words), "{choice:?}: {said}");
            }
        }
    };
    check(&[], 0, Ok("valid"));
    check(&["--delivery", "2"], 0, Ok("valid"));
    check(&["--delivery", "changed"], 1, Ok("invalid"));
    check(&["--delivery", "cut"], 1, Ok("unverifiable"));
    check(&["--delivery", "9"], 1, Err("holds 4 requests"));
    check(&["--delivery", "lost"], 1, Err("none of the 4 requests"));
    check(&["--delivery", "1"], 2, Err("--provider"));
}
