// Starts workerd with a KV binding for each namespace, says on stdout where it is, and ends when stdin is closed.
// Usage: node server.cjs MODULES ACCOUNT TOKEN NAMESPACE...
//
// `api`: the Worker beside this file. `explorer`: Cloudflare's own local API of the same namespaces, behind a server
// that takes the account out of the path and answers what the explorer has no route for.

const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { createRequire } = require('node:module');

// The namespaces live in a folder of our own, so that none is left behind.
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'kvsweep-workerd-'));
process.env.TMPDIR = folder;
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));

const [modules, account, token, ...namespaces] = process.argv.slice(2);
const { Miniflare, convertV4MiniflareOptions } = createRequire(path.join(modules, 'any.js'))('miniflare');

const PREFIX = `/client/v4/accounts/${account}`;
// As in miniflare 5; up to 4 it was /cdn-cgi/explorer/api, with fewer calls.
const EXPLORER = '/cdn-cgi/local/explorer/api';

function behind(target) {
  const agent = new http.Agent({ keepAlive: true });
  const namespace = new RegExp(`^${PREFIX}/storage/kv/namespaces/([^/?]+)$`);
  return http.createServer((request, response) => {
    const one = request.method === 'GET' && namespace.exec(request.url);
    if (one) {
      const known = namespaces.includes(one[1]);
      const result = known ? { id: one[1], title: one[1] } : null;
      const errors = known ? [] : [{ code: 10013, message: 'namespace not found' }];
      response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ success: known, errors, messages: [], result }));
      return;
    }
    const below = request.url.startsWith(`${PREFIX}/`) ? request.url.slice(PREFIX.length) : '/nowhere';
    const { authorization, ...headers } = request.headers;
    headers.host = target.host;
    const options = { agent, host: target.hostname, port: target.port, method: request.method, headers };
    const forwarded = http.request({ ...options, path: EXPLORER + below }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    forwarded.on('error', () => response.destroy());
    request.pipe(forwarded);
  });
}

async function main() {
  const options = convertV4MiniflareOptions({
    host: '127.0.0.1',
    port: 0,
    modules: [{ type: 'ESModule', path: path.join(__dirname, 'worker.mjs') }],
    compatibilityDate: '2026-04-01',
    kvNamespaces: Object.fromEntries(namespaces.map((id) => [id, id])),
    bindings: { ACCOUNT: account, TOKEN: token, NAMESPACES: namespaces },
    unsafeLocalExplorer: true,
    telemetry: { enabled: false },
    cf: false,
  });
  const miniflare = new Miniflare(options);
  const api = await miniflare.ready;
  const proxy = behind(api).listen(0, '127.0.0.1', () => {
    const explorer = `http://127.0.0.1:${proxy.address().port}/client/v4`;
    console.log(JSON.stringify({ api: new URL('client/v4', api).href, explorer }));
  });
  process.stdin.resume().on('end', () => {
    proxy.closeAllConnections();
    miniflare.dispose().finally(() => process.exit(0));
  });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
