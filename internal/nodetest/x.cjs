// Uses npm's twitter-api-v2 as its README says: it logs in, calls the API,
// refreshes, calls again, and revokes. The fake of X listens on the port in
// PORT; connections to X's hosts go there. Prints one line of JSON.
const https = require('node:https');
const tls = require('node:tls');
const {TwitterApi} = require('twitter-api-v2');

const {PORT, CA, CLIENT_ID, CLIENT_SECRET, CALLBACK} = process.env;
const httpAgent = new https.Agent();
httpAgent.createConnection = () => tls.connect({host: '127.0.0.1', port: PORT, ca: CA, servername: 'example.com'});

// visit plays the browser: it returns where the consent page sends the user.
const visit = (url) => new Promise((resolve, reject) => {
  https.get(url, {agent: httpAgent}, (response) => {
    response.resume();
    resolve(response.headers.location);
  }).on('error', reject);
});

(async () => {
  const app = new TwitterApi({clientId: CLIENT_ID, clientSecret: CLIENT_SECRET || undefined}, {httpAgent});
  const scope = ['tweet.read', 'tweet.write', 'users.read', 'offline.access'];
  const {url, state, codeVerifier} = app.generateOAuth2AuthLink(CALLBACK, {scope});
  const back = new URL(await visit(url));
  if (back.searchParams.get('state') !== state) throw new Error('another state came back');

  const login = await app.loginWithOAuth2({code: back.searchParams.get('code'), codeVerifier, redirectUri: CALLBACK});
  const me = await login.client.v2.me({'user.fields': ['created_at', 'public_metrics', 'verified']});
  const renewed = await app.refreshOAuth2Token(login.refreshToken);
  const post = await renewed.client.v2.tweet('from Node');
  const reused = await app.refreshOAuth2Token('x').catch((error) => error.code);
  const {revoked} = await app.revokeOAuth2Token(renewed.refreshToken, 'refresh_token');
  const after = await renewed.client.v2.me().catch((error) => error.code);
  console.log(JSON.stringify({
    user: me.data.username, created: me.data.created_at, expiresIn: login.expiresIn, scopes: login.scope.length,
    rotated: renewed.refreshToken !== login.refreshToken, post: post.data.text, reused, revoked, after,
  }));
})().catch((error) => {
  console.error(error.code, error.data?.error, error.data?.error_description, error.stack);
  process.exit(1);
});
