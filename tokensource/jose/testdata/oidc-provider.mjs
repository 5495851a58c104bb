// Runs npm's oidc-provider on a loopback port, with a confidential and a public
// client whose tokens are bound to keys, and with nonces. Prints its issuer as
// the first line. GET /counts says what it has done.
import {createServer} from 'node:http';
import {Provider} from 'oidc-provider';

const {CLIENT_SECRET, CALLBACK} = process.env;
const server = createServer();
const counts = {refreshes: 0, exchanges: 0, challenges: 0, refused: 0};
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const client = {redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token'], dpop_bound_access_tokens: true};
  const provider = new Provider(issuer, {
    clients: [
      {...client, client_id: 'confidential', client_secret: CLIENT_SECRET, token_endpoint_auth_method: 'client_secret_basic'},
      {...client, client_id: 'public', token_endpoint_auth_method: 'none'},
    ],
    claims: {openid: ['sub'], profile: ['name', 'preferred_username']},
    conformIdTokenClaims: true,
    cookies: {keys: ['one cookie key of a test']},
    features: {
      devInteractions: {enabled: true}, revocation: {enabled: true}, pushedAuthorizationRequests: {enabled: true},
      dPoP: {enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true},
    },
    findAccount: (_, id) => ({accountId: id, claims: () => ({sub: id, name: id, preferred_username: id})}),
    rotateRefreshToken: true,
    ttl: {AccessToken: 3600},
  });
  const access = new Set();
  provider.on('access_token.saved', (token) => access.add(token.jti));
  provider.on('grant.success', ({oidc}) => {
    if (oidc.params.grant_type === 'refresh_token') counts.refreshes++; else counts.exchanges++;
  });
  provider.on('grant.error', (_, error) => {
    if (error.error === 'use_dpop_nonce') counts.challenges++; else counts.refused++;
  });
  provider.on('server_error', (_, error) => console.error(error));
  const answer = provider.callback();
  server.on('request', async (request, response) => {
    switch (request.url) {
      case '/kill-access':
        for (const id of access) await (await provider.AccessToken.find(id))?.destroy();
        // falls through
      case '/counts':
        return response.end(JSON.stringify(counts));
    }
    return answer(request, response);
  });
  console.log(issuer);
});
