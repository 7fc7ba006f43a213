// npm's oidc-provider, a certified authorization server, on a free loopback port: PKCE demanded, refresh tokens
// rotated with reuse detection, device flow, client credentials, revocation, introspection. Prints `port N`.
//
//   node op.mjs         anybody may log in, with any password; the account's name is what was typed
//
// Clients: `native` (no secret; 127.0.0.1, any port), `basic` and `body` (secrets with what must be encoded), `service`
// (client credentials), `web` (a registered address that is no loopback). Beside the server's own paths:
//
//   GET  /control/count             token requests so far, a number alone; ?grant=refresh_token: of one grant
//   GET  /control/requests          all of them: grant, client, at (ms), status
//   POST /control                   settings, as SETTINGS has them, in JSON; gives all of them
//   POST /control/forget            counts begin anew
//   POST /control/end               every grant given so far is over (a person revoked the app)
//   GET  /me                        who an access token belongs to; 401 when it is no longer good
import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import Provider from 'oidc-provider';

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const SECRET = 's:e/c+r%t c4n4ry';
const settings = {
  lifetime: 3600, // of access tokens, in seconds
  before: 0, // milliseconds that a token request waits before it is looked at
  after: 0, // and that its reply is held back
};
let requests = [];
const grants = new Set();

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const confidential = (client_id, token_endpoint_auth_method) => ({
  client_id,
  client_secret: SECRET,
  token_endpoint_auth_method,
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token', DEVICE],
  response_types: ['code'],
});
const provider = new Provider(issuer, {
  clients: [
    { ...confidential('native', 'none'), client_secret: undefined, redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'] },
    confidential('basic', 'client_secret_basic'),
    confidential('body', 'client_secret_post'),
    {
      client_id: 'service',
      client_secret: SECRET,
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [],
      grant_types: ['client_credentials'],
      response_types: [],
      scope: 'read write',
    },
    {
      client_id: 'web',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['https://app.example/oauth/done'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
  ],
  scopes: ['openid', 'offline_access', 'read', 'write'],
  pkce: { methods: ['S256'], required: () => true },
  rotateRefreshToken: () => true,
  issueRefreshToken: async (context, client) => client.grantTypeAllowed('refresh_token'),
  findAccount: async (context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  cookies: { keys: ['only a test'] },
  ttl: {
    AccessToken: () => settings.lifetime,
    ClientCredentials: () => settings.lifetime,
    AuthorizationCode: 60,
    DeviceCode: 120,
    Grant: 86400,
    Interaction: 600,
    RefreshToken: 86400,
    Session: 86400,
  },
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async () => true },
  },
});
for (const event of ['access_token.saved', 'refresh_token.saved']) {
  provider.on(event, (token) => token.grantId && grants.add(token.grantId));
}
const answer = provider.callback();

async function readBody(request) {
  const parts = [];
  for await (const part of request) {
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function say(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify(value) + '\n');
}

async function endGrants() {
  for (const id of grants) {
    await provider.AccessToken.revokeByGrantId(id);
    await provider.RefreshToken.revokeByGrantId(id);
    await (await provider.Grant.find(id))?.destroy();
  }
  grants.clear();
}

async function control(request, url, response) {
  const body = await readBody(request);
  if (url.pathname === '/control/count') {
    const grant = url.searchParams.get('grant');
    say(response, 200, requests.filter((each) => !grant || each.grant === grant).length);
  } else if (url.pathname === '/control/requests') {
    say(response, 200, requests);
  } else if (url.pathname === '/control/forget') {
    requests = [];
    say(response, 200, {});
  } else if (url.pathname === '/control/end') {
    await endGrants();
    say(response, 200, {});
  } else {
    const given = JSON.parse(body || '{}');
    const unknown = Object.keys(given).filter((name) => !(name in settings));
    Object.assign(settings, unknown.length ? {} : given);
    say(response, unknown.length ? 400 : 200, settings);
  }
}

async function me(request, response) {
  const token = await provider.AccessToken.find((request.headers.authorization ?? '').replace(/^Bearer /, ''));
  const valid = token && !token.isExpired;
  say(response, valid ? 200 : 401, valid ? { id: `id-of-${token.accountId}`, name: token.accountId } : { error: 'invalid_token' });
}

// The token endpoint of the package, with its requests counted and its replies held back. What it does, it does at
// once, whether or not anybody still waits for the reply.
async function token(request, response) {
  const body = await readBody(request);
  const form = new URLSearchParams(body);
  const seen = { grant: form.get('grant_type'), client: form.get('client_id'), at: Date.now(), status: null };
  requests.push(seen);
  await wait(settings.before);
  request.body = Object.fromEntries(form); // read already: the package takes it from here
  const end = response.end.bind(response);
  response.end = (...given) => {
    seen.status = response.statusCode;
    setTimeout(() => end(...given), settings.after);
    return response;
  };
  answer(request, response);
}

server.on('request', (request, response) => {
  const url = new URL(request.url, issuer);
  if (url.pathname.startsWith('/control')) {
    control(request, url, response);
  } else if (url.pathname === '/me' && request.method === 'GET') {
    me(request, response);
  } else if (url.pathname === '/token' && request.method === 'POST') {
    token(request, response);
  } else {
    answer(request, response);
  }
});
console.log(`port ${server.address().port}`);
