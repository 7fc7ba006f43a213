// A stand-in for GitLab's API on a free loopback port, by TLS: POST /api/v4/projects/1/issues makes an issue, whatever else is
// asked for is not found. Prints `port N`, then a line of JSON for each request.
//
//   node gitlab_server.mjs CERTIFICATE KEY
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [certificate, key] = process.argv.slice(2).map((path) => readFileSync(path));

const server = createServer({ cert: certificate, key }, async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const { method, url, headers } = request;
  console.log(JSON.stringify({ method, url, authorization: headers.authorization, type: headers['content-type'], body }));
  const found = method === 'POST' && url === '/api/v4/projects/1/issues';
  response.writeHead(found ? 201 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify(found ? { id: 84, iid: 14, ...JSON.parse(body) } : { message: '404 Project Not Found' }));
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
