mod attacks;
mod elements;

use std::path::Path;

use axum::response::IntoResponse;

use self::elements::{attribute, elements};
use super::{
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

fn sample(name: &str) -> Page {
    let found = pages(Given::ORDINARY, &site(), Language::English).into_iter().find(|(own, _)| own == name);
    found.unwrap().1
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
        "csrf_token , sid c2VjcmV0, csrf_token , sid s3, csrf_token , decision others, \
         csrf_token , client c2VjcmV0, csrf_token , client ledger"
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
