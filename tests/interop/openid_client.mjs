// Signs a person in the way a Node service does: openid-client, nothing of ours. Each address that the person's browser
// has to visit is written as a line, and the address at which the browser then arrived is read as one.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modules, issuer, clientId, redirectUri, resource] = process.argv.slice(2);
const path = createRequire(modules + "/").resolve("openid-client");
const client = await import(pathToFileURL(path));
const arrivals = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const visit = async (url) => {
  console.log(`visit ${url}`);
  return new URL((await arrivals.next()).value);
};
const told = (what) => console.log(`ok ${what}`);

// The issuer is on this machine, without TLS.
const options = { execute: [client.allowInsecureRequests] };
const authentication = client.ClientSecretPost(process.env.CLIENT_SECRET);
const config = await client.discovery(new URL(issuer), clientId, undefined, authentication, options);
told("discovery");

const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
const request = {
  redirect_uri: redirectUri,
  scope: "openid profile email offline_access orders:read",
  resource,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expectedState,
  nonce: expectedNonce,
};
const arrived = await visit(await client.buildAuthorizationUrlWithPAR(config, request));
const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(config, arrived, checks);
const { sub } = tokens.claims();
told("pushed request, code with PKCE, id token");

const person = await client.fetchUserInfo(config, tokens.access_token, sub);
told(`userinfo of ${person.preferred_username}`);

const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
if (refreshed.access_token === tokens.access_token) throw new Error("the refresh gave the same access token");
told("refresh");

const introspected = await client.tokenIntrospection(config, refreshed.access_token);
if (!introspected.active) throw new Error("a fresh token is not active");
await client.tokenRevocation(config, refreshed.refresh_token);
const refusal = await client.refreshTokenGrant(config, refreshed.refresh_token).catch((error) => error);
if (refusal.error !== "invalid_grant") throw refusal;
told("introspection, revocation");

const state = client.randomState();
const goodbye = { post_logout_redirect_uri: redirectUri, id_token_hint: tokens.id_token, state };
const left = await visit(client.buildEndSessionUrl(config, goodbye));
if (left.searchParams.get("state") !== state) throw new Error(`signed out without the state: ${left}`);
told("log-out");
console.log(`sub ${sub}`);
process.exit(0);
