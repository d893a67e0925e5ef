use std::time::Duration;

use e2e::{Browser, Database, Fleet, Look};

use super::{DESK, complaints, pictures, says};

/// F, and the life of a token: short, so that a page's refresh need not be waited for.
const SHORT: [(&str, &str); 2] = [("VERIFIERS_POLL", "2s"), ("TOKEN_LIFETIME", "20s")];
const F: Duration = Duration::from_secs(2);
/// For a poll that goes over the network, a statement that is signed once a second, and a page that asks twice a second.
const ALLOWANCE: Duration = Duration::from_secs(3);
const PHONE: Look = Look { width: 360, dark: true };

#[tokio::test]
async fn a_person_orders_on_the_page_of_orders_its_token_is_refreshed_and_dies_with_the_session()
-> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::Sqlite, &[crate::BY_HAND, &SHORT].concat()).await?;
    let page = fleet.admit_page().await?;
    let password = fleet.home.add_person("ann", &["--name", "Ann"]).await?;
    let Some(browser) = Browser::start(&fleet.home.path().join("browser.log")).await? else { return Ok(()) };

    browser.open(&page, DESK).await?;
    says(&browser, "Sign in to see your orders").await?;
    browser.click("#sign-in").await?;
    says(&browser, "to continue to Orders").await?;
    browser.write("input[name=username]", "ann").await?;
    browser.write("input[name=password]", &password).await?;
    browser.click("button[value=allow]").await?;
    says(&browser, "Signed in: the code became a token").await?;
    assert_eq!(browser.address().await?, page, "neither code nor state stays in sight");

    browser.write("input[name=item]", "kettle").await?;
    browser.click("#order button").await?;
    says(&browser, "Ordered: kettle").await?;
    let first = claim(&browser, "jti").await?;
    says(&browser, "Refreshed").await?;
    assert_ne!(claim(&browser, "jti").await?, first, "the page shows the next token");
    browser.picture(&pictures().join("orders-desk-light.png")).await?;
    browser.look(PHONE).await?;
    browser.picture(&pictures().join("orders-phone-dark.png")).await?;

    browser.click("#sign-out").await?;
    says(&browser, "Refused, ").await?;
    let fate = browser.ask("return document.getElementById('fate').textContent").await?;
    let seconds = fate.as_str().and_then(|fate| fate.split([' ', ',']).find_map(|word| word.parse().ok()));
    assert!(seconds.is_some_and(|seconds: f64| seconds < (F + ALLOWANCE).as_secs_f64()), "{fate}");
    assert_eq!(complaints(&browser).await?, Vec::<String>::new());
    browser.close().await
}

/// A claim of the token that the page shows.
async fn claim(browser: &Browser, name: &str) -> anyhow::Result<serde_json::Value> {
    let script = format!(
        "return [...document.querySelectorAll('#claims div')].find(row => row.firstChild.textContent === '{name}')?.lastChild.firstChild.textContent"
    );
    browser.ask(&script).await
}
