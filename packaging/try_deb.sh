#!/bin/sh
# packaging/try_deb.sh [DEB]: the package as a desktop gets it, unpacked into a folder of its own: programs, desktop entry, icon, man pages, completion
# of three shells, systemd unit and terms lie where a system looks for them and are sound; then packaging/smoke.sh with its programs.
# DEB is the newest of dist/ by default.
set -eu
cd "$(dirname "$0")/.."
deb="${1:-$(ls -t dist/*.deb | head -n 1)}"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
dpkg-deb -x "$deb" "$root"
share="$root/usr/share"
wrong() { echo "packaging/try_deb.sh: $*" >&2 && exit 1; }

for file in usr/bin/studio usr/bin/studio-backend usr/lib/systemd/user/subject-studio@.service usr/share/applications/subject-studio.desktop \
    usr/share/icons/hicolor/scalable/apps/subject-studio.svg usr/share/man/man1/studio.1.gz usr/share/man/man1/studio-backend-curate.1.gz \
    usr/share/bash-completion/completions/studio-backend usr/share/zsh/vendor-completions/_studio-backend \
    usr/share/fish/vendor_completions.d/studio-backend.fish usr/share/doc/subject-studio/copyright usr/share/doc/subject-studio/NOTICES.txt \
    usr/share/doc/subject-studio/licences/GPL-3.txt usr/share/doc/subject-studio/licences/av/LICENSE.txt; do
    test -s "$root/$file" || wrong "$file is not in $deb"
done
ls "$root"/usr/lib/subject-studio/_internal/av.libs/libx264-* > /dev/null || wrong "NOTICES.txt speaks of x264, which is not there"
grep -rIlF "$PWD" "$root" && wrong "these name the folder that it was built in"
for page in "$share"/man/man1/*.gz; do
    test -z "$(! command -v groff > /dev/null || gzip -dc "$page" | groff -man -ww -Tutf8 -z 2>&1)" || wrong "$page is no sound man page"
done
bash -c '. "$1"; complete -p studio-backend' sh "$share/bash-completion/completions/studio-backend" > /dev/null
if command -v systemd-analyze > /dev/null; then
    unit="$root/subject-studio@data-walks.service"
    cp "$root/usr/lib/systemd/user/subject-studio@.service" "$unit"
    said=$(systemd-analyze verify "$unit" 2>&1 | grep -F "$unit" || true)
    test -z "$said" || wrong "$said"
fi

backend="$root/usr/bin/studio-backend"
export PATH=/usr/bin:/bin
"$root/usr/bin/studio" --help > /dev/null
test "$(_STUDIO_BACKEND_COMPLETE=complete_bash COMP_WORDS='studio-backend cura' COMP_CWORD=1 "$backend")" = curate || wrong "curate is not completed"
packaging/smoke.sh "$root/usr/bin"
echo "deb: $(basename "$deb") is $(du -m "$deb" | cut -f1) MiB, unpacked $(du -sm "$root/usr" | cut -f1) MiB; $(ls "$share/man/man1" | wc -l) man pages"
