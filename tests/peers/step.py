#!/usr/bin/python3
"""The same step in Python: the token from the auths document, the rest from the environment."""

import json
import os
import sys
import urllib.request

with open(os.environ["STEPVAULT_AUTHS"], encoding="utf-8") as document:
    auths = json.load(document)

message = {"channel": os.environ["BILLING_CHANNEL"], "text": "paid, says Python"}
request = urllib.request.Request(
    os.environ["SLACK_API_URL"] + "chat.postMessage",
    data=json.dumps(message).encode(),
    headers={"Authorization": "Bearer " + auths["slack"]["oauth_access_token"],
             "Content-Type": "application/json; charset=utf-8"},
)
with urllib.request.urlopen(request, timeout=10) as response:
    answer = json.load(response)
if not answer["ok"]:
    sys.exit(f"step.py: Slack says {answer['error']}")
print(f"python {sys.version_info.major}.{sys.version_info.minor}: posted to {answer['channel']}")
