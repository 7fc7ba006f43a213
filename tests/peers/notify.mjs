// A step as its users write it: Slack's own client, the token from the auths document, the rest from the environment.
import { readFileSync } from 'node:fs';
import { WebClient } from '@slack/web-api';

const auths = JSON.parse(readFileSync(process.env.STEPVAULT_AUTHS, 'utf8'));
if (!auths.slack) {
  console.error('notify.mjs: no slack account is bound to this step');
  process.exit(1);
}
const slack = new WebClient(auths.slack.oauth_access_token, {
  slackApiUrl: process.env.SLACK_API_URL, // a local server in the tests; leave it out for Slack itself
  retryConfig: { retries: 0 },
});

const text = process.argv[2] ?? 'paid, says Node';
try {
  const { user } = await slack.auth.test();
  const { channel } = await slack.chat.postMessage({ channel: process.env.BILLING_CHANNEL, text });
  console.log(`node ${process.versions.node}: ${user} posted to ${channel}`);
} catch (error) {
  console.error(`notify.mjs: Slack says ${error.data?.error ?? error.message}`);
  process.exitCode = 1;
}
