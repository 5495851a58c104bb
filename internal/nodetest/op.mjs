// Runs npm's oidc-provider on a loopback port, with one client. Prints its
// issuer as the first line. POST /control/NAME does what a test asks for, and
// answers with what the server knows.
import {createServer} from 'node:http';
import {Provider} from 'oidc-provider';

const {CLIENT_ID, CLIENT_SECRET, CALLBACK} = process.env;
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: [CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'client_secret_basic',
    }],
    claims: {openid: ['sub'], profile: ['name', 'preferred_username', 'picture']},
    conformIdTokenClaims: true,
    cookies: {keys: ['one cookie key of a test']},
    features: {devInteractions: {enabled: true}, revocation: {enabled: true}},
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({sub: id, name: `Name of ${id}`, preferred_username: id, picture: 'https://img.example/1.png'}),
    }),
    rotateRefreshToken: true,
  });
  const controls = watch(provider);
  const answer = provider.callback();
  server.on('request', async (request, response) => {
    const control = controls[request.url.replace('/control/', '')];
    if (control === undefined) return answer(request, response);
    await control();
    response.end(JSON.stringify(await controls.counts()));
  });
  console.log(issuer);
});

// watch keeps what was issued, and counts requests.
function watch(provider) {
  const access = new Set(), refresh = new Set(), grants = new Set();
  let refreshes = 0, refused = 0, exchanges = 0;
  provider.on('access_token.saved', (token) => { access.add(token.jti); grants.add(token.grantId); });
  provider.on('refresh_token.saved', (token) => refresh.add(token.jti));
  provider.on('grant.success', ({oidc}) => {
    if (oidc.params.grant_type === 'refresh_token') refreshes++; else exchanges++;
  });
  provider.on('grant.error', () => { refused++; });
  const live = async (kind, ids) => {
    const found = await Promise.all([...ids].map((id) => kind.find(id)));
    return found.filter((token) => token && !token.consumed).length;
  };
  return {
    counts: async () => ({
      refreshes, refused, exchanges,
      liveAccess: await live(provider.AccessToken, access), liveRefresh: await live(provider.RefreshToken, refresh),
    }),
    // The access tokens become invalid before their time.
    'kill-access': async () => {
      for (const id of access) await (await provider.AccessToken.find(id))?.destroy();
    },
    // The users withdraw access.
    'end-grants': async () => {
      for (const id of grants) {
        await provider.AccessToken.revokeByGrantId(id);
        await provider.RefreshToken.revokeByGrantId(id);
        await (await provider.Grant.find(id))?.destroy();
      }
    },
  };
}
