#!/bin/sh
# Makes or completes the virtual environment: venv.sh PYTHON VENV [test]
# uv is used where it is found, pip otherwise.
set -eu
python=$1 venv=$2 want=${3:-}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "weft needs Python >= 3.11; '$python' is $("$python" --version 2>&1). Try: make PYTHON=python3.12" >&2; exit 1; }
if [ ! -x "$venv/bin/python" ]; then
  if command -v uv >/dev/null 2>&1; then uv venv --quiet --python "$python" "$venv"
  else
    "$python" -c 'import ensurepip, venv' 2>/dev/null || {
      echo "this Python has no venv module. On Debian or Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
    "$python" -m venv "$venv"
  fi
fi
# What installers have to say is of interest only when they fail.
log=$venv/install.log
quietly() {
  "$@" >"$log" 2>&1 || { cat "$log" >&2; echo "installing failed; the lines above say why" >&2; exit 1; }
}
echo "installing into $venv ..."
install() {
  if command -v uv >/dev/null 2>&1; then quietly uv pip install --python "$venv/bin/python" "$@"
  else
    "$venv/bin/python" -m pip --version | grep -qE '^pip (2[5-9]|[3-9][0-9])' || quietly "$venv/bin/python" -m pip install --upgrade pip
    quietly "$venv/bin/python" -m pip install "$@"
  fi
}
if [ "$want" = test ]; then
  install -e '.[all]' --group check --group test
  sh .ci/system.sh "$venv"
else
  install -e '.[all]'
fi
