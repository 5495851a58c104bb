// Runs npm's oidc-provider on a loopback port, with the clients of the
// environment variable CLIENTS. Prints its issuer as the first line. A proxy in
// front of it says in headers which certificate a client has.
import {X509Certificate} from 'node:crypto';
import {createServer} from 'node:http';
import {Provider} from 'oidc-provider';

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: JSON.parse(process.env.CLIENTS),
    clientAuthMethods: [
      'none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth',
    ],
    cookies: {keys: ['one cookie key of a test']},
    features: {
      devInteractions: {enabled: true}, revocation: {enabled: true}, clientCredentials: {enabled: true},
      pushedAuthorizationRequests: {enabled: true},
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({scope: 'accounts:read', audience: resource, accessTokenFormat: 'opaque'}),
      },
      mTLS: {
        enabled: true, certificateBoundAccessTokens: true, selfSignedTlsClientAuth: true, tlsClientAuth: true,
        getCertificate: (ctx) => {
          const der = ctx.get('x-client-certificate');
          return der ? new X509Certificate(Buffer.from(der, 'base64')) : undefined;
        },
        certificateAuthorized: (ctx) => ctx.get('x-client-verified') === 'yes',
        certificateSubjectMatches: (ctx, property, expected) =>
          property === 'tls_client_auth_subject_dn' && ctx.get('x-client-subject') === expected,
      },
    },
    findAccount: (_, id) => ({accountId: id, claims: () => ({sub: id})}),
    rotateRefreshToken: true,
  });
  provider.on('server_error', (_, error) => console.error(error));
  provider.on('grant.error', (_, error) => console.error(error.message, error.error_detail));
  provider.on('pushed_authorization_request.error', (_, error) => console.error(error.message, error.error_detail));
  server.on('request', provider.callback());
  console.log(issuer);
});
