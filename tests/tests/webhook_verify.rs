//! `hooksensor verify` on a capture, on standard input and on what tools print, and `providers`.
use std::fs::{self, File};
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
    // As a capture that is still being written.
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 10]).unwrap();
    check(&[], 0, Ok("valid"));
    check(&["--delivery", "lost"], 1, Err("ends early"));
}

#[test]
fn a_request_comes_on_standard_input_and_a_secret_from_beside_it() {
    let scratch = Scratch::new().unwrap();
    let request = scratch.write("request", delivery(0, "one", BODY).request.as_bytes()).unwrap();
    let secret = scratch.write("secret", SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let verify = |reference: &str| {
        let mut verify = Command::new(binary().unwrap());
        verify.args(["verify", "-", "--secret", reference]);
        verify.stdin(File::open(&request).unwrap()).current_dir(request.parent().unwrap());
        verify.output().unwrap()
    };
    let output = verify("file:secret");
    let said = String::from_utf8(output.stdout).unwrap();
    let expected = format!("So it is valid, by file:{}.", secret.display());
    assert!(said.trim_end().ends_with(&expected), "{said}");
    // What is no reference may be the secret itself, and is not repeated.
    let output = verify("Mellon");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("and not the secret") && !said.contains("Mellon"), "{said}");
}

#[test]
fn what_is_missing_of_a_question_is_said() {
    let scratch = Scratch::new().unwrap();
    let secret = scratch.write("secret", SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let check = |request: &str, arguments: &[&str], code: i32, words: &str| {
        let mut verify = Command::new(binary().unwrap());
        verify.arg("verify").arg(scratch.write("request", request.as_bytes()).unwrap());
        verify.arg("--secret").arg(format!("file:{}", secret.display()));
        let output = verify.args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.code(), Some(code), "{said:?}");
        assert!(said.concat().contains(words), "{said:?}");
    };
    check("hello world\n", &["--provider", "github"], 1, "has no header fields");
    let twilio = "POST / HTTP/1.1\nHost: h\nX-Twilio-Signature: AAAA\n\n";
    check(twilio, &["--url", "h/in"], 2, "takes a whole URL");
    let paypal = "POST / HTTP/1.1\nPayPal-Transmission-Sig: AAAA\n\n{}";
    check(paypal, &[], 1, "give it with --subscription");
    check(paypal, &[], 1, "which is PEM");
    let stripe = "POST / HTTP/1.1\nStripe-Signature: v1=00\n\n{}";
    check(stripe, &[], 1, "it belongs in \"header stripe-signature\" behind \"t=\"");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let scratch = Scratch::new().unwrap();
    let secret = scratch.write("secret", SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let check = |request: &str, status: &str, words: &str| {
        let mut verify = Command::new(binary().unwrap());
        verify.arg("verify").arg(scratch.write("request", request.as_bytes()).unwrap());
        verify.args(["-o", "json", "--secret"]).arg(format!("file:{}", secret.display()));
        let output = verify.output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["status"], status, "{said:#}");
        let last = said["steps"].as_array().unwrap().last().unwrap().as_str().unwrap();
        assert!(last.contains(words), "{said:#}");
    };
    let good = delivery(0, "one", BODY).request;
    let (head, body) = good.split_once("\r\n\r\n").unwrap();
    check(&good, "valid", "So it is valid");
    check(&good.replace("main", "mian"), "invalid", "Nothing that was tried makes it valid");
    check(&good.replace("sha256=", "sha256=00"), "invalid", "No signature has such a length");
    check(&good.replace("X-Hub", "X-Lost"), "missing", "left the header out");
    check(&format!("{head}\r\n\r\n"), "unverifiable", "the body was cut");
    let bare: Vec<_> = head.lines().filter(|line| !line.starts_with("Content-L")).collect();
    let bare = bare.join("\n");
    check(&format!("{bare}\n\n"), "invalid", "has no body");
    check(&format!("{bare}\n\n{body} \n"), "invalid", "without the white space at the end");
    let decoded = "X-Twilio-Signature: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nHost: a\n\na=b";
    check(decoded, "invalid", "give it with --url");
    let stripe = "Stripe-Signature: t=1,v0=00\n\n{}";
    check(stripe, "missing", "no signature of this provider's scheme");
    let slack = "X-Slack-Signature: v0=00\n\n{}";
    check(slack, "invalid", "the signed time is missing");
}

#[test]
fn a_provider_is_shown_to_programs_too() {
    let show = |format: &[&str]| {
        let mut show = Command::new(binary().unwrap());
        let output = show.args(["providers", "show", "github"]).args(format).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let provider: Value = serde_json::from_slice(&show(&["-o", "json"])).unwrap();
    assert_eq!(provider["name"], "github");
    assert_eq!(provider["signature"][0]["algorithm"], "hmac-sha256");
    assert!(show(&[]).starts_with(b"[[provider]]\nname = \"github\"\n"));
}
