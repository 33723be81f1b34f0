#!/bin/sh
# packaging/build.sh wheel|bundle|deb|site: makes dist/*.whl, dist/subject-studio/ (PyInstaller, one folder), a Debian package of that folder,
# or the documents as a site in dist/site/.
set -eu
cd "$(dirname "$0")/.."
what="${1:?wheel, bundle, deb or site}"
export PIP_DISABLE_PIP_VERSION_CHECK=1

pinned() { # pinned FOLDER PACKAGE...: an environment of its own in which nothing is without a pin; made anew when a pin changes
    folder="$1"
    shift
    made=$(cat pyproject.toml constraints.txt packaging/tools.txt | cksum)
    [ "$(cat "$folder/.made" 2> /dev/null)" = "$made" ] && return
    rm -rf "$folder"
    "${PYTHON:-python3}" -m venv "$folder"
    "$folder/bin/python" -m pip install -q -c constraints.txt -c packaging/tools.txt hatchling editables setuptools "$@"
    [ "$folder" != build/tools ] ||
        "$folder/bin/python" -m pip install -q -c constraints.txt --no-build-isolation -e ".[gui]" # what is in it is in the bundle
    "$folder/bin/python" packaging/pins.py constraints.txt packaging/tools.txt
    echo "$made" > "$folder/.made"
}

bundle() {
    build/tools/bin/pyinstaller --noconfirm --log-level WARN --distpath dist --workpath build/pyinstaller packaging/bundle.spec
    build/tools/bin/python packaging/notices.py dist/subject-studio
    cp LICENSE dist/subject-studio/
    rm -f dist/subject-studio/_internal/subject_studio-*.dist-info/direct_url.json # names the folder that it was built in
    echo "dist/subject-studio: $(du -sm dist/subject-studio | cut -f1) MiB"
}

deb() {
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
    machine=$(dpkg --print-architecture)
    root=build/deb
    rm -rf "$root"
    share="$root/usr/share"
    mkdir -p "$root/DEBIAN" "$root/usr/bin" "$root/usr/lib/systemd/user" "$share/applications" "$share/icons/hicolor/scalable/apps" \
        "$share/man/man1" "$share/doc/subject-studio" \
        "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
    cp -a dist/subject-studio "$root/usr/lib/"
    for program in studio studio-backend; do ln -s ../lib/subject-studio/$program "$root/usr/bin/$program"; done
    cp packaging/subject-studio.desktop "$share/applications/"
    cp packaging/subject-studio.svg "$share/icons/hicolor/scalable/apps/"
    cp packaging/subject-studio@.service "$root/usr/lib/systemd/user/"
    cp LICENSE "$share/doc/subject-studio/copyright"
    mv "$root/usr/lib/subject-studio/NOTICES.txt" "$root/usr/lib/subject-studio/licences" "$share/doc/subject-studio/"
    gzip -9n < CHANGELOG.md > "$share/doc/subject-studio/changelog.gz"
    build/tools/bin/python packaging/manuals.py "$share/man/man1"
    gzip -9n "$share/man/man1"/*.1
    completion() { _STUDIO_BACKEND_COMPLETE=source_$1 build/tools/bin/studio-backend; }
    completion bash > "$share/bash-completion/completions/studio-backend"
    completion zsh > "$share/zsh/vendor-completions/_studio-backend"
    completion fish > "$share/fish/vendor_completions.d/studio-backend.fish"
    cat > "$root/DEBIAN/control" << END
Package: subject-studio
Version: $version
Architecture: $machine
Maintainer: Subject Studio maintainers <maintainers@subject-studio.invalid>
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Depends: libc6 (>= 2.34), $(sed -n 's/^libraries="\(.*\)"/\1/p' packaging/setup.sh | sed 's/ /, /g')
Recommends: libpulse0
Section: graphics
Priority: optional
Description: curate, verify and judge subject-to-video data
 Studio, its service and the headless commands, with classical computer vision and without weights.
END
    dpkg-deb --root-owner-group -Zxz -z1 --build "$root" "dist/subject-studio_${version}_$machine.deb" > /dev/null
}

site() { # sources of a site are docs/ and what the code says of itself
    sh packaging/setup.sh dev
    pinned build/site-tools mkdocs
    rm -rf build/site
    mkdir -p build/site
    cp -a docs/. build/site/
    .venv/bin/python packaging/reference.py build/site/reference
    build/site-tools/bin/mkdocs build --quiet --strict -f packaging/mkdocs.yml
}

[ "$what" = site ] || pinned build/tools pyinstaller
case "$what" in
wheel) build/tools/bin/python -m pip wheel -q --no-deps --no-build-isolation -w dist . ;;
site) site ;;
bundle) bundle ;;
deb) bundle && deb ;;
*) echo "packaging/build.sh: $what is none of wheel, bundle, deb, site" >&2 && exit 2 ;;
esac
