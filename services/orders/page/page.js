// Signs a person in with the authorization code flow and PKCE, and shows the life of the token.
//
// Tokens are in this page's memory and nowhere else: a reload asks the issuer again, which knows the person still. What
// has to outlive the way to the issuer and back (the code verifier, the state, the nonce) is kept for this tab only.

const $ = (id) => document.getElementById(id);
const here = `${location.origin}/`;
const PENDING = "pending";
const LEFT_BEHIND = "left-behind";

/** What each claim means, in plain words. */
const MEANING = {
  iss: () => "who signed it",
  sub: () => "you, by a name that is never given to anybody else",
  aud: () => "the one service it is good for",
  client_id: () => "the application that asked for it: this page",
  scope: () => "what it allows",
  iat: (value) => `issued at ${time(value)}`,
  exp: (value) => `ends at ${time(value)}`,
  auth_time: (value) => `you gave your password at ${time(value)}`,
  amr: () => "how you showed who you are",
  sid: () => "your session: when it ends, this token ends",
  jti: () => "its own number",
};

/** This page as a client, and the issuer's metadata. */
let settings = null;
let issuer = null;
/** What the issuer gave: access_token, refresh_token, id_token; the claims of the first, and who the person is. */
let tokens = null;
let refreshing = null;

$("sign-in").onclick = () => guard(signIn);
$("sign-out").onclick = () => guard(signOut);
$("refresh").onclick = () => guard(refresh);
$("revoke").onclick = () => guard(revoke);
$("order").onsubmit = (event) => {
  event.preventDefault();
  guard(() => order(event.target));
};
setInterval(tick, 250);
await guard(arrive);

/** A page is entered fresh, with a code of the issuer, or after signing out. */
async function arrive() {
  const query = new URLSearchParams(location.search);
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
  sessionStorage.removeItem(PENDING);
  // Neither the code nor the state shall stay in the history.
  history.replaceState(null, "", "/");
  $("outside").hidden = false;
  settings = await json(await fetch("/page.json"));
  issuer = await json(await fetch(`${settings.issuer}/.well-known/openid-configuration`));
  if (query.has("code") || query.has("error")) {
    await redeem(query, pending);
  }
  const old = JSON.parse(sessionStorage.getItem(LEFT_BEHIND) ?? "null");
  if (old) {
    watch(old);
  }
}

async function signIn() {
  const [verifier, state, nonce] = [random(), random(), random()];
  sessionStorage.setItem(PENDING, JSON.stringify({ verifier, state, nonce }));
  const challenge = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  const query = new URLSearchParams({
    response_type: "code",
    client_id: settings.client_id,
    redirect_uri: here,
    scope: settings.scope,
    resource: settings.audience,
    code_challenge: base64url(challenge),
    code_challenge_method: "S256",
    state,
    nonce,
  });
  location.assign(`${issuer.authorization_endpoint}?${query}`);
}

/** The answer is taken only if this tab has asked for it (state), and this issuer has given it (RFC 9207). */
async function redeem(query, pending) {
  if (!pending || query.get("state") !== pending.state || query.get("iss") !== issuer.issuer) {
    throw new Error("An answer came that this page has not asked for. Please sign in again.");
  }
  if (query.has("error")) {
    throw new Error(`You were not signed in (${query.get("error")}).`);
  }
  const form = { grant_type: "authorization_code", code: query.get("code"), redirect_uri: here };
  await take({ ...form, code_verifier: pending.verifier }, "Signed in: the code became a token");
  if (decode(tokens.id_token).nonce !== pending.nonce) {
    tokens = null;
    throw new Error("The ID token is the answer to another request. Please sign in again.");
  }
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  tokens.person = await json(await fetch(issuer.userinfo_endpoint, { headers }));
  show();
  await load();
}

/** One refresh at a time: a refresh token is good for one. */
async function refresh() {
  refreshing ??= take({ grant_type: "refresh_token", refresh_token: tokens.refresh_token }, "Refreshed");
  try {
    await refreshing;
  } finally {
    refreshing = null;
  }
}

async function take(form, what) {
  const body = new URLSearchParams({ client_id: settings.client_id, ...form });
  const response = await fetch(issuer.token_endpoint, { method: "POST", body });
  const answer = await response.json().catch(() => ({}));
  if (response.status === 400 && form.grant_type === "refresh_token") {
    tokens = null;
    show();
  }
  if (!response.ok) {
    throw new Error(`The issuer gave no token: ${answer.error ?? response.status}.`);
  }
  tokens = { ...tokens, ...answer, claims: decode(answer.access_token), gaveUp: false };
  tell(what);
  show();
}

/** Ends the session at the issuer, which brings the person back here. */
async function signOut() {
  leaveBehind();
  const query = new URLSearchParams({
    client_id: settings.client_id,
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: here,
  });
  location.assign(`${issuer.end_session_endpoint}?${query}`);
}

/** RFC 7009: without the refresh token there is no next access token, and the one at hand dies with its session. */
async function revoke() {
  const body = new URLSearchParams({ client_id: settings.client_id, token: tokens.refresh_token });
  const response = await fetch(issuer.revocation_endpoint, { method: "POST", body });
  if (!response.ok) {
    throw new Error(`The issuer did not revoke it: ${response.status}.`);
  }
  const old = leaveBehind();
  tokens = null;
  show();
  watch(old);
}

/** Keeps the access token for one purpose: to see it die. Nobody but a demonstration does that. */
function leaveBehind() {
  const old = { token: tokens.access_token, since: Date.now() };
  sessionStorage.setItem(LEFT_BEHIND, JSON.stringify(old));
  return old;
}

/** Presents the old token again and again until the service refuses it. */
async function watch({ token, since }) {
  $("death").hidden = false;
  $("fate-note").textContent = "This page presents it to the service twice a second. Nobody calls the issuer for that: " +
    "the service hears of revocations by itself.";
  for (;;) {
    const response = await fetch("/whoami", { headers: { authorization: `Bearer ${token}` } }).catch(() => null);
    const seconds = ((Date.now() - since) / 1000).toFixed(1);
    const refused = response?.status === 401;
    $("fate").textContent = refused ? `Refused, ${seconds} s after you left.` : `Still accepted, ${seconds} s after.`;
    $("fate").className = refused ? "lead dead" : "lead alive";
    if (refused) {
      sessionStorage.removeItem(LEFT_BEHIND);
      return;
    }
    await new Promise((next) => setTimeout(next, 500));
  }
}

async function order(form) {
  const { item, amount } = Object.fromEntries(new FormData(form));
  await call("/orders", { method: "POST", body: JSON.stringify({ item, amount: Number(amount) }) });
  form.reset();
  tell(`Ordered: ${item}`);
  await load();
}

async function load() {
  const orders = await json(await call("/orders"));
  $("empty").hidden = orders.length > 0;
  const rows = orders.toReversed().map(({ id, item, amount }) => {
    return element("li", {}, [["span", `#${id}`, "number"], ["span", item], ["span", `× ${amount}`, "amount"]]);
  });
  $("list").replaceChildren(...rows);
}

/** Calls the service as the person. */
async function call(path, options = {}) {
  const headers = { authorization: `Bearer ${tokens.access_token}`, "content-type": "application/json" };
  const response = await fetch(path, { ...options, headers });
  if (!response.ok) {
    throw new Error(response.status === 401 ? "The service no longer accepts the token." : await response.text());
  }
  return response;
}

function tick() {
  if (!tokens) {
    return;
  }
  const { iat, exp } = tokens.claims;
  const [left, life] = [exp - Date.now() / 1000, exp - iat];
  $("left").textContent = left > 0 ? `${clock(left)} left` : "expired";
  $("left-note").textContent = `of ${clock(life)}`;
  $("life").value = Math.max(0, left / life);
  $("life").classList.toggle("ending", left < life / 5);
  // Ahead of its end, and once: a failure is shown, and the person decides.
  if (left < Math.max(2, life / 6) && tokens.refresh_token && !tokens.gaveUp && !refreshing) {
    const held = tokens;
    guard(refresh, () => { held.gaveUp = true; });
  }
}

function show() {
  const person = tokens?.person;
  $("who").textContent = person?.name ?? person?.preferred_username ?? "";
  $("inside").hidden = $("sign-out").hidden = !tokens;
  $("outside").hidden = Boolean(tokens);
  $("death").hidden ||= Boolean(tokens);
  if (!tokens) {
    return;
  }
  $("refresh").disabled = $("revoke").disabled = !tokens.refresh_token;
  const rows = Object.entries(tokens.claims).map(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const row = element("div", {}, [["dt", name], ["dd", text]]);
    const meaning = MEANING[name]?.(value);
    if (meaning) {
      row.lastChild.append(element("span", { className: "soft", textContent: meaning }));
    }
    return row;
  });
  $("claims").replaceChildren(...rows);
  tick();
}

function tell(what) {
  $("events").prepend(element("li", {}, [["time", time(Date.now() / 1000)], ["span", what]]));
}

/** Runs something, and says so if it fails. */
async function guard(work, failed = () => {}) {
  $("trouble").hidden = true;
  try {
    await work();
  } catch (error) {
    failed();
    $("trouble").textContent = error instanceof TypeError ? "The issuer or the service cannot be reached." : error.message;
    $("trouble").hidden = false;
  }
}

async function json(response) {
  if (!response.ok) {
    throw new Error(`${new URL(response.url).pathname} answered ${response.status}.`);
  }
  return response.json();
}

/** The claims of a token, to be shown: who must rely on them verifies it. */
function decode(token) {
  const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function element(name, properties, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.map(([child, textContent, className = ""]) => element(child, { textContent, className })));
  return made;
}

function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

function time(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString();
}
