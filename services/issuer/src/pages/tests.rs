use std::{fmt::Write as _, path::Path};

use axum::response::IntoResponse;
use expect_test::{Expect, expect};

use super::{
    page::Policy,
    samples::{Given, acme, pages, site},
    *,
};

fn everything() -> impl Iterator<Item = (String, String)> {
    let site = site();
    Language::ALL.into_iter().flat_map(move |language| {
        let named = pages(Given::ORDINARY, &site, language).into_iter();
        named.map(move |(name, page)| (format!("{name}-{}", language.tag()), page.markup.into_string()))
    })
}

/// An element as it opens: its name, and its attributes with their values.
type Element = (String, Vec<(String, String)>);

/// The elements of a page, read as a browser would: quotes end at quotes, names at spaces.
fn elements(html: &str) -> Vec<Element> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let end = after.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(after.len());
        let name = after[..end].to_owned();
        let (attributes, left) = attributes(&after[end..]);
        found.push((name, attributes));
        rest = left;
    }
    found
}

fn attributes(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with('>') {
            return (found, rest);
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '>' || c == '=').unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        rest = &rest[end..];
        let Some(value) = rest.strip_prefix("=\"") else {
            found.push((name, String::new()));
            rest = rest.trim_start_matches('=');
            continue;
        };
        let (value, after) = value.split_once('"').unwrap_or((value, ""));
        found.push((name, value.to_owned()));
        rest = after;
    }
}

/// What a page is made of, whatever stands in it: elements and the names of their attributes.
fn skeleton(html: &str) -> Vec<(String, Vec<String>)> {
    let names = |attributes: Vec<(String, String)>| attributes.into_iter().map(|(name, _)| name).collect();
    elements(html).into_iter().map(|(name, attributes)| (name, names(attributes))).collect()
}

const ATTACKS: [&str; 14] = [
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "\" autofocus onfocus=\"alert(1)",
    "' onmouseover='alert(1)",
    "</title><script>alert(1)</script>",
    "</textarea></style></noscript><svg onload=alert(1)>",
    "<!--<script>",
    "]]><script>alert(1)</script>",
    "javascript:alert(1)//https://",
    "data:text/html,<script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}}",
    "&lt;script&gt; &quot; &#x3c;",
    "\u{202e}gnp.exe\u{2066}\0\r\n\tSet-Cookie: a=b",
];

// S-96
#[test]
fn nothing_that_others_say_changes_what_a_page_is_made_of() {
    let site = site();
    for language in Language::ALL {
        // A text that is no URI and has letters, as the attacks, so that the same parts are shown.
        let plain = pages(Given::all("plain"), &site, language);
        for attack in ATTACKS {
            for ((name, page), (_, plain)) in pages(Given::all(attack), &site, language).iter().zip(&plain) {
                let (html, plain) = (page.markup.clone().into_string(), plain.markup.clone().into_string());
                assert_eq!(skeleton(&html), skeleton(&plain), "{name}: {attack}");
                let runs = elements(&html).into_iter().flat_map(|(_, attributes)| attributes).any(
                    |(name, value)| {
                        ["href", "src", "action"].contains(&name.as_str())
                            && (value.starts_with("javascript:") || value.starts_with("data:"))
                    },
                );
                assert!(!runs, "{name}: {attack}");
            }
        }
    }
}

// S-96
#[test]
fn a_redirect_uri_cannot_write_a_policy() {
    for uri in
        ["https://a; script-src *", "x; script-src *:", "a b://", "*://x", "'unsafe-inline'://", "://", ""]
    {
        let policy = Policy { leads_to: Some(uri), ..Policy::default() }.header();
        let policy = policy.to_str().unwrap();
        let allowed = policy.contains("form-action 'self' https:; frame-ancestors");
        assert!(allowed && !policy.contains("script-src"), "{uri}: {policy}");
    }
}

// S-96
#[test]
fn what_is_shown_is_the_text_that_was_given() {
    let page = LogInPage {
        client: Some("<b>Orders & \"Co\"</b>"),
        username: "a\"b<c>",
        again: false,
        problem: None,
        csrf_token: "",
        interaction: "",
        returns_to: None,
    };
    let html = page.page(&site(), Language::English).markup.into_string();
    assert!(html.contains("&lt;b&gt;Orders &amp; &quot;Co&quot;&lt;/b&gt;"), "{html}");
    assert!(html.contains("value=\"a&quot;b&lt;c&gt;\""), "{html}");
}

// S-96
#[test]
fn a_page_needs_nothing_that_its_policy_forbids() {
    for (name, html) in everything() {
        for (element, attributes) in elements(&html) {
            assert!(
                !["style", "iframe", "object", "embed", "base"].contains(&element.as_str()),
                "{name}: {element}"
            );
            let scripts = usize::from(name.starts_with("form-post"));
            assert_eq!(html.matches("<script").count(), scripts, "{name}");
            for (attribute, value) in attributes {
                assert!(!attribute.starts_with("on") && attribute != "style", "{name}: {attribute}");
                let loads = attribute == "src" || (element == "link" && attribute == "href");
                assert!(!loads || value.starts_with("/assets/"), "{name}: {value}");
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`expect!` reads best in the call")]
fn check_headers(page: Page, expected: Expect) {
    let response = page.into_response();
    let mut text = format!("{}\n", response.status());
    for (name, value) in response.headers() {
        let _ = writeln!(text, "{name}: {}", value.to_str().unwrap());
    }
    expected.assert_eq(&text);
}

fn sample(name: &str) -> Page {
    let found = pages(Given::ORDINARY, &site(), Language::English).into_iter().find(|(own, _)| own == name);
    found.unwrap().1
}

// S-96
#[test]
fn these_are_the_headers_of_a_page() {
    check_headers(
        sample("signed-out"),
        expect![[r#"
        200 OK
        content-type: text/html; charset=utf-8
        cache-control: no-store
        x-frame-options: DENY
        x-content-type-options: nosniff
        referrer-policy: same-origin
        strict-transport-security: max-age=31536000
        cross-origin-resource-policy: same-origin
        content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'
    "#]],
    );
    check_headers(
        sample("log-in-too-many"),
        expect![[r#"
        429 Too Many Requests
        content-type: text/html; charset=utf-8
        cache-control: no-store
        x-frame-options: DENY
        x-content-type-options: nosniff
        referrer-policy: same-origin
        strict-transport-security: max-age=31536000
        cross-origin-resource-policy: same-origin
        content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self' https:; frame-ancestors 'none'
        retry-after: 130
    "#]],
    );
    check_headers(
        sample("form-post"),
        expect![[r#"
        200 OK
        content-type: text/html; charset=utf-8
        cache-control: no-store
        x-frame-options: DENY
        x-content-type-options: nosniff
        referrer-policy: same-origin
        strict-transport-security: max-age=31536000
        cross-origin-resource-policy: same-origin
        content-security-policy: default-src 'none'; script-src 'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self' https:; frame-ancestors 'none'
    "#]],
    );
}

// S-96
#[test]
fn every_page_has_the_same_headers() {
    let without_policy = |page: Page| {
        let mut headers = page.into_response().headers().clone();
        headers.remove("content-security-policy");
        headers.remove("retry-after");
        headers
    };
    let expected = without_policy(sample("signed-out"));
    for (name, page) in pages(Given::ORDINARY, &site(), Language::Korean) {
        let policy = page.policy.to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; "), "{name}: {policy}");
        assert!(policy.ends_with("; frame-ancestors 'none'"), "{name}: {policy}");
        assert!(!policy.contains("unsafe"), "{name}: {policy}");
        assert_eq!(without_policy(page), expected, "{name}");
    }
}

/// The value of an attribute of an element.
fn attribute<'e>((_, attributes): &'e Element, wanted: &str) -> Option<&'e str> {
    attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

#[test]
fn every_field_has_a_label_and_what_describes_it_is_there() {
    for (name, html) in everything() {
        let elements = elements(&html);
        let all = |wanted: &str| elements.iter().filter_map(|one| attribute(one, wanted)).collect::<Vec<_>>();
        let ids = all("id");
        for one in elements.iter().filter(|one| one.0 == "input" && attribute(one, "type") != Some("hidden"))
        {
            assert!(all("for").contains(&attribute(one, "id").unwrap()), "{name}: {one:?}");
            assert!(attribute(one, "autocomplete").is_some(), "{name}: {one:?}");
        }
        for described in all("aria-describedby").into_iter().chain(all("aria-labelledby")) {
            for id in described.split(' ') {
                assert_eq!(ids.iter().filter(|own| **own == id).count(), 1, "{name}: {id}");
            }
        }
        assert!(all("autofocus").len() <= 1, "{name}");
        assert_eq!(elements.iter().filter(|one| one.0 == "h1").count(), 1, "{name}");
        for landmark in ["header", "main", "footer"] {
            assert_eq!(elements.iter().filter(|one| one.0 == landmark).count(), 1, "{name}: {landmark}");
        }
        assert!(html.contains("<html lang=\"en\"") == name.ends_with("-en"), "{name}");
    }
}

#[test]
fn the_names_of_inputs_do_not_change() {
    let names = |page: &str| {
        let elements = elements(&sample(page).markup.into_string());
        let named = elements.iter().filter(|one| ["input", "button"].contains(&one.0.as_str()));
        let described = named.filter_map(|one| {
            let name = attribute(one, "name")?;
            let value = attribute(one, "value").filter(|_| one.0 == "button").unwrap_or_default();
            Some(format!("{name} {}{value}", attribute(one, "autocomplete").unwrap_or_default()))
        });
        described.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        names("log-in"),
        "csrf_token , interaction , username username, password current-password, decision allow, decision deny"
    );
    assert_eq!(names("consent"), "csrf_token , interaction , decision allow, decision deny");
    assert_eq!(names("log-out"), "csrf_token , interaction , decision allow, decision deny");
    assert_eq!(
        names("sessions"),
        "csrf_token , sid c2VjcmV0, csrf_token , sid s3, csrf_token , decision others"
    );
    assert_eq!(
        names("first-administrator"),
        "csrf_token , link , username username, password new-password, password_again new-password"
    );
}

#[test]
fn a_wrong_password_is_told_to_both_fields_and_the_name_is_kept() {
    let html = sample("log-in-wrong").markup.into_string();
    assert!(html.contains("<title>Problem: Sign in"), "{html}");
    assert_eq!(html.matches("aria-invalid=\"true\" aria-describedby=\"problem\"").count(), 2, "{html}");
    assert!(html.contains("value=\"minji.kim\""), "{html}");
    let password = html.split("id=\"password\"").nth(1).unwrap();
    assert!(password.split('>').next().unwrap().contains("autofocus"), "{html}");
    let busy = sample("log-in-busy").markup.into_string();
    assert!(!busy.contains("aria-invalid"), "nothing that was typed is wrong: {busy}");
}

#[test]
fn no_page_ever_holds_a_password() {
    for (name, html) in everything() {
        for one in elements(&html).iter().filter(|one| attribute(one, "type") == Some("password")) {
            assert_eq!(attribute(one, "value"), None, "{name}");
        }
    }
}

#[test]
fn the_first_button_of_a_form_is_what_the_enter_key_does() {
    for (name, html) in everything() {
        let first = html.split("<form").skip(1).filter_map(|form| form.split("<button").nth(1));
        for button in first {
            assert!(!button.split('>').next().unwrap().contains("\"deny\""), "{name}");
        }
    }
}

// S-64
#[test]
fn an_error_page_sends_nobody_anywhere() {
    for case in ErrorCase::ALL {
        let page = ErrorPage { case, reference: None }.page(&site(), Language::English);
        assert!(page.status.is_client_error() || page.status.is_server_error(), "{case:?}");
        let html = page.markup.clone().into_string();
        assert!(!html.contains("http-equiv") && !html.contains("<form"), "{html}");
        assert!(!page.into_response().headers().contains_key("location"), "{case:?}");
    }
}

#[test]
fn pages_of_an_issuer_with_a_path_stay_under_it() {
    let site = Site::new(&"https://example.com/id".parse().unwrap(), &Brand::default());
    for (name, page) in pages(Given::ORDINARY, &site, Language::English) {
        for one in elements(&page.markup.into_string()) {
            for place in ["href", "src", "action"].into_iter().filter_map(|name| attribute(&one, name)) {
                assert!(
                    place.starts_with("/id/") || place.starts_with("https://app.example.com/"),
                    "{name}: {place}"
                );
            }
        }
    }
}

/// Writes every page for whoever wants to look at it: `CLAVIGER_PAGES=folder cargo test -p claviger-issuer pages::`.
#[test]
fn pages_can_be_looked_at() {
    let Some(folder) = std::env::var_os("CLAVIGER_PAGES") else { return };
    for (brand, site) in [
        ("house", Site::new(&"https://id.example.com".parse().unwrap(), &Brand::default())),
        ("acme", acme()),
    ] {
        let style = Path::new(&folder).join(brand);
        std::fs::create_dir_all(style.join("assets")).unwrap();
        for asset in site.assets() {
            std::fs::write(style.join(&asset.path()[1..]), asset.body()).unwrap();
        }
        for language in Language::ALL {
            for (name, page) in pages(Given::ORDINARY, &site, language) {
                let html = page.markup.into_string().replace("\"/assets/", "\"assets/");
                std::fs::write(style.join(format!("{name}-{}.html", language.tag())), html).unwrap();
            }
        }
    }
}
