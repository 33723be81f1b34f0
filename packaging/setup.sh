#!/bin/sh
# Makes .venv with the pinned dependencies of an extra (gui, dev or dev,cluster), and installs the system libraries that Qt needs.
# Does nothing when all of it is there.
set -eu
extra="$1"
cd "$(dirname "$0")/.."

libraries="libegl1 libgl1 libglib2.0-0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libdbus-1-3 libfontconfig1"
case "$extra" in dev*) libraries="$libraries xvfb" ;; esac

missing=""
if command -v dpkg-query >/dev/null 2>&1; then
    for library in $libraries; do
        dpkg-query -W -f '${db:Status-Status}' "$library" 2>/dev/null | grep -q '^installed' || missing="$missing $library"
    done
fi
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then sudo=""; else sudo="sudo -n"; fi
    if command -v apt-get >/dev/null 2>&1 && { [ -z "$sudo" ] || $sudo true 2>/dev/null; }; then
        echo "installing system libraries:$missing"
        { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing; } >/dev/null 2>&1 ||
            echo "These system libraries could not be installed; Studio may not open without them:$missing" >&2
    else
        echo "Studio's window needs these system libraries; please have them installed:$missing" >&2
    fi
fi

python=""
for candidate in python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        python="$candidate"
        break
    fi
done
if [ -z "$python" ]; then
    echo "Subject Studio needs Python 3.11, 3.12 or 3.13 with venv; on Debian: apt-get install python3 python3-venv" >&2
    exit 2
fi

stamp=".venv/.ready-$extra-$(cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)"
[ -e "$stamp" ] && exit 0
[ -x .venv/bin/python ] || "$python" -m venv .venv
echo "installing Python packages ($extra); the first time takes a minute or two"
export PIP_DISABLE_PIP_VERSION_CHECK=1
# Nothing is compiled in advance: most of what is installed is never imported.
.venv/bin/python -m pip install -q --no-compile -c constraints.txt hatchling editables
.venv/bin/python -m pip install -q --no-compile -c constraints.txt --no-build-isolation -e ".[$extra]"
rm -f .venv/.ready-"$extra"-*
touch "$stamp"
