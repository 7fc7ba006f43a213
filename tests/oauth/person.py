#!/usr/bin/python3
"""A person at the pages of an authorization server, without a browser: logs in, consents, or cancels.

    person.py URL [--user NAME] [--deny] [--stay]           an authorization: follows the redirect back to who asked
    person.py URL --code CODE [--user NAME] [--deny]        a device: types the code and confirms

Prints the address that it ended on. --stay: prints the address of the way back and does not go there, as when the
browser runs on another machine. It fills in forms as they come (tests/oauth/op.mjs has oidc-provider's own).
"""

import argparse
import html.parser
import sys
import urllib.error
import urllib.parse
import urllib.request


class Forms(html.parser.HTMLParser):
    """The forms of a page: address, fields with values, and the buttons and links that cancel."""

    def __init__(self, text):
        super().__init__()
        self.forms = []
        self.abort = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self.forms.append((given.get("action"), {}))
        elif tag == "input" and self.forms and given.get("name"):
            self.forms[-1][1][given["name"]] = given.get("value", "")
        elif tag == "a" and (given.get("href") or "").endswith("/abort"):
            self.abort = given["href"]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Person:
    def __init__(self, options):
        self.options = options
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect,
                                                  urllib.request.HTTPCookieProcessor())

    def ask(self, url, form=None):
        """Returns (where it leads or None, text)."""
        data = None if form is None else urllib.parse.urlencode(form).encode()
        try:
            with self.opener.open(urllib.request.Request(url, data), timeout=60) as reply:
                return None, reply.read().decode()
        except urllib.error.HTTPError as refused:
            if refused.code in (301, 302, 303, 307, 308):
                return urllib.parse.urljoin(url, refused.headers["Location"]), ""
            raise SystemExit(f"person.py: {refused.code} at {url.split('?')[0]}: {refused.read(300)!r}") from None

    def fill(self, page, url):
        """What a page asks for next: (address, form), or None if it asks for nothing."""
        if self.options.deny and page.abort:
            return urllib.parse.urljoin(url, page.abort), None
        if not page.forms:
            return None
        action, fields = page.forms[0]
        if "login" in fields:
            fields.update(login=self.options.user, password="any")
        if "user_code" in fields and "confirm" not in fields:
            fields["user_code"] = self.options.code
        if "confirm" in fields and self.options.deny:
            fields["abort"] = "yes"
        return urllib.parse.urljoin(url, action or url), fields

    def go(self, url):
        home = urllib.parse.urlsplit(url)[:2]
        form = None
        for _ in range(30):
            where, text = self.ask(url, form)
            if where is None:
                following = self.fill(Forms(text), url)
                if following is None or form is not None and "abort" in form:
                    return url
                url, form = following
                continue
            form = None
            url = where
            if urllib.parse.urlsplit(url)[:2] != home:
                if not self.options.stay:
                    self.ask(url)
                return url
        raise SystemExit("person.py: the pages lead nowhere")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--user", default="alice")
    parser.add_argument("--code")
    parser.add_argument("--deny", action="store_true")
    parser.add_argument("--stay", action="store_true")
    options = parser.parse_args()
    print(Person(options).go(options.url))


if __name__ == "__main__":
    sys.exit(main())
