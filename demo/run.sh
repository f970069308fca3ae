#!/usr/bin/env bash
# Hozo in front of your eyes: the system's own sqlite3, a real data set, a
# change, and the same query of the present and of the past.
#
#   demo/run.sh DIRECTORY      where the built files are; `make demo` knows it
#
# Works in a directory of its own that is gone at the end.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "${1:?usage: demo/run.sh DIRECTORY-OF-THE-BUILT-FILES}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/hozo-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
unset HOZO_CONFIG LD_PRELOAD

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
else
    bold='' dim='' plain=''
fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# Shows a command as one would type it, then runs it.
run() {
    local word shown=
    for word in "$@"; do
        case $word in
            *\'*) shown+=" \"$word\"" ;;
            *[!A-Za-z0-9_.@:/=+-]*) shown+=" '$word'" ;;
            *) shown+=" $word" ;;
        esac
    done
    printf '%s$%s%s\n' "$dim" "$shown" "$plain"
    "$@"
}
hozo() { "$bin/hozo" "$@"; }
# The system's SQLite shell; what `hozo env` prints is set for it alone.
sqlite3() { (eval "$("$bin/hozo" env airports)" && command sqlite3 "$@"); }
# The same shell without Hozo, on a plain file.
plain_file() {
    printf '%s$ sqlite3 %s %s%s\n' "$dim" "$1" "'$2'" "$plain"
    command sqlite3 "$@"
}
# What `hozo ns log` says of the newest commit: its version, or its time.
newest() { hozo ns log airports -n 1 --json | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }

query="SELECT iata, name, city FROM airports WHERE iata IN ('LAS', 'CGX') ORDER BY iata;"

say "1. A store in an empty directory, and a namespace in it: a SQLite database that keeps every version."
run hozo init
run hozo ns create airports

say "2. The system's own sqlite3, version $(command sqlite3 --version | cut -d' ' -f1), loads 3,376 airports from a CSV file."
echo "${dim}It runs under LD_PRELOAD with what \`hozo env airports\` prints; nothing else is special.${plain}"
cp "$here/airports.csv" .
run sqlite3 airports '.mode csv' '.import airports.csv airports'
run sqlite3 airports 'SELECT count(*) FROM airports;'
run sqlite3 -column airports "$query"
version=$(newest version)
time=$(newest time)

say "3. The data is some years old. Las Vegas has renamed its airport, and Chicago has closed Meigs Field."
run sqlite3 airports "UPDATE airports SET name = 'Harry Reid International' WHERE iata = 'LAS';"
run sqlite3 airports "DELETE FROM airports WHERE iata = 'CGX';"

say "4. The present:"
run sqlite3 -column airports "$query"

say "5. The same query of the past, by version:"
run sqlite3 -column "airports@$version" "$query"

say "6. And by time:"
run sqlite3 -column "airports@$time" "$query"

say "7. The past can only be read:"
if run sqlite3 "airports@$version" 'DELETE FROM airports;' 2>&1; then
    echo "demo: that should have been refused" >&2
    exit 1
fi

say "8. Every commit is in the history, newest first:"
run hozo ns log airports

say "9. What was then, as a plain SQLite file:"
run hozo export "airports@$version" then.db
plain_file then.db 'SELECT count(*) FROM airports;'

say "Done. Everything was in $work, which is gone now."
