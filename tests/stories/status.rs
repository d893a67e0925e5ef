use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use e2e::{
    Browser, Database, FLEET, IssuerHome, LEDGER, Look, Process, Reply, Service, client, free_port, until,
};

const PATIENCE: Duration = Duration::from_secs(20);
const DESK: Look = Look { width: 1280, dark: false };
const PHONE: Look = Look { width: 390, dark: true };

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots")
}

/// An issuer that is looked at, and a service that verifies its tokens.
struct Watched {
    home: IssuerHome,
    _issuer: Process,
    _ledger: Service,
    page: String,
}

impl Watched {
    async fn start() -> anyhow::Result<Self> {
        let home = IssuerHome::init(&Database::Sqlite, crate::BY_HAND).await?;
        home.apply(FLEET).await?;
        let admin = format!("127.0.0.1:{}", free_port()?);
        let issuer = home.listen(&[("CLAVIGER_ADMIN_LISTEN", &admin)]).await?;
        let ledger = [("--issuer", home.url()), ("--audience", LEDGER)];
        let ledger = Service::start("ledger", &ledger, &home.path().join("ledger")).await?;
        ledger.ready().await?;
        Ok(Self { home, _issuer: issuer, _ledger: ledger, page: format!("http://{admin}/") })
    }

    async fn browser(&self) -> anyhow::Result<Option<Browser>> {
        Browser::start(&self.home.path().join("driver.log")).await
    }
}

/// The page fits into the window, and nothing on it was forbidden or failed.
async fn is_sound(browser: &Browser) -> anyhow::Result<()> {
    let overflow =
        browser.ask("return document.documentElement.scrollWidth - window.innerWidth").await?.as_i64();
    assert_eq!(overflow, Some(0), "the page is as wide as its window");
    let complaints = browser.complaints().await?;
    assert!(complaints.is_empty(), "{complaints:?}");
    let styled =
        browser.ask("return getComputedStyle(document.querySelector('section')).borderTopLeftRadius").await?;
    assert_ne!(styled, "0px", "the policy lets its style in");
    Ok(())
}

// S-96
#[tokio::test]
async fn a_browser_shows_the_life_of_the_keys_before_and_during_a_rotation() -> anyhow::Result<()> {
    let watched = Watched::start().await?;
    let Some(browser) = watched.browser().await? else { return Ok(()) };
    browser.open(&watched.page, DESK).await?;
    let text = browser.text().await?;
    for fact in ["begins to sign", "RS256", "ES256", "prepared", "active", "period 30 d"] {
        assert!(text.contains(fact), "{fact} is not in {text}");
    }
    assert!(!text.contains("retiring"), "{text}");
    let told = browser.accessible().await?;
    for heading in
        ["heading Next step", "heading Keys", "heading Fleet", "heading Replicas", "heading Revocation feed"]
    {
        // The style writes them in capitals, and so they are told.
        assert!(told.iter().any(|one| one.eq_ignore_ascii_case(heading)), "{heading} is not in {told:?}");
    }
    assert!(told.iter().any(|one| one.contains(" active key ")), "each lane has a name: {told:?}");
    is_sound(&browser).await?;
    browser.picture(&pictures().join("status-before.png")).await?;

    let rotated = || async {
        let ran = watched.home.run(&["keys", "rotate", "--now"]).await.ok()?;
        ran.succeeded.then_some(())
    };
    until("the lead has passed and the keys rotate", PATIENCE, rotated).await?;
    let seen = || async {
        browser.open(&watched.page, DESK).await.ok()?;
        let text = browser.text().await.ok()?;
        (text.matches("retiring").count() >= 2 && text.contains("leaves the set")).then_some(())
    };
    until("the page shows the keys that retire", PATIENCE, seen).await?;
    is_sound(&browser).await?;
    browser.picture(&pictures().join("status-during.png")).await?;
    browser.open(&watched.page, PHONE).await?;
    is_sound(&browser).await?;
    browser.picture(&pictures().join("status-during-phone-dark.png")).await?;
    browser.close().await
}

// S-96
#[tokio::test]
async fn the_page_follows_by_itself_until_it_is_held_still() -> anyhow::Result<()> {
    let watched = Watched::start().await?;
    let Some(browser) = watched.browser().await? else { return Ok(()) };
    browser.open(&watched.page, DESK).await?;
    let time = "return document.querySelector('header time').dateTime";
    let first = browser.ask(time).await?;
    let moved = || async { browser.ask(time).await.ok().filter(|now| *now != first) };
    until("the page has loaded itself again", PATIENCE, moved).await?;
    browser.ask("document.querySelector('header a').click()").await?;
    let held = || async {
        let still = browser.ask("return !document.querySelector('meta[http-equiv]')").await.ok()?;
        (still == true).then_some(())
    };
    until("the page is held still", PATIENCE, held).await?;
    is_sound(&browser).await?;
    browser.close().await
}

// S-46
#[tokio::test]
async fn metrics_and_page_are_for_operators_only_and_no_cache_keeps_them() -> anyhow::Result<()> {
    let (watched, http) = (Watched::start().await?, client());
    let metrics = Reply::of(http.get(format!("{}metrics", watched.page))).await?;
    assert_eq!(metrics.status, 200);
    for line in [r#"claviger_keys{alg="ES256",state="active"} 1"#, "claviger_signing 1"] {
        assert!(metrics.body.contains(line), "{line} is not in {}", metrics.body);
    }
    for reply in [metrics, Reply::of(http.get(&watched.page)).await?] {
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
    let page = Reply::of(http.get(&watched.page)).await?;
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    assert_eq!(page.header("x-frame-options"), "DENY");
    for path in ["/", "/metrics"] {
        let public = Reply::of(http.get(format!("{}{path}", watched.home.url()))).await?;
        assert_eq!(public.status, 404, "{path} is not on the public listener");
    }
    Ok(())
}
