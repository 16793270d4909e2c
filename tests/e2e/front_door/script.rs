//! The scripts of deploy/3cx, compiled, in front of the program. `harness.cs` stands in for 3CX's classes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Site;
use crate::support::{SECRET, until};

const SCRIPTS: [&str; 2] = ["deploy/3cx/front-door.cs", "deploy/3cx/front-door-designer.cs"];

struct Script {
    folder: tempfile::TempDir,
}

impl Script {
    /// None where the compiler is missing.
    fn compiled(url: &str, calls_back: bool) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        for file in SCRIPTS.into_iter().chain(["tests/e2e/front_door/harness.cs"]) {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.replace("https://precall.example.com/webhook/3cx", url);
            let text = text.replace("THREECX_WEBHOOK_SECRET", SECRET);
            let text = text.replace("CallsBack = false", &format!("CallsBack = {calls_back}"));
            std::fs::write(folder.path().join(file.file_name().unwrap()), text).unwrap();
        }
        let mut compiler = Command::new("mcs");
        compiler.current_dir(folder.path());
        let compiled = compiler.args(["-r:System.Net.Http.dll", "-out:door.exe", "-recurse:*.cs"]).output();
        let Ok(compiled) = compiled else {
            eprintln!(
                "SKIPPED: mcs is not installed (apt-get install mono-mcs); THE SCRIPTS OF 3CX ARE NOT TESTED"
            );
            return None;
        };
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Some(Self { folder })
    }

    /// What it says at last, and after how long.
    async fn run(&self, arguments: &[&str]) -> (String, Duration) {
        let mut mono = Command::new("mono");
        mono.arg("door.exe").args(arguments).current_dir(self.folder.path());
        let begun = Instant::now();
        let ended = actix_web::rt::task::spawn_blocking(move || mono.output()).await.unwrap().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        (String::from_utf8(ended.stdout).unwrap().trim().to_owned(), begun.elapsed())
    }

    async fn says(&self, arguments: &[&str]) -> String {
        self.run(arguments).await.0
    }
}

#[test]
fn both_scripts_ask_in_the_same_way() {
    let [door, designer] = SCRIPTS.map(|file| {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        text.split("// --- as in the other file ---").nth(1).unwrap().to_owned()
    });
    assert!(door.contains("X-3CX-Signature"));
    assert_eq!(door, designer);
}

#[actix::test]
async fn the_scripts_take_a_caller_to_people_whenever_precall_does_not_answer() {
    let site = Site::new().await;
    let service = site.serve().await;
    let Some(script) = Script::compiled(&site.webhook, false) else { return };
    assert_eq!(script.says(&["script"]).await, "routed to 900");
    until("precall has the call", || async {
        let call = "select 1 from call_log where threecx_call_id = '77001' and caller_id = '+12025550142'";
        site.client.query_opt(call, &[]).await.unwrap().is_some()
    })
    .await;
    assert_eq!(script.says(&["designer"]).await, "precall takes it");
    // precall died after its answer: its leg rings in vain.
    assert_eq!(script.says(&["script", "900"]).await, "routed to 100");
    assert_eq!(script.says(&["script", "900", "100"]).await, "returned False");

    // It takes the connection and does nothing.
    service.signal(Signal::SIGSTOP);
    let (said, took) = script.run(&["script"]).await;
    assert_eq!(said, "routed to 100");
    assert!((Duration::from_millis(2_900)..Duration::from_secs(15)).contains(&took), "{took:?}");
    assert_eq!(script.says(&["designer"]).await, "people take it");
    service.signal(Signal::SIGCONT);

    service.signal(Signal::SIGKILL);
    assert_eq!(service.end().await.code, None);
    assert_eq!(script.says(&["script"]).await, "routed to 100");
    let service = site.serve().await;
    service.signal(Signal::SIGTERM);
    assert_eq!(service.end().await.code, Some(0));
    assert_eq!(script.says(&["script"]).await, "routed to 100");
    assert_eq!(script.says(&["designer"]).await, "people take it");
}

/// Gives every request this answer.
async fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook/3cx", listener.local_addr().unwrap());
    actix_web::rt::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = Vec::new();
            while !asked.ends_with(b"}") && stream.read_buf(&mut asked).await.is_ok_and(|read| read > 0) {}
            let _answered = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[actix::test]
async fn the_answer_of_precall_decides() {
    let ok = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let answers = [
        (format!("{ok}{{\"status\":\"accepted\"}}"), "routed to 900", "returned True"),
        (format!("{ok}{{ \"call\": 1, \"status\" : \"duplicate\" }}"), "routed to 900", "returned True"),
        // precall itself brings a rejected caller to FALLBACK_DESTINATION on the bridge. Nobody phones him back.
        (format!("{ok}{{\"status\":\"rejected\"}}"), "routed to 900", "routed to 100"),
        (
            "HTTP/1.1 302 Found\r\nlocation: /sign-in\r\nconnection: close\r\n\r\n".to_owned(),
            "routed to 100",
            "routed to 100",
        ),
        ("HTTP/1.1 401 No\r\nconnection: close\r\n\r\n".to_owned(), "routed to 100", "routed to 100"),
        ("HTTP/1.1 502 No\r\nconnection: close\r\n\r\n".to_owned(), "routed to 100", "routed to 100"),
        ("no HTTP".to_owned(), "routed to 100", "routed to 100"),
    ];
    for (answer, on_a_leg, called_back) in answers {
        let url = answering(answer.clone().leak()).await;
        for (calls_back, said) in [(false, on_a_leg), (true, called_back)] {
            let Some(script) = Script::compiled(&url, calls_back) else { return };
            assert_eq!(script.says(&["script"]).await, said, "{answer}");
            let takes = said == "routed to 900" || said == "returned True";
            let said = if takes { "precall takes it" } else { "people take it" };
            assert_eq!(script.says(&["designer"]).await, said, "{answer}");
        }
    }
}
