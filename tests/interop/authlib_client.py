"""Signs a person in the way a Python service does: Authlib, nothing of ours.

Each address that the person's browser has to visit is written as a line, and the address at which the browser then
arrived is read as one.
"""

import os
import sys
from urllib.parse import parse_qs, urlsplit

from authlib.integrations.base_client import BaseApp, OAuth2Mixin, OAuthError, OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.discovery import get_well_known_url

issuer, client_id, redirect_uri, resource = sys.argv[1:5]
# The issuer is on this machine, without TLS.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "true"


class App(OAuth2Mixin, OpenIDMixin, BaseApp):
    """What Authlib's integrations with Django, Flask and Starlette have in common."""

    client_cls = OAuth2Session

    def _on_update_token(self, token, refresh_token=None, access_token=None):
        pass


def visit(url):
    print(f"visit {url}", flush=True)
    return sys.stdin.readline().strip()


def told(what):
    print(f"ok {what}", flush=True)


app = App(
    None,
    client_id=client_id,
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=get_well_known_url(issuer, external=True),
    client_kwargs={
        "scope": "openid profile email offline_access orders:read",
        "code_challenge_method": "S256",
        "token_endpoint_auth_method": "client_secret_basic",
        "trust_env": False,
    },
)
metadata = app.load_server_metadata()
assert metadata["issuer"] == issuer, metadata
told("discovery")

asked = app.create_authorization_url(redirect_uri, resource=resource)
arrived = visit(asked["url"])
assert parse_qs(urlsplit(arrived).query)["iss"] == [issuer], arrived
token = app.fetch_access_token(
    redirect_uri,
    authorization_response=arrived,
    state=asked["state"],
    code_verifier=asked["code_verifier"],
)
claims = app.parse_id_token(token, nonce=asked["nonce"])
told("code with PKCE, id token")

person = app.userinfo(token=token)
assert person["sub"] == claims["sub"], person
told(f"userinfo of {person['preferred_username']}")

client = app._get_oauth_client(**metadata)
client.token = token
refreshed = client.refresh_token(metadata["token_endpoint"])
assert refreshed["access_token"] != token["access_token"]
told("refresh")

answer = client.revoke_token(metadata["revocation_endpoint"], token=refreshed["refresh_token"])
assert answer.status_code == 200, answer.text
try:
    client.refresh_token(metadata["token_endpoint"], refresh_token=refreshed["refresh_token"])
except OAuthError as refusal:
    assert refusal.error == "invalid_grant", refusal
else:
    raise AssertionError("a revoked token was refreshed")
told("revocation")

goodbye = app.create_logout_url(redirect_uri, id_token_hint=token["id_token"])
left = visit(goodbye["url"])
assert parse_qs(urlsplit(left).query)["state"] == [goodbye["state"]], left
told("log-out")
print(f"sub {claims['sub']}")
