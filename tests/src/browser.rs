//! A real browser: headless Chromium, driven through `chromedriver` by the few commands of `WebDriver` that stories need.
//!
//! Written by hand, on the HTTP client that is here anyway: the libraries for it turn on `serde_json`'s order of members in every
//! test, or come under a licence that is not ours.

use std::{path::Path, time::Duration};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{Process, client, free_port, until};

/// How long the driver may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A browser with one window. It ends with this value, for its driver does.
#[derive(Debug)]
pub struct Browser {
    _driver: Process,
    http: reqwest::Client,
    session: String,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The width of the window in CSS pixels.
    pub width: u32,
    /// Whether the person prefers a dark page.
    pub dark: bool,
}

impl Browser {
    /// Starts a browser; its driver writes to `log`.
    ///
    /// `None` where none is installed, and the reason is printed.
    ///
    /// # Errors
    /// If it is installed but does not come up.
    ///
    /// # Panics
    /// If none is installed and `CI` is `true`: there, a story that was skipped is a story that failed.
    pub async fn start(log: &Path) -> anyhow::Result<Option<Self>> {
        let port = free_port()?;
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        let driver = match Process::spawn(command, log) {
            Ok(driver) => driver,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no browser: {error:#}");
                println!("SKIPPED: no browser: {error:#}");
                return Ok(None);
            }
        };
        let (http, base) = (client(), format!("http://127.0.0.1:{port}"));
        let status = format!("{base}/status");
        let ready = || async { http.get(&status).send().await.ok() };
        until("the browser's driver answers", PATIENCE, ready).await?;
        let options =
            json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"] });
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
        let session = post(&http, &format!("{base}/session"), &wanted).await?;
        let id = session["sessionId"].as_str().context("a session has an id")?;
        Ok(Some(Self { session: format!("{base}/session/{id}"), _driver: driver, http }))
    }

    /// Goes to a page and waits until it is loaded.
    ///
    /// # Errors
    /// If the page cannot be had.
    pub async fn open(&self, url: &str, look: Look) -> anyhow::Result<()> {
        self.look(look).await?;
        self.command("url", json!({ "url": url })).await.map(|_| ())
    }

    /// Looks at the page that is open, without loading it again.
    ///
    /// # Errors
    /// If the browser is gone.
    pub async fn look(&self, look: Look) -> anyhow::Result<()> {
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media).await?;
        let window = json!({
            "width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": look.width < 600,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", window).await.map(|_| ())
    }

    /// The languages that the person reads, as browsers say it: `ko-KR,ko;q=0.9`.
    ///
    /// # Errors
    /// If the browser is gone.
    pub async fn speak(&self, accept_language: &str) -> anyhow::Result<()> {
        self.devtools("Network.enable", json!({})).await?;
        let headers = json!({ "headers": { "Accept-Language": accept_language } });
        self.devtools("Network.setExtraHTTPHeaders", headers).await.map(|_| ())
    }

    /// Whether pages may run scripts, from the next page on.
    ///
    /// # Errors
    /// If the browser is gone.
    pub async fn allow_scripts(&self, allow: bool) -> anyhow::Result<()> {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !allow })).await.map(|_| ())
    }

    /// Writes into a field, in place of what is in it.
    ///
    /// # Errors
    /// If there is no such field.
    pub async fn write(&self, selector: &str, text: &str) -> anyhow::Result<()> {
        let field = self.find(selector).await?;
        self.command(&format!("element/{field}/clear"), json!({})).await?;
        self.command(&format!("element/{field}/value"), json!({ "text": text })).await.map(|_| ())
    }

    /// Clicks on something, and waits for the page that comes, if one does.
    ///
    /// # Errors
    /// If it is not there, or is covered.
    pub async fn click(&self, selector: &str) -> anyhow::Result<()> {
        let target = self.find(selector).await?;
        self.command(&format!("element/{target}/click"), json!({})).await.map(|_| ())
    }

    /// Presses keys, one after the other, wherever the focus is: letters, or [`TAB`](Self::TAB) and [`ENTER`](Self::ENTER).
    ///
    /// # Errors
    /// If the browser is gone.
    pub async fn press(&self, keys: &str) -> anyhow::Result<()> {
        let stroke = |key: char| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        };
        let strokes: Vec<Value> = keys.chars().flat_map(stroke).collect();
        let keyboard = json!([{ "type": "key", "id": "keyboard", "actions": strokes }]);
        self.command("actions", json!({ "actions": keyboard })).await.map(|_| ())
    }

    /// The key that moves the focus.
    pub const TAB: char = '\u{e004}';
    /// The key that sends a form.
    pub const ENTER: char = '\u{e007}';

    /// Where the browser is.
    ///
    /// # Errors
    /// If it is gone.
    pub async fn address(&self) -> anyhow::Result<String> {
        let answer: Value = self.http.get(format!("{}/url", self.session)).send().await?.json().await?;
        answer["value"].as_str().map(str::to_owned).context("a page has an address")
    }

    /// Whether there is such an element, asked without a script of the page's world.
    pub async fn has(&self, selector: &str) -> bool {
        self.find(selector).await.is_ok()
    }

    async fn find(&self, selector: &str) -> anyhow::Result<String> {
        let found = self.command("element", json!({ "using": "css selector", "value": selector })).await?;
        let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        id.map(str::to_owned).with_context(|| format!("no {selector}"))
    }

    /// What a script answers: the body of a function.
    ///
    /// # Errors
    /// If the script throws.
    pub async fn ask(&self, script: &str) -> anyhow::Result<Value> {
        self.command("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// What a person reads, with single spaces.
    ///
    /// # Errors
    /// If there is no page.
    pub async fn text(&self) -> anyhow::Result<String> {
        let text = self.ask("return document.body.innerText").await?;
        let text = text.as_str().context("a page has a text")?;
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Roles and names, as a screen reader is told them: `heading Keys`.
    ///
    /// # Errors
    /// If there is no page.
    pub async fn accessible(&self) -> anyhow::Result<Vec<String>> {
        let tree = self.devtools("Accessibility.getFullAXTree", json!({})).await?;
        let nodes = tree["nodes"].as_array().context("a tree has nodes")?;
        let seen = nodes.iter().filter(|node| node["ignored"] != true);
        let value =
            |node: &Value, member: &str| node[member]["value"].as_str().unwrap_or_default().to_owned();
        Ok(seen.map(|node| format!("{} {}", value(node, "role"), value(node, "name"))).collect())
    }

    /// What the browser has complained of since it was last asked: errors, and what a policy forbade.
    ///
    /// # Errors
    /// If the browser is gone.
    pub async fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let log = self.command("se/log", json!({ "type": "browser" })).await?;
        Ok(log.as_array().into_iter().flatten().map(|entry| entry["message"].to_string()).collect())
    }

    /// Keeps a picture of the whole page, as PNG.
    ///
    /// # Errors
    /// If it cannot be taken or written.
    pub async fn picture(&self, path: &Path) -> anyhow::Result<()> {
        let size = &self.devtools("Page.getLayoutMetrics", json!({})).await?["cssContentSize"];
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let whole = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.devtools("Page.captureScreenshot", whole).await?;
        let picture = picture["data"].as_str().context("a picture has data")?;
        let picture = base64_simd::STANDARD.decode_to_vec(picture.as_bytes())?;
        if let Some(directory) = path.parent() {
            tokio::fs::create_dir_all(directory).await?;
        }
        Ok(tokio::fs::write(path, picture).await?)
    }

    async fn devtools(&self, command: &str, parameters: Value) -> anyhow::Result<Value> {
        self.command("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    async fn command(&self, name: &str, body: Value) -> anyhow::Result<Value> {
        post(&self.http, &format!("{}/{name}", self.session), &body).await
    }

    /// Closes the window, and with it the browser.
    ///
    /// # Errors
    /// If the browser is gone already.
    pub async fn close(self) -> anyhow::Result<()> {
        self.http.delete(&self.session).send().await?;
        Ok(())
    }
}

async fn post(http: &reqwest::Client, url: &str, body: &Value) -> anyhow::Result<Value> {
    let response = http.post(url).json(body).send().await?;
    let status = response.status();
    let mut answer: Value = response.json().await?;
    ensure!(status.is_success(), "{url}: {answer}");
    Ok(answer["value"].take())
}
