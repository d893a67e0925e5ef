use std::{collections::HashMap, fmt::Write};

use anyhow::{Context, bail, ensure};
use aws_lc_rs::{digest, rand};
use reqwest::{Method, RequestBuilder, Url, header};

use crate::{Reply, client};

/// Somebody with a browser that knows no JavaScript: keeps cookies, fills in forms, and says where a post comes from.
#[derive(Debug)]
pub struct Person {
    http: reqwest::Client,
    /// By origin and name: ports are other sites here, as hosts are elsewhere.
    cookies: HashMap<(String, String), String>,
    /// The page that is open.
    page: String,
}

/// A form of a page.
#[derive(Debug, Clone)]
pub struct PageForm {
    /// Where it is posted.
    pub action: Url,
    /// Its hidden fields.
    pub fields: Vec<(String, String)>,
}

impl Default for Person {
    fn default() -> Self {
        Self::new()
    }
}

impl Person {
    /// Somebody who has not been anywhere.
    #[must_use]
    pub fn new() -> Self {
        Self { http: client(), cookies: HashMap::new(), page: String::new() }
    }

    /// Opens an address, without following where it leads.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&mut self, url: &str) -> anyhow::Result<Reply> {
        let request = self.request(Method::GET, url)?;
        self.send(url, request).await
    }

    /// Posts fields as a page of the same origin does.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&mut self, url: &str, fields: &[(String, String)]) -> anyhow::Result<Reply> {
        let origin = origin(&url.parse()?);
        self.post_from(url, fields, &[("origin", &origin), ("sec-fetch-site", "same-origin")]).await
    }

    /// Posts fields with headers that say something else of where they come from.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post_from(
        &mut self,
        url: &str,
        fields: &[(String, String)],
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Reply> {
        let mut request = self.request(Method::POST, url)?.form(fields);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(url, request).await
    }

    /// Goes wherever the pages of one issuer lead, until there is a page, or a way to somebody else, which is not taken.
    ///
    /// # Errors
    /// If there is no answer, or no end.
    pub async fn follow(&mut self, mut reply: Reply, issuer: &str) -> anyhow::Result<Reply> {
        for _ in 0..10 {
            let location = reply.header("location").to_owned();
            if reply.status != 303 || !location.starts_with(issuer) {
                return Ok(reply);
            }
            reply = self.get(&location).await?;
        }
        bail!("redirected ten times")
    }

    /// Fills in the log-in page and goes on from there.
    ///
    /// # Errors
    /// If the page has no such form, or there is no answer.
    pub async fn sign_in(&mut self, page: &Reply, username: &str, password: &str) -> anyhow::Result<Reply> {
        ensure!(page.body.contains("name=\"password\""), "not a log-in page: {} {}", page.status, page.body);
        let mut form = self.form(page)?;
        form.fill("username", username);
        form.fill("password", password);
        form.fill("decision", "allow");
        self.submit(&form).await
    }

    /// Says yes or no on the consent page.
    ///
    /// # Errors
    /// If the page has no form, or there is no answer.
    pub async fn consent(&mut self, page: &Reply, decision: &str) -> anyhow::Result<Reply> {
        let mut form = self.form(page)?;
        form.fill("decision", decision);
        self.submit(&form).await
    }

    /// Posts a form and goes wherever the same site leads.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn submit(&mut self, form: &PageForm) -> anyhow::Result<Reply> {
        let reply = self.post(form.action.as_str(), &form.fields).await?;
        let site = origin(&form.action);
        self.follow(reply, &site).await
    }

    /// The first form of the page that was got last.
    ///
    /// # Errors
    /// If there is none.
    pub fn form(&self, page: &Reply) -> anyhow::Result<PageForm> {
        let start =
            page.body.find("<form").with_context(|| format!("no form: {} {}", page.status, page.body))?;
        let end = page.body[start..].find("</form>").context("the form ends")? + start;
        let form = &page.body[start..end];
        let action = attribute(form.split('>').next().unwrap_or_default(), "action")
            .context("a form has an action")?;
        let action = self.page.parse::<Url>()?.join(&action)?;
        let inputs = form.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap_or_default());
        let hidden = inputs.filter(|input| attribute(input, "type").as_deref() == Some("hidden"));
        let field = |input| Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()));
        Ok(PageForm { action, fields: hidden.filter_map(field).collect() })
    }

    /// The value of a cookie of a site, by the end of its name.
    #[must_use]
    pub fn cookie(&self, url: &str, name: &str) -> Option<&str> {
        let site = origin(&url.parse().ok()?);
        let mut held = self.cookies.iter();
        held.find(|((of, held), _)| *of == site && held.ends_with(name)).map(|(_, value)| value.as_str())
    }

    /// Puts a cookie into the browser, as somebody who sat there before might have.
    ///
    /// # Errors
    /// If the address is none.
    pub fn plant(&mut self, url: &str, name: &str, value: &str) -> anyhow::Result<()> {
        self.cookies.insert((origin(&url.parse()?), name.to_owned()), value.to_owned());
        Ok(())
    }

    fn request(&self, method: Method, url: &str) -> anyhow::Result<RequestBuilder> {
        let site = origin(&url.parse()?);
        let held = self.cookies.iter().filter(|((of, _), _)| *of == site);
        let cookies: Vec<_> = held.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = self.http.request(method, url);
        Ok(if cookies.is_empty() { request } else { request.header(header::COOKIE, cookies.join("; ")) })
    }

    async fn send(&mut self, url: &str, request: RequestBuilder) -> anyhow::Result<Reply> {
        let reply = Reply::of(request).await?;
        let site = origin(&url.parse()?);
        for line in reply.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str()?;
            let (name, value) =
                line.split(';').next().and_then(|pair| pair.split_once('=')).context("a cookie")?;
            let key = (site.clone(), name.trim().to_owned());
            if line.contains("Max-Age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        url.clone_into(&mut self.page);
        Ok(reply)
    }
}

impl PageForm {
    /// Enters a value into a field.
    pub fn fill(&mut self, name: &str, value: &str) {
        self.fields.retain(|(held, _)| held != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    /// What a field holds.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(held, _)| held == name).map_or("", |(_, value)| value)
    }
}

/// One walk of a client through the code flow: what it sends, and what it must find again.
#[derive(Debug, Clone)]
pub struct CodeFlow {
    /// The issuer.
    pub issuer: String,
    /// The client.
    pub client_id: String,
    /// Where its answer goes.
    pub redirect_uri: String,
    /// What it finds again in the answer.
    pub state: String,
    /// What it shows when it redeems the code.
    pub code_verifier: String,
    /// What it asks for.
    pub parameters: Vec<(String, String)>,
}

impl CodeFlow {
    /// A request for a scope, with fresh secrets.
    ///
    /// # Panics
    /// If the system has no randomness.
    #[must_use]
    pub fn new(issuer: &str, client_id: &str, redirect_uri: &str, scope: &str) -> Self {
        let (state, code_verifier) = (random(), random());
        let challenge = digest::digest(&digest::SHA256, code_verifier.as_bytes());
        let challenge = base64_simd::URL_SAFE_NO_PAD.encode_to_string(challenge.as_ref());
        let parameters = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("scope", scope),
            ("state", &state),
            ("nonce", &random()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            state,
            code_verifier,
        }
    }

    /// The same with another value of a parameter; without it, if the value is empty.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.retain(|(held, _)| held != name);
        if !value.is_empty() {
            self.parameters.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Where the browser is sent.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = format!("{}/oauth2/authorize?", self.issuer);
        for (name, value) in &self.parameters {
            let _ = write!(url, "{name}={}&", escaped(value));
        }
        url.pop();
        url
    }

    /// The parameters of an answer to this flow, after the checks of a careful client.
    ///
    /// # Errors
    /// If it is not sent to the client by 303, or state or issuer are not those of this flow.
    pub fn answer(&self, reply: &Reply) -> anyhow::Result<HashMap<String, String>> {
        let location = reply.header("location");
        ensure!(reply.status == 303, "not sent back: {} {}", reply.status, reply.body);
        ensure!(location.starts_with(&self.redirect_uri), "sent to {location}");
        let answer: HashMap<String, String> = location.parse::<Url>()?.query_pairs().into_owned().collect();
        ensure!(answer.get("state") == Some(&self.state), "another state: {location}");
        ensure!(answer.get("iss") == Some(&self.issuer), "another issuer: {location}");
        Ok(answer)
    }

    /// The code of an answer.
    ///
    /// # Errors
    /// If there is none, and as for [`answer`](Self::answer).
    pub fn code(&self, reply: &Reply) -> anyhow::Result<String> {
        let mut answer = self.answer(reply)?;
        answer.remove("code").with_context(|| format!("no code: {answer:?}"))
    }

    /// Trades a code for tokens, as a client with a secret, or without one if that is empty.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn redeem(&self, http: &reqwest::Client, secret: &str, code: &str) -> anyhow::Result<Reply> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &self.code_verifier),
        ];
        self.token(http, secret, &form).await
    }

    /// Trades a refresh token for the next one.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn refresh(&self, http: &reqwest::Client, secret: &str, token: &str) -> anyhow::Result<Reply> {
        self.token(http, secret, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    async fn token(
        &self,
        http: &reqwest::Client,
        secret: &str,
        form: &[(&str, &str)],
    ) -> anyhow::Result<Reply> {
        let request = http.post(format!("{}/oauth2/token", self.issuer));
        let mut form = form.to_vec();
        if secret.is_empty() {
            form.push(("client_id", &self.client_id));
            return Reply::of(request.form(&form)).await;
        }
        Reply::of(request.basic_auth(&self.client_id, Some(secret)).form(&form)).await
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// 256 random bits.
fn random() -> String {
    let mut bits = [0; 32];
    rand::fill(&mut bits).expect("the system has randomness");
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bits)
}

/// A value as it stands in a query.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(byte.into());
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The value of an attribute of a tag, with the escapes of HTML undone.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag[start..].split('"').next()?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    Some(plain.iter().fold(value.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_a_browser_reads_it() {
        let page = Reply {
            status: 200,
            headers: header::HeaderMap::new(),
            body: "<form method=\"post\" action=\"/sign-in\"><input type=\"hidden\" name=\"a\" value=\"x&amp;y\">\
                   <input type=\"text\" name=\"username\"></form>"
                .to_owned(),
        };
        let mut person = Person::new();
        "http://127.0.0.1:1/oauth2/authorize?x=1".clone_into(&mut person.page);
        let form = person.form(&page).unwrap();
        assert_eq!(form.action.as_str(), "http://127.0.0.1:1/sign-in");
        assert_eq!(form.fields, [("a".to_owned(), "x&y".to_owned())]);
        assert_eq!(escaped("a b&é"), "a%20b%26%C3%A9");
    }
}
