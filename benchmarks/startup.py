"""How long `import animeprep` and `animeprep --help` take, beside a bare interpreter.

    python benchmarks/startup.py

Source of the targets: import under 0.3 s, help under 0.5 s, torch untouched.
"""

import statistics
import subprocess
import sys
import time

RUNS = 7
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import animeprep": [sys.executable, "-c", "import animeprep"],
    "animeprep --help": [sys.executable, "-m", "animeprep", "--help"],
}


def main() -> None:
    """Run the commands in turns and print their medians."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - started)
    bare = statistics.median(seconds["python -c pass"])
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:20} {median:.3f} s  {median / bare:.1f}× a bare interpreter")


if __name__ == "__main__":
    main()
