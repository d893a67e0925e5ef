"""Verifies a token the way a Python service does: PyJWT with PyJWKClient, nothing of ours."""

import sys

import jwt

jwks_uri, issuer, audience, token = sys.argv[1:5]
key = jwt.PyJWKClient(jwks_uri).get_signing_key_from_jwt(token)
claims = jwt.decode(
    token,
    key,
    algorithms=["RS256", "ES256"],
    audience=audience,
    issuer=issuer,
    options={"require": ["exp", "iat", "sub", "jti", "client_id"]},
)
print(claims["sub"])
