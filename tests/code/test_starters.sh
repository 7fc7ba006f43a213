#!/bin/sh
# What `stepvault code` prints: that it parses, and that it runs (starters_test.py).
# limit: 600
# The providers' names lead to a server of the test in a network and with an /etc/hosts of its own, where the machine lets
# root have them.
folder=$(dirname "$0")
if [ "$(id -u)" = 0 ] && unshare --net --mount true 2>/dev/null &&
    unshare --net --mount mount --bind /etc/hosts /etc/hosts 2>/dev/null; then
    exec unshare --net --mount /usr/bin/env python3 "$folder/starters_test.py" --alone
fi
exec /usr/bin/env python3 "$folder/starters_test.py"
