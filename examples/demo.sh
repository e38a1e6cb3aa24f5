#!/bin/bash
# The tour that `make demo` gives: one definition, locked, built, booted, queried, changed. Everything happens in .demo/,
# which `make clean` removes (DEMO_PLACE names another directory); no committed file is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
place=${DEMO_PLACE:-$PWD/.demo}
program=$PWD/.venv/bin/holdfast
root=()
[ "$(id -u)" -eq 0 ] || root=(sudo)

mkdir -p "$place"
cp -r examples/web "$place/"
cd "$place/web"

holdfast() { "${root[@]}" env HOLDFAST_STORE="$place/store" "$program" "$@"; }

bold=""; plain=""
[ -t 1 ] && { bold=$'\e[1m'; plain=$'\e[0m'; }

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }

# Show a command, run it, say how long it took.
show() {
    local shown="" word
    for word in "$@"; do case $word in *[\ \*\"]*) shown+=" '$word'" ;; *) shown+=" $word" ;; esac; done
    printf '%s$%s%s\n' "$bold" "$shown" "$plain"
    local began=${EPOCHREALTIME/[.,]/} ended
    "$@"
    ended=${EPOCHREALTIME/[.,]/}
    printf '%s[%d.%02d s]%s\n' "$bold" $(((ended - began) / 1000000)) $(((ended - began) / 10000 % 100)) "$plain"
}

began=$SECONDS
say "What the definition comes to: a manifest, from typed Python, evaluated without network"
show holdfast eval web

say "Its packages, resolved by apt itself and pinned in holdfast.lock"
show holdfast lock web
show grep --before-context=4 --after-context=5 '"name": "nginx"' holdfast.lock

say "The system, built from the lock into the store"
show holdfast build web

say "Booted as a container with a network of its own, and asked for its page"
show holdfast run web -- curl --silent --show-error --fail http://localhost/

say "What it runs"
show holdfast run web -- systemctl --no-pager --no-legend list-units 'hello*' 'nginx*' 'holdfast*'

say "What the store holds now"
show holdfast store ls

say "Where a value comes from"
show holdfast explain web packages.install

say "One line changed: only the configuration is built again"
show sed -i "s/Held fast/Held fast since $(date +%T)/" systems.py
show holdfast build web
show holdfast run web -- curl --silent --show-error --fail http://localhost/

say "Done in $((SECONDS - began)) s. The copy with its lock is in .demo/web; \`make clean\` removes it."
