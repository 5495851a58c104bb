// Runs npm's oidc-provider on a loopback port, with one client, a program on
// the machine of its user. Prints its issuer as the first line.
import {createServer} from 'node:http';
import {Provider} from 'oidc-provider';

const {CLIENT_ID, CLIENT_SECRET} = process.env;
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: ['http://127.0.0.1/callback'], application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'client_secret_basic',
    }],
    cookies: {keys: ['one cookie key of a test']},
    features: {devInteractions: {enabled: true}, revocation: {enabled: true}},
    findAccount: (_, id) => ({accountId: id, claims: () => ({sub: id})}),
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
  });
  provider.on('server_error', (_, error) => console.error(error));
  server.on('request', provider.callback());
  console.log(issuer);
});
