//! The Prometheus endpoint, as Prometheus sees it.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::agent::{Agent, Settings, binary};
use harness::curl::Delivery;
use harness::network::{Network, SERVER_V4};
use harness::server::{LOCATIONS, Server};
use harness::webhook::endpoint;
use harness::{eventually, patient};
use nix::sys::signal::Signal;
use serde_json::json;

const PORT: u16 = 8080;

/// How long figures may take to be published.
const SETTLE: Duration = Duration::from_secs(30);

#[test]
fn promtool_has_nothing_to_say() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    settings.tables = endpoint("orders", "/hooks/", "github", None);
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    for (path, _) in LOCATIONS {
        Delivery::new(target, path, "id", "{}").send(&network.clients[0].namespace).unwrap();
    }
    let exposition = eventually(SETTLE, "figures of a receiver", || {
        agent.get("/metrics").ok().filter(|text| text.contains("hooksensor_answer_seconds_bucket"))
    });
    let exposition = exposition.unwrap();
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut child = promtool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(exposition.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    for secret in ["10.77", "/hooks", "fd77"] {
        assert!(!exposition.contains(secret), "{secret} in a metric:\n{exposition}");
    }
}

/// Three requests in one segment are one head at its start, behind the end of a line.
#[test]
fn requests_that_the_kernel_cannot_count_are_named() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", LOCATIONS[0].0);
    let segment = format!("\r\n{}", request.repeat(3));
    let send = || -> io::Result<()> {
        let mut stream = TcpStream::connect((SERVER_V4, PORT))?;
        stream.write_all(segment.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    };
    network.clients[0].namespace.run(send).unwrap().unwrap();
    let expected = json!([{ "port": PORT, "unrecorded": 0, "uncounted": 2 }]);
    // A record counts at once, and for its port when the shard next publishes its figures.
    eventually(SETTLE, "three records", || {
        let status = agent.status().ok()?;
        let made = &status["records"]["made"]["delivery"];
        (*made == 3 && status["coverage"] == expected).then_some(())
    })
    .unwrap();
    let metrics = agent.metrics().unwrap();
    assert_eq!(metrics.sum("hooksensor_requests_total", &[]), 1);
    assert_eq!(metrics.sum("hooksensor_requests_uncounted", &[]), 2);
    let text = agent.done(&["status"]).unwrap();
    assert!(text.contains("coverage   port 8080: not counted 2\n"), "{text}");
    // What an earlier agent had is not missing in the records of the next.
    agent.stop(Signal::SIGKILL).unwrap();
    agent.resume().unwrap();
    let expected = json!([{ "port": PORT, "unrecorded": 0, "uncounted": 0 }]);
    assert_eq!(agent.status().unwrap()["coverage"], expected);
    assert_eq!(agent.metrics().unwrap().sum("hooksensor_requests_total", &[]), 1);
}

#[test]
fn health_is_told_on_loopback_only() {
    let network = Network::new(1).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    assert!(agent.get("/healthz").is_ok());
    assert!(agent.get("/elsewhere").is_err());
    let far = SocketAddr::new(SERVER_V4.into(), 10_477);
    let reached = network.clients[0].namespace.run(|| TcpStream::connect(far)).unwrap();
    assert!(reached.is_err());
}

/// Connections that ask nothing, each opened again as soon as it is closed, as any local user may.
#[test]
fn health_is_told_beside_those_who_ask_nothing() {
    const IDLE: usize = 400;
    const ANSWERS: usize = 5;
    const ANSWER: Duration = Duration::from_secs(2);
    let network = Network::new(1).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let enough = AtomicBool::new(false);
    let address = SocketAddr::from(([127, 0, 0, 1], 10_477));
    let open = || {
        let stream = TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok()?;
        stream.set_nonblocking(true).ok().map(|()| stream)
    };
    let is_open = |mut stream: &TcpStream| matches!(stream.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    let idle = || {
        let mut held: Vec<Option<TcpStream>> = (0..IDLE).map(|_| None).collect();
        while !enough.load(Ordering::Relaxed) {
            for one in &mut held {
                if !enough.load(Ordering::Relaxed) && !one.as_ref().is_some_and(is_open) {
                    *one = open();
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
        held.iter().flatten().count()
    };
    let (mut answers, held) = thread::scope(|scope| {
        let idle = scope.spawn(|| network.server.run(idle).unwrap());
        let answers = (0..ANSWERS).map(|_| {
            thread::sleep(Duration::from_millis(400));
            let asked = Instant::now();
            agent.get("/healthz").map(|_| asked.elapsed())
        });
        let answers = answers.collect::<Result<Vec<_>, _>>();
        enough.store(true, Ordering::Relaxed);
        (answers.unwrap(), idle.join().unwrap())
    });
    // One that is just being opened again is not among them.
    assert!(held > IDLE / 2, "{held}");
    // Who has to wait for others does so each time; a machine that is held up is so now and then.
    answers.sort_unstable();
    assert!(answers[ANSWERS / 2] < patient(ANSWER), "{answers:?}");
}
