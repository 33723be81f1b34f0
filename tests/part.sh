#!/bin/sh
# part.sh ARGUMENTS...: a part of `make test`. Up to five tests that fail beside others are asked once more, alone.
# Windows, children and deadlines share few cores here: what passes alone was starved, and stands above as it failed; what fails alone is wrong.
kept=$(mktemp -d)
trap 'rm -r "$kept"' EXIT
part() { .venv/bin/python -m pytest -q -o cache_dir="$kept" "$@"; }

part "$@"
code=$?
[ $code -eq 1 ] || exit $code
failed=$(grep -c true "$kept/v/cache/lastfailed")
[ "$failed" -le 5 ] || exit $code
echo "$failed failed beside others; alone:"
part "$@" --last-failed -n 0
