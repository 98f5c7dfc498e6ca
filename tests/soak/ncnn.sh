#!/bin/sh
# sh tests/soak/ncnn.sh
# Builds ncnn for C++ in build/ncnn, since Debian has no package of it, and runs the programs of docs/examples.
# Ends with a line `N passed, N failed, N skipped`.
set -eu
cd "$(dirname "$0")/../.."
archive=https://files.pythonhosted.org/packages/b7/50/32b5172afe7d3e0dce410b7d8f4a5b7b84b942a0d69affbaedf669de52bc/\
ncnn-1.0.20261020.tar.gz
to=$PWD/build/ncnn

sh scripts/setup.sh cmake g++ libopencv-imgcodecs-dev
if [ ! -e "$to/lib/pkgconfig/ncnn.pc" ]; then
    mkdir -p "$to"
    python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' "$archive" "$to/ncnn.tar.gz"
    tar -xzf "$to/ncnn.tar.gz" -C "$to" --strip-components=1
    cmake -S "$to" -B "$to/objects" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$to" -DCMAKE_INSTALL_LIBDIR=lib \
        -DNCNN_SHARED_LIB=ON -DNCNN_RUNTIME_CPU=OFF -DNCNN_VULKAN=OFF -DNCNN_SIMPLEOCV=OFF -DNCNN_PYTHON=OFF \
        -DNCNN_BUILD_TOOLS=OFF -DNCNN_BUILD_EXAMPLES=OFF -DNCNN_BUILD_BENCHMARK=OFF > "$to/log"
    make -C "$to/objects" -j "$(nproc)" install >> "$to/log"
fi
PATH=$PWD/build/python/bin:$PATH PKG_CONFIG_PATH=$to/lib/pkgconfig LD_LIBRARY_PATH=$to/lib \
    python3 tests/deploy/examples.py
