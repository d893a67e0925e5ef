// Verifies a token the way a Node service does: jose with a remote key set, nothing of ours.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, jwksUri, issuer, audience, token] = process.argv.slice(2);
const path = createRequire(modules + "/").resolve("jose");
const { createRemoteJWKSet, jwtVerify } = await import(pathToFileURL(path));
const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(jwksUri)), {
  issuer,
  audience,
  typ: "at+jwt",
  algorithms: ["RS256", "ES256"],
  requiredClaims: ["sub", "jti", "client_id"],
});
console.log(payload.sub);
