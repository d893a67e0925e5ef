use e2e::{Browser, until};

use super::{DESK, House, PATIENCE, PERSON, complaints, fill_in, looks::looked_at, says};

/// Walks the whole way of a person, and looks at every page on it.
async fn walk(house: &House, browser: &Browser, language: &str) -> anyhow::Result<()> {
    let issuer = house.home.url();
    let seen = |name: &str| looked_at_in(browser, name.to_owned(), language.to_owned());
    let open = |path: &str| format!("{issuer}{path}");

    // What was allowed in the other language is asked again.
    let flow = house.flow().with("prompt", "consent");
    browser.open(&flow.url(), DESK).await?;
    seen("log-in").await?;
    fill_in(browser, "not this one, it is not").await?;
    browser.click("button[value=allow]").await?;
    appears(browser, "[role=alert]").await?;
    seen("log-in-wrong").await?;
    browser.write("input[name=password]", &house.password).await?;
    browser.click("button[value=allow]").await?;
    appears(browser, ".scopes").await?;
    seen("consent").await?;
    browser.click("button[value=allow]").await?;
    house.is_home(browser).await?;
    house.redeem(&flow).await?;

    browser.open(&house.flow().with("prompt", "login").url(), DESK).await?;
    seen("log-in-again").await?;
    browser.open(&house.flow().with("redirect_uri", "https://elsewhere.example").url(), DESK).await?;
    seen("error").await?;
    browser.open(&open("/sessions"), DESK).await?;
    appears(browser, "button[name=client]").await?;
    seen("sessions").await?;
    browser.allow_scripts(false).await?;
    browser.open(&house.flow().with("response_mode", "form_post").url(), DESK).await?;
    // Without scripts the browser does not tell when a page is loaded; and its script must not run after all.
    let loaded = || async { browser.has("form .actions button").await.then_some(()) };
    until("the form is there", PATIENCE, loaded).await?;
    browser.allow_scripts(true).await?;
    seen("form-post").await?;
    browser.open(&open("/oauth2/logout"), DESK).await?;
    seen("log-out").await?;
    browser.click("button[value=allow]").await?;
    appears(browser, "[role=status]").await?;
    seen("signed-out").await?;
    assert_eq!(complaints(browser).await?, Vec::<String>::new());
    Ok(())
}

/// Waits until there is something on the page, in whichever language.
async fn appears(browser: &Browser, selector: &str) -> anyhow::Result<()> {
    let script = format!("return document.querySelector('{selector}') !== null");
    let there = || async { (browser.ask(&script).await.ok()? == true).then_some(()) };
    until(&format!("there is {selector}"), PATIENCE, there).await
}

async fn looked_at_in(browser: &Browser, name: String, language: String) -> anyhow::Result<()> {
    let of_page = browser.ask("return document.documentElement.lang").await?;
    assert_eq!(of_page, language.as_str(), "{name}");
    looked_at(browser, &format!("{name}-{language}")).await
}

#[tokio::test]
async fn every_page_can_be_read_on_a_phone_and_on_a_desktop_in_the_light_and_in_the_dark()
-> anyhow::Result<()> {
    let house = House::start().await?;
    for (language, accept) in [("en", "en-US,en;q=0.9"), ("ko", "ko-KR,ko;q=0.9,en;q=0.8")] {
        let Some(browser) = house.browser(language).await? else { return Ok(()) };
        browser.speak(accept).await?;
        walk(&house, &browser, language).await?;
        browser.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_person_who_reads_korean_is_spoken_to_in_korean() -> anyhow::Result<()> {
    let house = House::start().await?;
    let Some(browser) = house.browser("browser").await? else { return Ok(()) };
    browser.speak("ko-KR,ko;q=0.9,en;q=0.8").await?;
    browser.open(&house.flow().url(), DESK).await?;
    let text = browser.text().await?;
    assert!(text.contains("Shop 앱으로 계속하려면 로그인해 주세요."), "{text}");
    fill_in(&browser, "이 비밀번호는 아닙니다, 정말로").await?;
    browser.click("button[value=allow]").await?;
    says(&browser, "사용자 이름과 비밀번호가 일치하지 않습니다.").await?;

    browser.open(&house.flow().with("ui_locales", "fr en ko").url(), DESK).await?;
    assert!(
        browser.text().await?.contains("to continue to Shop"),
        "the application knows better than the browser"
    );
    browser.speak("fr-FR").await?;
    browser.open(&house.flow().with("ui_locales", "ko").url(), DESK).await?;
    assert!(browser.text().await?.contains("로그인"));
    browser.close().await
}

#[tokio::test]
async fn a_keyboard_is_enough() -> anyhow::Result<()> {
    let house = House::start().await?;
    let Some(browser) = house.browser("browser").await? else { return Ok(()) };
    let flow = house.flow();
    browser.open(&flow.url(), DESK).await?;
    let focus = "const at = document.activeElement; return at.name + ' ' + at.value";
    assert_eq!(browser.ask(focus).await?, "username ", "the first field has the focus");
    browser.press(PERSON).await?;
    browser.press(&Browser::TAB.to_string()).await?;
    assert_eq!(browser.ask("return document.activeElement.name").await?, "password");
    browser.press(&house.password).await?;
    let ring = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.ask(ring).await?, "solid", "where the focus is can be seen");
    browser.press(&Browser::ENTER.to_string()).await?;
    says(&browser, "Allow Shop").await?;

    let mut order = Vec::new();
    for _ in 0..2 {
        browser.press(&Browser::TAB.to_string()).await?;
        order.push(browser.ask(focus).await?);
    }
    assert_eq!(order, ["decision allow", "decision deny"]);
    browser.close().await
}

#[tokio::test]
async fn a_screen_reader_is_told_what_a_page_is_and_what_its_fields_want() -> anyhow::Result<()> {
    let house = House::start().await?;
    let Some(browser) = house.browser("browser").await? else { return Ok(()) };
    browser.open(&house.flow().url(), DESK).await?;
    let told = browser.accessible().await?;
    for one in [
        "heading Sign in",
        "textbox Username",
        "textbox Password",
        "button Sign in",
        "button Cancel",
        "main ",
    ] {
        assert!(told.iter().any(|told| told == one), "{one} is not in {told:?}");
    }
    fill_in(&browser, "not this one, it is not").await?;
    browser.click("button[value=allow]").await?;
    says(&browser, "do not match").await?;
    let title = browser.ask("return document.title").await?;
    assert!(title.as_str().is_some_and(|title| title.starts_with("Problem: ")), "{title}");
    let described = "const at = document.activeElement; \
                     return document.getElementById(at.getAttribute('aria-describedby')).innerText";
    let described = browser.ask(described).await?;
    assert!(described.as_str().is_some_and(|text| text.contains("do not match")), "{described}");
    browser.close().await
}
