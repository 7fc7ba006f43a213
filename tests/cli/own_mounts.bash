# shellcheck shell=bash
# Source it first: where it may, it starts the script again in a mount namespace of its own. OWN_MOUNTS is set there.
if [ "$(id -u)" = 0 ] && [ -z "${OWN_MOUNTS-}" ] && unshare -m true 2> /dev/null; then
    OWN_MOUNTS=1 exec unshare -m "$0" "$@"
fi
