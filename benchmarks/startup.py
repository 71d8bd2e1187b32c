"""How long `import weft` takes over a bare interpreter, beside opentelemetry-sdk; and `weft traces ls` from the shell.

    python benchmarks/startup.py [--home HOME]

Medians of alternating fresh processes. With --home, `weft traces ls` reads that home (`benchmarks/ingest.py --keep`
makes one).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

ROUNDS = 15
IMPORTS = {
    "bare interpreter": "pass",
    "import weft": "import weft",
    "import weft; weft.op": "import weft; weft.op",
    "opentelemetry-sdk": "import opentelemetry.sdk.trace",
}


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", help="a home whose traces to list")
    home = parser.parse_args().home
    environment = {**os.environ, **({"WEFT_HOME": home} if home else {})}
    commands = {name: [sys.executable, "-c", code] for name, code in IMPORTS.items()}
    if home:
        commands["weft traces ls"] = [sys.executable, "-m", "weft.cli", "traces", "ls"]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for round_ in range(ROUNDS + 1):
        for name, command in commands.items():
            seconds = _seconds(command, environment)
            if round_:  # the first one compiles bytecode and warms the page cache
                times[name].append(seconds)
    bare = statistics.median(times["bare interpreter"])
    print(f"{'':24}{'median':>10}{'over bare':>12}{'min':>10}{'max':>10}")
    for name, seconds_ in times.items():
        median = statistics.median(seconds_)
        print(
            f"{name:24}{median * 1e3:8.0f} ms{(median - bare) * 1e3:9.0f} ms"
            f"{min(seconds_) * 1e3:7.0f} ms{max(seconds_) * 1e3:7.0f} ms"
        )


if __name__ == "__main__":
    main()
