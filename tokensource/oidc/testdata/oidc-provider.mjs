// Runs npm's oidc-provider on a loopback port, with one client that takes ID
// tokens and logouts. Prints its issuer as the first line.
import {createServer} from 'node:http';
import {Provider} from 'oidc-provider';

const {CLIENT_ID, CLIENT_SECRET, APP} = process.env;
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: [`${APP}/callback`],
      grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'client_secret_basic',
      post_logout_redirect_uris: [`${APP}/logout`],
      backchannel_logout_uri: `${APP}/backchannel`, backchannel_logout_session_required: true,
    }],
    claims: {openid: ['sub'], profile: ['name', 'preferred_username', 'picture'], email: ['email', 'email_verified']},
    conformIdTokenClaims: process.env.CONFORM === 'yes', // then only UserInfo has the name
    cookies: {keys: ['one cookie key of a test']},
    features: {
      devInteractions: {enabled: true}, revocation: {enabled: true}, backchannelLogout: {enabled: true},
      rpInitiatedLogout: {enabled: true},
    },
    // Its own fetch calls no loopback address, where the app of the test is.
    fetch: (url, {dispatcher, ...options}) => fetch(url, options),
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id, name: `Name of ${id}`, preferred_username: id, picture: 'https://img.example/1.png',
        email: `${id}@users.example`, email_verified: true,
      }),
    }),
    rotateRefreshToken: true,
  });
  provider.on('server_error', (_, error) => console.error(error));
  provider.on('backchannel.error', (_, error) => console.error(error));
  server.on('request', provider.callback());
  console.log(issuer);
});
