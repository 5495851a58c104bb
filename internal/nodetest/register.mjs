// Runs npm's oidc-provider on a loopback port, without any client: apps register
// themselves. Prints its issuer as the first line.
import {createServer} from 'node:http';
import {Provider} from 'oidc-provider';

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    claims: {openid: ['sub'], profile: ['name']},
    cookies: {keys: ['one cookie key of a test']},
    features: {devInteractions: {enabled: true}, registration: {enabled: true}, revocation: {enabled: true}},
    findAccount: (_, id) => ({accountId: id, claims: () => ({sub: id, name: `Name of ${id}`})}),
    rotateRefreshToken: true,
  });
  const answer = provider.callback();
  const clients = new Set();
  provider.on('registration_create.success', (_, client) => clients.add(client.clientId));
  server.on('request', (request, response) => {
    if (request.url === '/control/clients') return response.end(String(clients.size));
    return answer(request, response);
  });
  console.log(issuer);
});
