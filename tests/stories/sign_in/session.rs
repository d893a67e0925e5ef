use e2e::Browser;

use super::{DESK, House, PERSON, complaints, fill_in, says};

#[tokio::test]
async fn a_person_signs_in_allows_once_and_the_application_refreshes() -> anyhow::Result<()> {
    let house = House::start().await?;
    let Some(browser) = house.browser("browser").await? else { return Ok(()) };
    let flow = house.flow();
    browser.open(&flow.url(), DESK).await?;
    assert!(browser.text().await?.contains("to continue to Shop"), "{}", browser.text().await?);

    fill_in(&browser, "not this one, it is not").await?;
    browser.click("button[value=allow]").await?;
    says(&browser, "do not match").await?;
    let kept = browser.ask("return document.querySelector('[name=username]').value").await?;
    assert_eq!(kept, PERSON, "only the password has to be written again");
    let told = browser.accessible().await?;
    assert!(told.iter().any(|one| one.starts_with("alert ")), "{told:?}");

    browser.write("input[name=password]", &house.password).await?;
    browser.click("button[value=allow]").await?;
    says(&browser, "Allow Shop").await?;
    let asked = browser.text().await?;
    for sentence in ["Allow Shop to use your account?", "keep this access while you are away", "orders:read"]
    {
        assert!(asked.contains(sentence), "{sentence} is not in {asked}");
    }
    browser.click("button[value=allow]").await?;
    house.is_home(&browser).await?;
    assert_eq!(complaints(&browser).await?, Vec::<String>::new());

    let tokens = house.redeem(&flow).await?;
    let refresh = tokens["refresh_token"].as_str().unwrap_or_default();
    let refreshed = flow.refresh(&e2e::client(), &house.secret, refresh).await?;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    assert_ne!(refreshed.json()["access_token"], tokens["access_token"]);

    let again = house.flow();
    browser.open(&again.url(), DESK).await?;
    // Neither a password nor a question.
    house.is_home(&browser).await?;
    house.redeem(&again).await?;
    browser.close().await
}

// S-70
#[tokio::test]
async fn who_denies_or_gives_up_sends_the_application_away_empty() -> anyhow::Result<()> {
    let house = House::start().await?;
    let Some(browser) = house.browser("browser").await? else { return Ok(()) };
    let flow = house.flow();
    browser.open(&flow.url(), DESK).await?;
    browser.click("button[value=deny]").await?;
    house.is_home(&browser).await?;
    let answer = house.application.answer()?;
    assert_eq!(answer.get("error").map(String::as_str), Some("access_denied"), "gave up: {answer:?}");

    browser.open(&flow.url(), DESK).await?;
    fill_in(&browser, &house.password).await?;
    browser.click("button[value=allow]").await?;
    says(&browser, "Allow Shop").await?;
    browser.click("button[value=deny]").await?;
    house.is_home(&browser).await?;
    let answer = house.application.answer()?;
    assert_eq!(answer.get("error").map(String::as_str), Some("access_denied"), "denied: {answer:?}");
    assert_eq!(answer.get("state"), Some(&flow.state));

    browser.open(&house.flow().url(), DESK).await?;
    // What was denied is asked again.
    says(&browser, "Allow Shop").await?;
    browser.close().await
}

/// Opens the log-out page and presses its first button.
async fn sign_out(house: &House, browser: &Browser) -> anyhow::Result<()> {
    browser.open(&format!("{}/oauth2/logout", house.home.url()), DESK).await?;
    assert!(browser.text().await?.contains(PERSON), "{}", browser.text().await?);
    browser.click("button[value=allow]").await
}

// S-97
#[tokio::test]
async fn who_signs_out_is_asked_first_and_is_a_stranger_afterwards() -> anyhow::Result<()> {
    let house = House::start().await?;
    let Some(browser) = house.browser("browser").await? else { return Ok(()) };
    let flow = house.flow();
    house.sign_in(&browser, &flow).await?;
    let tokens = house.redeem(&flow).await?;

    browser.open(&format!("{}/oauth2/logout", house.home.url()), DESK).await?;
    assert!(browser.text().await?.contains("Sign out?"), "{}", browser.text().await?);
    browser.click("button[value=deny]").await?;
    says(&browser, "Your sessions").await?;
    browser.open(&house.flow().url(), DESK).await?;
    // Nothing has happened.
    house.is_home(&browser).await?;

    sign_out(&house, &browser).await?;
    says(&browser, "You are signed out.").await?;
    browser.open(&house.flow().url(), DESK).await?;
    assert!(browser.text().await?.contains("Sign in"), "{}", browser.text().await?);
    let refresh = tokens["refresh_token"].as_str().unwrap_or_default();
    let refused = flow.refresh(&e2e::client(), &house.secret, refresh).await?;
    assert_eq!((refused.status, &refused.json()["error"]), (400, &"invalid_grant".into()));
    browser.close().await
}

// S-83
#[tokio::test]
async fn a_session_that_is_ended_from_elsewhere_is_over() -> anyhow::Result<()> {
    let house = House::start().await?;
    let Some(desk) = house.browser("desk").await? else { return Ok(()) };
    let Some(phone) = house.browser("phone").await? else { return Ok(()) };
    let flow = house.flow();
    house.sign_in(&phone, &flow).await?;
    let tokens = house.redeem(&flow).await?;
    house.sign_in(&desk, &house.flow()).await?;

    let sessions = format!("{}/sessions", house.home.url());
    desk.open(&sessions, DESK).await?;
    let listed = desk.ask("return document.querySelectorAll('.sessions > li').length").await?;
    assert_eq!(listed, 2, "{}", desk.text().await?);
    assert!(desk.text().await?.contains("This session"), "{}", desk.text().await?);
    desk.click("button[name=sid]").await?;
    says(&desk, "The session is ended.").await?;
    let text = desk.text().await?;
    assert!(text.contains("not signed in anywhere else"), "{text}");

    phone.open(&house.flow().url(), DESK).await?;
    assert!(phone.text().await?.contains("Password"), "the phone has to sign in again");
    let refresh = tokens["refresh_token"].as_str().unwrap_or_default();
    let refused = flow.refresh(&e2e::client(), &house.secret, refresh).await?;
    assert_eq!(refused.json()["error"], "invalid_grant", "{}", refused.body);
    desk.open(&sessions, DESK).await?;
    assert!(desk.text().await?.contains("Your sessions"), "this one goes on");
    phone.close().await?;
    desk.close().await
}

// S-64
#[tokio::test]
async fn a_bad_redirect_uri_is_told_to_the_person_and_nobody_is_sent_there() -> anyhow::Result<()> {
    let house = House::start().await?;
    let Some(browser) = house.browser("browser").await? else { return Ok(()) };
    let evil = format!("{}/elsewhere", house.application.callback);
    for (flow, code) in [
        (house.flow().with("redirect_uri", &evil), "invalid_redirect_uri"),
        (house.flow().with("client_id", "nobody"), "unknown_client"),
    ] {
        let flow = flow.with("error_description", "<b>Call 555-0100</b>");
        browser.open(&flow.url(), DESK).await?;
        let text = browser.text().await?;
        assert!(text.contains(code), "{text}");
        assert!(!text.contains("555-0100") && !text.contains("elsewhere"), "{text}");
        assert!(browser.address().await?.starts_with(house.home.url()));
        assert!(!house.application.has_answer(), "nobody was sent there");
    }
    browser.close().await
}

#[tokio::test]
async fn an_answer_by_form_needs_no_script() -> anyhow::Result<()> {
    let house = House::start().await?;
    let Some(browser) = house.browser("browser").await? else { return Ok(()) };
    house.sign_in(&browser, &house.flow()).await?;
    house.application.answer()?;

    let flow = house.flow().with("response_mode", "form_post");
    browser.open(&flow.url(), DESK).await?;
    house.is_home(&browser).await?;
    house.redeem(&flow).await?;
    assert_eq!(complaints(&browser).await?, Vec::<String>::new(), "the policy lets its script run");

    let flow = house.flow().with("response_mode", "form_post");
    browser.allow_scripts(false).await?;
    browser.open(&flow.url(), DESK).await?;
    browser.click("form button").await?;
    browser.allow_scripts(true).await?;
    house.is_home(&browser).await?;
    house.redeem(&flow).await?;
    browser.close().await
}
