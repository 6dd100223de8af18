"""The page that paints: what it costs beside `stylize`, and another strength beside painting.

    python benchmarks/ui.py [--network animeganv2] [--width 1920] [--height 1080] [--turns 5]

In turns, in one process, over the page's own address; processor time, for others may be at work.
"""

import argparse
import http.client
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from painting import ASSETS, photo

from animegan.stylize import stylize
from animegan.ui import UiServer
from animegan.ui.choices import Models
from animeprep.files import write_atomic
from animeprep.images import encode_jpeg


def cost(run: Callable[[], object]) -> float:
    """Seconds of processor time, of all threads."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def ask(server: UiServer, method: str, path: str, body: bytes = b"") -> bytes:
    """What the page asks."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    headers = {"X-Token": server.token, "X-Name": "a.jpg", "Content-Type": "application/json"}
    connection.request(method, path, body, headers)
    answer = connection.getresponse().read()
    connection.close()
    return answer


def paint(server: UiServer, key: str, strength: float) -> bytes:
    """From pressing the button to the file."""
    model = server.models.choices()[0].key
    wanted = {"photo": key, "model": model, "settings": {"strength": strength}}
    told: dict[str, Any] = json.loads(ask(server, "POST", "/paint", json.dumps(wanted).encode()))
    while told["state"] in {"waiting", "painting"}:
        time.sleep(0.15)
        told = json.loads(ask(server, "GET", f"/job/{told['job']}"))
    ask(server, "GET", f"/painting/{told['job']}")
    return ask(server, "GET", f"/download/{told['job']}")


def drop_and_paint(server: UiServer, file: Path) -> str:
    """From the drop to the file."""
    key = str(json.loads(ask(server, "PUT", "/photo", file.read_bytes()))["photo"])
    ask(server, "GET", f"/photo/{key}")
    paint(server, key, 1)
    return key


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="animeganv2")
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    models = Models(ASSETS.parent / f"{given.network.replace('-', '_')}_init.safetensors", "cpu")
    times: dict[str, list[float]] = {"stylize": [], "the page": [], "another strength": []}
    with tempfile.TemporaryDirectory() as name, UiServer(models, Path(name)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        file, out = Path(name, "a.jpg"), Path(name, "out.jpg")
        write_atomic(file, encode_jpeg(photo(given.width, given.height), 95))
        painter = models.painter(models.choices()[0].key)
        for _ in range(given.turns + 1):
            times["stylize"].append(cost(lambda: stylize([file], out, painter)))
            keys: list[str] = []
            times["the page"].append(
                cost(lambda keys=keys: keys.append(drop_and_paint(server, file)))
            )
            times["another strength"].append(cost(lambda keys=keys: paint(server, keys[0], 0.5)))
        server.shutdown()
    medians = {what: statistics.median(taken[1:]) for what, taken in times.items()}
    for what, median in medians.items():
        print(f"{what:18}{median:8.2f} s{median / medians['stylize']:8.2f}")


if __name__ == "__main__":
    main()
