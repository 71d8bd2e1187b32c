#!/bin/sh
# Runs the tests that need libraries of their own: integrations.sh PYTHON [name ...]
# Each folder of tests/integrations is one environment, build/venvs/<name>: requirements.txt says what it holds beside
# weft, also.txt which other tests run in it, large.txt why it runs by its name only. An environment is kept until its
# requirements change. What other people's libraries warn of is shown and fails nothing.
set -eu
python=$1; shift
if [ $# -eq 0 ]; then
  for folder in tests/integrations/*/; do
    [ ! -f "$folder/requirements.txt" ] || [ -f "$folder/large.txt" ] || set -- "$@" "$(basename "$folder")"
  done
fi
failed=
for name in "$@"; do
  folder=tests/integrations/$name venv=build/venvs/$name
  [ -f "$folder/requirements.txt" ] || { echo "$folder has no requirements.txt" >&2; exit 1; }
  if ! cmp -s "$folder/requirements.txt" "$venv/requirements.txt" 2>/dev/null || [ pyproject.toml -nt "$venv/requirements.txt" ]; then
    echo "installing into $venv ..."
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e . -r "$folder/requirements.txt" \
      'pytest>=9,<10' 'pytest-asyncio>=1.2,<2' 'pytest-timeout>=2.4,<3' 'hypothesis>=6.150,<7' 'httpx>=0.28,<1'
    cp "$folder/requirements.txt" "$venv/requirements.txt"
  fi
  also=
  [ ! -f "$folder/also.txt" ] || also=$(cat "$folder/also.txt")
  echo "$name:"
  # shellcheck disable=SC2086  # also.txt names several
  "$venv/bin/python" -m pytest -q -o filterwarnings=default -p no:cacheprovider "$folder" $also || failed="$failed $name"
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
