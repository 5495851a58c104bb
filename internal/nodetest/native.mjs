// Runs npm's oidc-provider on a loopback port, with a native app and a service.
// Prints its issuer as the first line.
import {createServer} from 'node:http';
import {Provider} from 'oidc-provider';

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'native', application_type: 'native', redirect_uris: ['http://127.0.0.1/callback'], token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    }, {
      client_id: 'service', client_secret: process.env.CLIENT_SECRET, redirect_uris: [], response_types: [],
      grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_basic',
    }],
    conformIdTokenClaims: true,
    cookies: {keys: ['one cookie key of a test']},
    features: {devInteractions: {enabled: true}, deviceFlow: {enabled: true}, clientCredentials: {enabled: true}, revocation: {enabled: true}},
    scopes: ['openid', 'offline_access', 'read'],
    findAccount: (_, id) => ({accountId: id, claims: () => ({sub: id})}),
    rotateRefreshToken: true,
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
