#!/bin/sh
# sh tests/cross/arm64.sh
# Builds for 64-bit ARM and runs that in emulation: NEON's kernels against the plain ones, gradients of layers, and a
# model's outputs and gradients against ../shared/parity, where that is.  Libraries for that machine are unpacked from
# Debian's packages into build/arm64/root; nothing is installed.  Ends with a line `N passed, N failed, N skipped`.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=build/arm64 root=$PWD/build/arm64/root apt=$PWD/build/arm64/apt passed=0 failed=0 tried=
model=../shared/parity/models/v0_m_0.5x
tests="test_kernel_conv test_kernel_rows test_kernel_exp float_gradients"

skip()
{
    echo "SKIP arm64: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

# apt-get for that machine, in lists and a state of its own.
apt()
{
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$apt" \
        -o Dir::State::status="$apt/status" -o Dir::Cache="$apt" "$@"
}

unpack_libraries()
{
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$root" || return
    : > "$apt/status"
    apt update && apt install --no-install-recommends --download-only libgomp1 \
        $(grep -ow '[a-z]*lib[a-z0-9]*-dev' scripts/setup.sh | grep -v cairo) || return
    for package in "$apt"/archives/*.deb; do
        dpkg-deb -x "$package" "$root" || return
    done
    touch "$root/unpacked"
}

# try NAME COMMAND...: in the background, under emulation, with the kernels for NEON.
try()
{
    name=$1
    shift
    {
        qemu-aarch64-static -L "$root" -E NANODET_ISA=neon "$@" > "$build/log-$name" 2>&1
        echo $? > "$build/log-$name.status"
    } &
    tried="$tried $name"
}

for program in aarch64-linux-gnu-gcc qemu-aarch64-static apt-get dpkg-deb; do
    command -v $program > /dev/null || skip "there is no $program"
done
mkdir -p "$build"
[ -e "$root/unpacked" ] || unpack_libraries > "$build/log" 2>&1 \
    || skip "Debian's libraries for it cannot be had, $build/log"

export PKG_CONFIG_SYSROOT_DIR="$root"
export PKG_CONFIG_LIBDIR="$root/usr/lib/aarch64-linux-gnu/pkgconfig"
if ! CPPFLAGS=-DSAMPLE=4 make -j "$(nproc)" CC="aarch64-linux-gnu-gcc --sysroot=$root" BUILD=$build \
    $build/tests/parity $(printf "$build/tests/%s " $tests) > "$build/log" 2>&1; then
    tail -n 40 "$build/log"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
for test in $tests; do
    try "$test" "$build/tests/$test"
done
[ ! -e "$model" ] || try "$(basename "$model")" "$build/tests/parity" "$model"
wait
for name in $tried; do
    if [ "$(cat "$build/log-$name.status")" = 0 ]; then
        passed=$((passed + 1))
    else
        cat "$build/log-$name"
        echo "FAIL arm64 $name"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
