//! What others put onto a page, and what browsers are told of it.

use std::fmt::Write as _;

use axum::response::IntoResponse;
use expect_test::{Expect, expect};

use super::{elements::elements, everything, sample};
use crate::pages::{
    Language, LogInPage, Page,
    page::Policy,
    samples::{Given, pages, site},
};

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

// S-96
#[test]
fn these_are_the_headers_of_a_page() {
    check_headers(
        sample("signed-out"),
        expect![[r"
        200 OK
        content-type: text/html; charset=utf-8
        cache-control: no-store
        x-frame-options: DENY
        x-content-type-options: nosniff
        referrer-policy: same-origin
        strict-transport-security: max-age=31536000
        cross-origin-resource-policy: same-origin
        content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'
    "]],
    );
    check_headers(
        sample("log-in-too-many"),
        expect![[r"
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
    "]],
    );
    check_headers(
        sample("form-post"),
        expect![[r"
        200 OK
        content-type: text/html; charset=utf-8
        cache-control: no-store
        x-frame-options: DENY
        x-content-type-options: nosniff
        referrer-policy: same-origin
        strict-transport-security: max-age=31536000
        cross-origin-resource-policy: same-origin
        content-security-policy: default-src 'none'; script-src 'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self' https:; frame-ancestors 'none'
    "]],
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
