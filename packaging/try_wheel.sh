#!/bin/sh
# packaging/try_wheel.sh [EXTRA]: the wheel as a stranger gets it. It is built, installed with its pins into an environment of its own, and used
# from another folder: doctor, demo, status, export, Studio's window, man pages, completion. Each tutorial is followed to its end as soon as the extra
# that it names is there, so that one which wants more fails. EXTRA is gui; gui,train also trains a few steps and follows the tutorial that trains.
# The tutorials are followed by the tests of the checkout, which want its .venv (`make wheel` makes it).
# FOLDER (build/wheel) keeps the environment and what was made. Says `wheel: ...` at the end, or stops at what failed.
set -eu
extra="${1:-gui}"
cd "$(dirname "$0")/.."
checkout=$PWD
folder=${FOLDER:-$PWD/build/wheel}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONPATH="" PYTHONNOUSERSITE=1 OMP_NUM_THREADS=1
test -x .venv/bin/pytest || { echo "packaging/try_wheel.sh follows the tutorials by .venv/bin/pytest: make it with packaging/setup.sh dev" >&2; exit 2; }
rm -rf "$folder"
mkdir -p "$folder/home" "$folder/runtime"
chmod 700 "$folder/runtime"

"${PYTHON:-python3}" -m venv "$folder/builder"
"$folder/builder/bin/python" -m pip install -q -c constraints.txt hatchling
"$folder/builder/bin/python" -m pip wheel -q --no-deps --no-build-isolation -w "$folder" .
wheel=$(echo "$folder"/subject_studio-*.whl)
"${PYTHON:-python3}" -m venv "$folder/clean"
cd "$folder" # away from the checkout, as nobody's user
export HOME="$folder/home" XDG_RUNTIME_DIR="$folder/runtime" PATH="$folder/clean/bin:/usr/bin:/bin" QT_QPA_PLATFORM=offscreen
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME

install() { # install [EXTRA]: what the wheel needs with it, beside what is there
    python -m pip install -q -c "$checkout/constraints.txt" "$wheel${1:+[$1]}"
    python -m pip check -q
}

follow() { # follow [EXTRA]: the tutorials that name it, and no other
    (cd "$checkout" && .venv/bin/python -m pytest -q -p no:cacheprovider --long -m thorough --installed "$folder/clean" --extra "${1:-}" \
        tests/packaging/test_tutorials.py)
}

install
follow
install gui
follow gui
python "$checkout/packaging/installed.py" "$checkout/resources"

studio-backend sample-world world --seed 1 --videos 1 > /dev/null
studio-backend demo world/videos --no-open > demo.txt
grep -q '^Open: *studio demo-project' demo.txt
for command in doctor status verify; do
    studio-backend $command --project demo-project > $command.txt
    studio-backend $command --project demo-project --json | python -m json.tool > /dev/null
done
studio-backend ingest world/videos --licence CC0-1.0 --project demo-project > /dev/null
studio-backend export manifest --project demo-project --out exported > /dev/null
(cd exported && sha256sum --check --quiet --strict MANIFEST.sha256)
test -s demo-project/report.html
python "$checkout/packaging/shown.py" demo-project window.png

studio --help > /dev/null
if env -u DISPLAY -u WAYLAND_DISPLAY QT_QPA_PLATFORM=xcb studio demo-project 2> no-display.txt; then exit 1; fi
grep -q 'there is no display' no-display.txt
python "$checkout/packaging/manuals.py" man1
for page in man1/*.1; do
    test -z "$(! command -v groff > /dev/null || groff -man -ww -Tutf8 -z "$page" 2>&1)" || { echo "$page is no sound man page" >&2; exit 1; }
done
for shell in bash zsh fish; do
    _STUDIO_BACKEND_COMPLETE=source_$shell studio-backend > completion.$shell
    test -s completion.$shell
done
bash -c '. ./completion.bash; complete -p studio-backend' > /dev/null
test "$(_STUDIO_BACKEND_COMPLETE=complete_bash COMP_WORDS='studio-backend cura' COMP_CWORD=1 studio-backend)" = curate

[ "$extra" = gui ] || install "$extra"
case ",$extra," in *,train,*)
    studio-backend train tiny --data exported --out run --set run.steps=2 --set data.latents.workers=1 > /dev/null
    test -d run/export/transformer
    follow gui,train
    ;;
esac
echo "wheel: $(basename "$wheel")[$extra] installed, curated, exported, opened; $(ls man1 | wc -l) man pages; the window is in $folder/window.png"
