#!/bin/sh
# sh scripts/setup.sh [PACKAGE...]
# Installs what building and testing need, and the packages named besides, on Debian and Ubuntu: only what is missing.
# Where it may not or cannot, it prints the list; the build then says what it lacks.
set -eu

needed="gcc libc6-dev make pkg-config libyaml-dev libpng-dev libjpeg-dev libcjson-dev libexpat1-dev libzip-dev
libcairo2-dev fonts-dejavu-core libcmocka-dev"

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
    exit 0
fi
echo "setup: installing$missing" >&2
$as_root apt-get -qq update || echo "setup: not every list of packages is up to date" >&2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing > /dev/null
