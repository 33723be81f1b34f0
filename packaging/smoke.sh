#!/bin/sh
# packaging/smoke.sh [FOLDER]: what was built does a first run: videos are rendered and curated, exported, and Studio opens on them under Xvfb.
# FOLDER holds the programs (dist/subject-studio by default; /usr/bin for an installed package). Leaves a picture of the window in build/smoke.png.
set -eu
programs=$(cd "${1:-$(dirname "$0")/../dist/subject-studio}" && pwd)
cd "$(dirname "$0")/.."
for tool in xvfb-run xdotool import; do
    command -v $tool > /dev/null || { echo "packaging/smoke.sh needs $tool; on Debian: apt-get install xvfb xdotool imagemagick" >&2; exit 2; }
done
mkdir -p build
picture=$PWD/build/smoke.png
scratch=$(mktemp -d)
studio=""
end() {
    [ -z "$studio" ] || kill "$studio" 2>/dev/null || true
    rm -rf "$scratch"
}
trap end EXIT
cd "$scratch" # away from the checkout, with no Python of its own on the path
export PATH=/usr/bin:/bin HOME="$scratch" XDG_RUNTIME_DIR="$scratch" PYTHONPATH="" PYTHONNOUSERSITE=1

"$programs/studio-backend" sample-world world --seed 1 --videos 2 > /dev/null
"$programs/studio-backend" init --project walks > /dev/null
"$programs/studio-backend" ingest world/videos --project walks --licence CC0-1.0 > /dev/null
"$programs/studio-backend" curate --project walks > /dev/null
"$programs/studio-backend" export manifest --project walks --out exported > /dev/null
"$programs/studio-backend" report --project walks --out report.html > /dev/null
"$programs/studio-backend" verify --project walks > /dev/null
test -s exported/MANIFEST.sha256 && test -s report.html

xvfb-run -a -s "-screen 0 1400x900x24" sh -c '
    "$1/studio" walks --page library --language en --theme light & studio=$!
    for _ in $(seq 60); do
        sleep 1
        kill -0 $studio || exit 1
        xdotool search --onlyvisible --name "Subject Studio" > /dev/null 2>&1 && break
    done
    sleep 8
    xdotool search --onlyvisible --name "Subject Studio" > /dev/null
    import -window root "$2"
    kill $studio
' sh "$programs" "$picture"
echo "smoke: curated, exported, reported and opened; the window is in build/smoke.png"
