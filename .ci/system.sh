#!/bin/sh
# What the tests need of the system: a Chromium (its own, else Debian's as root, else Playwright's download), and a
# PostgreSQL (its own, else Debian's as root; without one its tests are skipped and say so).
set -eu
venv=$1

debian() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
  echo "installing $* ..."
  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@") >"$venv/system.log" 2>&1
}

chromium() {
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then return 0; fi
  done
  return 1
}

postgres() {
  if command -v initdb >/dev/null 2>&1; then return 0; fi
  for path in /usr/lib/postgresql/*/bin/initdb; do
    if [ -x "$path" ]; then return 0; fi
  done
  return 1
}

chromium || debian chromium fonts-dejavu-core || "$venv/bin/python" -m playwright install chromium-headless-shell
postgres || debian postgresql || echo "no PostgreSQL here: its tests will be skipped (Debian: apt-get install postgresql)" >&2
