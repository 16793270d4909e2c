//! A real browser without a window: Chromium, driven by chromedriver.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a page may take to show what a test waits for, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The narrowest window, in pixels.
const WINDOW_MIN: u32 = 500;

/// A running browser. It ends with this value.
pub struct Browser {
    pub client: Client,
    driver: Child,
    _profile: TempDir,
    site: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver and its browser are a group of processes.
        if let Ok(group) = i32::try_from(self.driver.id()) {
            let _gone_already = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        drop(self.driver.wait());
    }
}

fn arguments(profile: &TempDir, width: u32, height: u32) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--headless=new",
        // CI runs as root.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        // The browser itself must ask nobody but the service.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--no-first-run",
        "--hide-scrollbars",
        "--enable-precise-memory-info",
        "--js-flags=--expose-gc",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--window-size={width},{height}"));
    arguments.push(format!("--user-data-dir={}", profile.path().display()));
    arguments
}

impl Browser {
    /// Starts a browser for the service at this address. `None`, with a word about it, where there is no Chromium; in
    /// CI that is a failure.
    pub async fn start(site: &str) -> Option<Self> {
        Self::sized(site, 1_440, 900).await
    }

    /// The same with a window of this size.
    pub async fn sized(site: &str, width: u32, height: u32) -> Option<Self> {
        let started = Command::new("chromedriver")
            .args(["--port=0"])
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = match started {
            Ok(driver) => driver,
            Err(error) => {
                let told =
                    format!("no chromedriver ({error}): install the packages chromium and chromium-driver");
                assert!(std::env::var_os("CI").is_none(), "{told}");
                eprintln!("SKIPPED, {told}");
                return None;
            }
        };
        let port = port_of(&mut driver);
        let profile = tempfile::tempdir().unwrap();
        let mut options = json!({ "args": arguments(&profile, width, height) });
        if width < WINDOW_MIN {
            // No window is that narrow: the browser plays a phone.
            let metrics = json!({ "width": width, "height": height, "pixelRatio": 2 });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        let capabilities = serde_json::Map::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Some(Self { client, driver, _profile: profile, site: site.trim_end_matches('/').to_owned() })
    }

    /// Opens a page of the service.
    pub async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.site)).await.unwrap();
    }

    /// Signs in with a key, and is then on the page.
    pub async fn sign_in(&self, key: &str, path: &str) {
        self.open(path).await;
        self.shown("#key").await.send_keys(key).await.unwrap();
        self.click("main button").await;
        self.shown("header.bar").await;
    }

    /// The element, as soon as it is in the page.
    pub async fn shown(&self, css: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("{css} is not on {}: {error}", self.page().await),
        }
    }

    pub async fn click(&self, css: &str) {
        self.shown(css).await.click().await.unwrap();
    }

    /// What the element says.
    pub async fn text(&self, css: &str) -> String {
        self.shown(css).await.text().await.unwrap()
    }

    /// Waits until the element says this. Returns how long it took.
    pub async fn says(&self, css: &str, words: &str) -> Duration {
        let began = Instant::now();
        let script =
            "const found = document.querySelector(arguments[0]); return found ? found.innerText : null";
        loop {
            let text = self.run(script, vec![json!(css)]).await;
            if text.as_str().is_some_and(|text| text.contains(words)) {
                return began.elapsed();
            }
            if began.elapsed() > PATIENCE {
                panic!("{css} does not say {words:?} but {text} on {}", self.page().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many elements there are.
    pub async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.unwrap().len()
    }

    /// Waits until there are so many elements.
    pub async fn has(&self, css: &str, count: usize) {
        let began = Instant::now();
        while self.count(css).await != count {
            if began.elapsed() > PATIENCE {
                panic!("{} of {css} in place of {count} on {}", self.count(css).await, self.page().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap()
    }

    /// Presses a key on the page.
    pub async fn press(&self, key: &str) {
        self.shown("body").await.send_keys(key).await.unwrap();
    }

    /// Fails if the page has logged an error, such as a refusal by the content security policy.
    pub async fn is_clean(&self) {
        let script =
            "return performance.getEntriesByType('resource').filter((it) => it.responseStatus >= 400)
            .map((it) => it.name)";
        let refused = self.run(script, Vec::new()).await;
        assert_eq!(refused, json!([]), "the page asked for what is not there");
    }

    /// Where the browser is, and what it shows, for messages.
    async fn page(&self) -> String {
        let text = self.run("return document.body.innerText", Vec::new()).await;
        format!("{}: {}", self.client.current_url().await.unwrap(), text.as_str().unwrap_or_default())
    }
}

/// The port that the driver has chosen, from its first lines.
fn port_of(driver: &mut Child) -> u16 {
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().unwrap();
        }
    }
    panic!("chromedriver did not start");
}
