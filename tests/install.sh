#!/bin/sh
# The files of `make install` suffice to build and run the example in C, and to include the header in C++.
set -eu
cd "$(dirname "$0")/.."
to=$(mktemp -d)
trap 'rm -rf "$to"' EXIT
${MAKE:-make} --no-print-directory install PREFIX="$to" ${BUILD:+BUILD="$BUILD"} > "$to/log" 2>&1 \
    || { cat "$to/log"; exit 1; }
PKG_CONFIG_PATH=$to/lib/pkgconfig LD_LIBRARY_PATH=$to/lib
export PKG_CONFIG_PATH LD_LIBRARY_PATH
flags=$(pkg-config --cflags --libs nanodet)
${CC:-cc} -std=c99 -Wall -Wextra -Werror docs/examples/detect.c $flags -o "$to/detect"
"$to/bin/nanodet" --version
[ "$("$to/bin/nanodet" --version | head -n 1)" = "nanodet $(pkg-config --modversion nanodet)" ]
"$to/detect" 2> "$to/said" || [ $? = 2 ]
grep -q usage "$to/said"
"$to/detect" "$to/none.yml" "$to/none.pth" "$to/none.jpg" 2> "$to/said" && exit 1
grep -q none.yml "$to/said"
# The static library has no global names but those of the header.
static=$(pkg-config --cflags --static --libs nanodet | sed "s|-lnanodet|$to/lib/libnanodet.a|")
cat > "$to/static.c" <<END
#include <nanodet.h>
int fail(void) { return 1; }
int take(void) { return 2; }
int add(void) { return 3; }
int main(void) { return nanodet_open(&(struct nanodet_options){0}, 0) || fail() + take() + add() != 6; }
END
${CC:-cc} -std=c99 -Wall -Wextra -Werror "$to/static.c" $static -o "$to/static"
"$to/static"
nm -g --defined-only "$to/lib/libnanodet.a" | sed -n 's/.* [A-Z] //p' | sort > "$to/names"
grep -o 'nanodet_[a-z_]*(' include/nanodet.h | tr -d '(' | sort -u | diff - "$to/names"
if command -v c++ > /dev/null; then
    printf '#include <nanodet.h>\nint main() { return nanodet_version()[0] == 0; }\n' > "$to/version.cc"
    c++ -Wall -Wextra -Werror "$to/version.cc" $flags -o "$to/version"
    "$to/version"
fi
