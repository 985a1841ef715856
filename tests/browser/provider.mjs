// An OpenID provider that is not ours: npm oidc-provider, with device flow, in front of a tenant's path.
// Usage: node provider.mjs SETTINGS.json; prints "ready" when it listens.
import fs from "node:fs";
import https from "node:https";
import Provider from "oidc-provider";

const settings = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const user = settings.user;

const provider = new Provider(settings.issuer, {
  jwks: settings.jwks,
  clients: [
    {
      client_id: settings.client_id,
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
      response_types: [],
      redirect_uris: [],
    },
  ],
  cookies: { keys: ["only for a test"] },
  scopes: ["openid", "offline_access", "profile"],
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, oid: user.oid, tid: settings.tenant_id, preferred_username: user.upn }),
  }),
  claims: { openid: ["sub", "oid", "tid"], profile: ["preferred_username"] },
  conformIdTokenClaims: false,
  features: {
    deviceFlow: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => settings.resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: settings.scopes.map((name) => `${settings.resource}/${name}`).join(" "),
        audience: settings.resource,
        accessTokenFormat: "jwt",
        accessTokenTTL: 600,
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  extraTokenClaims: (_context, token) => ({
    oid: user.oid,
    tid: settings.tenant_id,
    appid: token.clientId,
    upn: user.upn,
    wids: user.wids,
    idtyp: "user",
    nbf: Math.floor(Date.now() / 1000),
    scp: (token.scope ?? "").split(" ").map((name) => name.split("/").pop()).join(" "),
  }),
  ttl: { DeviceCode: 60, Grant: 600, Session: 600, Interaction: 600, IdToken: 600, RefreshToken: 600 },
});

const callback = provider.callback();
const prefix = new URL(settings.issuer).pathname;
const files = { cert: fs.readFileSync(settings.certificate), key: fs.readFileSync(settings.key) };
const server = https.createServer(files, (request, response) => {
  request.originalUrl = request.url;
  if (request.url.startsWith(prefix)) {
    request.url = request.url.slice(prefix.length) || "/";
  }
  callback(request, response);
});
server.listen(settings.port, "127.0.0.1", () => console.log("ready"));
