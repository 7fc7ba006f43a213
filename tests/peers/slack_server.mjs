// A stand-in for Slack's Web API on a free loopback port: POST /api/auth.test and /api/chat.postMessage.
// The first line of stdin is the one token it accepts. It prints `port N`, then a line for each request it answered.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const expected = await new Promise((resolve) => {
  createInterface({ input: process.stdin }).once('line', resolve);
});
process.stdin.destroy();

const methods = {
  '/api/auth.test': () => ({ ok: true, team: 'Example', user: 'stepvault', user_id: 'U0123456789' }),
  '/api/chat.postMessage': (form) =>
    form.get('channel')
      ? { ok: true, channel: form.get('channel'), ts: '1700000000.000100', message: { text: form.get('text') } }
      : { ok: false, error: 'channel_not_found' },
};

function parse(contentType, body) {
  if (contentType.startsWith('application/json')) {
    return new Map(Object.entries(JSON.parse(body)));
  }
  return new URLSearchParams(body);
}

const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
  }
  const method = request.method === 'POST' ? methods[request.url] : undefined;
  const form = parse(request.headers['content-type'] ?? '', body);
  let answer = { ok: false, error: 'unknown_method' };
  if (request.headers.authorization !== `Bearer ${expected}`) {
    answer = { ok: false, error: request.headers.authorization ? 'invalid_auth' : 'not_authed' };
  } else if (method) {
    answer = method(form);
  }
  response.writeHead(200, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify(answer));
  const said = answer.ok ? `ok ${form.get('text') ?? ''}`.trim() : answer.error;
  console.log(`${request.method} ${request.url} ${said}`);
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
