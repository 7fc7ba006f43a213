// Debian's Chromium, without a window, as the person who connects an account.
//
//   node browser.mjs URL [--user NAME] [--deny]
//
// Opens the address, logs in and consents (or cancels), and waits until the browser is back at the program that asked.
// Prints one JSON object: url (without query), title, text, html, requests (everything that the last page asked for, by
// address without query) and headers of the last page.
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { user: { type: 'string', default: 'alice' }, deny: { type: 'boolean' } },
});
const start = new URL(positionals[0]);
const bare = (address) => address.split(/[?#]/)[0];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
    '--disable-dev-shm-usage',
    '--disable-gpu',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
  ],
});
try {
  const page = await browser.newPage();
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  let response = await page.goto(start.href, { waitUntil: 'domcontentloaded', timeout: 60000 });
  // Login and consent are two forms of the provider, each on a page of its own.
  for (let turn = 0; turn < 4 && new URL(page.url()).origin === start.origin; turn++) {
    if (options.deny) {
      await page.click('a[href$="/abort"]');
    } else {
      for (const [name, value] of [['login', options.user], ['password', 'any']]) {
        const field = page.locator(`input[name=${name}]`);
        if (await field.count()) {
          await field.fill(value);
        }
      }
      const arrived = page.waitForResponse((each) => each.request().isNavigationRequest() && each.status() < 300);
      await page.click('button[type=submit]');
      response = await arrived;
    }
    await page.waitForLoadState('domcontentloaded');
  }
  await page.waitForLoadState('load');
  const last = asked.findLastIndex((address) => bare(address) === bare(page.url()));
  console.log(
    JSON.stringify({
      url: bare(page.url()),
      title: await page.title(),
      text: await page.locator('body').innerText(),
      html: await page.content(),
      requests: asked.slice(last).map(bare),
      headers: options.deny ? {} : await response.allHeaders(),
    }),
  );
} finally {
  await browser.close();
}
