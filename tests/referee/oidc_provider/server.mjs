// An OpenID-certified server for tests: TLS on a free port of loopback, and a control door in plain HTTP beside it.
// Usage: node server.mjs CONFIG, a JSON file { key, certificate, clients, accessTokenSeconds, deviceIntervalSeconds }.
// Prints one line of JSON when it is ready, { issuer, control }. Ends with its standard input.
// The control door: GET gives what was seen, POST { settings } forgets it, DELETE ends every access token that is out.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

import Provider from 'oidc-provider';

const HOST = '127.0.0.1';
const RESOURCE_SCOPES = 'records.read records.write';

const given = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const settings = { accessTokenSeconds: given.accessTokenSeconds, deviceIntervalSeconds: given.deviceIntervalSeconds };
const tokensOut = new Set();
let seen;

function forget() {
  seen = { requests: {}, authentications: {}, refusals: {}, revokedGrants: 0, assertions: [] };
}

function count(counts, name) {
  counts[name] = (counts[name] ?? 0) + 1;
}

function noteAssertion(ctx, claims, header) {
  const { iat, exp, aud, jti } = claims;
  seen.assertions.push({ header: Object.keys(header).sort(), lifetime: exp - iat, audience: aud, jti });
}

// Ben never allows an app to write: what he is asked for is granted without that scope.
async function knownGrant(ctx) {
  const { client, provider, session } = ctx.oidc;
  const id = ctx.oidc.result?.consent?.grantId ?? session.grantIdFor(client.clientId);
  if (id) return provider.Grant.find(id);
  if (session.accountId !== 'ben') return undefined;
  const grant = new provider.Grant({ accountId: 'ben', clientId: client.clientId });
  grant.addOIDCScope('openid');
  grant.rejectOIDCScope('records.write');
  await grant.save();
  return grant;
}

function configuration() {
  const allowOwn = async (ctx, client, token) => token.clientId === client.clientId;
  return {
    clients: given.clients,
    cookies: { keys: ['a key for tests'] },
    claims: { openid: ['sub', 'preferred_username'] },
    conformIdTokenClaims: false,
    scopes: ['openid', 'offline_access', ...RESOURCE_SCOPES.split(' '), 'records.delete'],
    findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, preferred_username: id }) }),
    loadExistingGrant: knownGrant,
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async (ctx, client, code) => code.scopes.has('offline_access'),
    assertJwtClientAuthClaimsAndHeader: async (ctx, claims, header) => noteAssertion(ctx, claims, header),
    ttl: {
      AccessToken: () => settings.accessTokenSeconds,
      ClientCredentials: () => settings.accessTokenSeconds,
      AuthorizationCode: 60,
      DeviceCode: 600,
      Grant: 86400,
      IdToken: 3600,
      Interaction: 600,
      RefreshToken: 86400,
      Session: 86400,
    },
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true, allowedPolicy: allowOwn },
      revocation: { enabled: true, allowedPolicy: allowOwn },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: async () => ({ scope: RESOURCE_SCOPES, accessTokenFormat: 'jwt' }),
      },
    },
  };
}

function authentication(ctx) {
  if (ctx.headers.authorization) return 'basic';
  if (ctx.oidc.body?.client_secret) return 'post';
  return ctx.oidc.body?.client_assertion ? 'private_key_jwt' : 'none';
}

function watched(provider) {
  provider.use(async (ctx, next) => {
    await next();
    const route = ctx.oidc?.route;
    if (route === 'token') count(seen.requests, ctx.oidc.params?.grant_type ?? 'none');
    if (['token', 'revocation', 'device_authorization'].includes(route)) {
      count(seen.authentications, `${route} ${authentication(ctx)}`);
    }
    if (route === 'device_authorization' && ctx.body.device_code && settings.deviceIntervalSeconds) {
      ctx.body = { ...ctx.body, interval: settings.deviceIntervalSeconds };
    }
  });
  const refused = (ctx, error) => count(seen.refusals, error.error_detail ?? error.cause?.message ?? error.message);
  for (const event of ['grant.error', 'revocation.error', 'device_authorization.error']) provider.on(event, refused);
  provider.on('access_token.saved', (token) => tokensOut.add(token));
  provider.on('access_token.issued', (token) => tokensOut.add(token));
  provider.on('grant.revoked', () => { seen.revokedGrants += 1; });
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider;
}

// Every access token that is out ends at once, as after a change of a policy: refresh tokens stay.
async function endAccessTokens() {
  for (const token of tokensOut) await token.destroy();
  tokensOut.clear();
}

async function body(request) {
  let text = '';
  for await (const part of request) text += part;
  return text ? JSON.parse(text) : {};
}

const control = http.createServer(async (request, response) => {
  if (request.method === 'DELETE') await endAccessTokens();
  if (request.method === 'POST') {
    Object.assign(settings, await body(request));
    forget();
  }
  response.setHeader('Content-Type', 'application/json');
  response.setHeader('Connection', 'close');
  response.end(JSON.stringify(seen));
});

const tls = { key: readFileSync(given.key), cert: readFileSync(given.certificate) };
const server = https.createServer(tls);
forget();
server.listen(0, HOST, () => {
  const issuer = `https://${HOST}:${server.address().port}`;
  server.on('request', watched(new Provider(issuer, configuration())).callback());
  control.listen(0, HOST, () => {
    console.log(JSON.stringify({ issuer, control: `http://${HOST}:${control.address().port}` }));
  });
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
