#!/bin/sh
# sh scripts/setup.sh [PACKAGE...]
# Installs the missing packages for building and testing, and the packages of the command line, on Debian and Ubuntu.
# If it cannot install them, it prints the list and exits with 1.
set -eu

needed="gcc libc6-dev make pkg-config libyaml-dev libpng-dev libjpeg-dev libcjson-dev libexpat1-dev libzip-dev
zlib1g-dev libcairo2-dev libmicrohttpd-dev libopenblas-openmp-dev fonts-dejavu-core libcmocka-dev"

missing=
for package in $needed "$@"; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
    installed*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
if ! command -v apt-get >/dev/null || { [ "$as_root" ] && ! command -v $as_root >/dev/null; }; then
    echo "setup: please install what these packages of Debian hold:$missing" >&2
    exit 1
fi

messages=$(mktemp)
trap 'rm -f "$messages"' EXIT

# apt COMMAND...: by apt-get, which waits ten minutes for another apt-get or dpkg to end.
apt()
{
    for attempt in $(seq 60); do
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 "$@" > "$messages" 2>&1 &&
            return
        grep -q 'Could not get lock\|Unable to lock' "$messages" || break
        [ "$attempt" != 1 ] || echo "setup: waiting for another apt-get to end" >&2
        sleep 10
    done
    cat "$messages" >&2
    return 1
}

echo "setup: installing$missing" >&2
apt update || echo "setup: not every list of packages is up to date" >&2
apt install -y --no-install-recommends $missing || {
    echo "setup: could not install$missing" >&2
    exit 1
}
