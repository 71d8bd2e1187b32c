#!/bin/sh
# A Chromium for the browser tests: the system's own, else Debian's as root, else Playwright's download.
set -eu
venv=$1
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core) >/dev/null 2>&1 && exit 0
fi
"$venv/bin/python" -m playwright install chromium-headless-shell
