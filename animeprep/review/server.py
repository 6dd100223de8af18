"""Choosing by hand: a local page on which pictures are kept or rejected. Verb: review.

Each decision is in `curation.jsonl` before the page shows it. Pictures are asked for by their keys
in the catalogue; no request names a file.
"""

import functools
import os
import re
import threading
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from animeprep.curation import KEEP, Sitting, State
from animeprep.dataset import Dataset
from animeprep.errors import DatasetError, InputError
from animeprep.folders import Summary
from animeprep.images import encode_jpeg, read_rgb, thumbnail
from animeprep.local_page import LocalHandler, LocalServer, Refusal, Sent, nothing_here
from animeprep.page import templates
from animeprep.review.catalogue import TABS, Candidate, Catalogue, key_of

STAGE = "review"
PER_PAGE = 200
_PLACEHOLDER = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="135">'
    '<rect width="240" height="135" fill="#777"/><text x="120" y="72" fill="#fff" '
    'font-family="sans-serif" font-size="16" text-anchor="middle">{}</text></svg>'
)
#: Decoding takes memory: one picture a core at a time.
_decoding = threading.BoundedSemaphore(os.cpu_count() or 1)


class Decision(Sent):
    """What the page sends: a picture's key, and whether its whole cluster is meant."""

    picture: str
    decision: Literal["keep", "reject"] | None
    cluster: bool = False


class ReviewServer(LocalServer):
    """The page of one dataset; see `LocalServer`.

    Raises:
        DatasetError: there are no pictures, or `curation.jsonl` says what it cannot mean.
        UsageError: the port cannot be had.
    """

    def __init__(self, dataset: Dataset, port: int = 0) -> None:
        self.dataset = dataset
        self.catalogue = Catalogue(dataset)
        if not self.catalogue.by_key:
            raise DatasetError(
                dataset.root, "there are no pictures here", "run `animeprep frames FILM` first"
            )
        self.sitting = Sitting(dataset)
        self.sitting.state()
        super().__init__(_Handler, port)

    def page(self, nonce: str) -> str:
        """The page; `nonce` marks its style and script as its own."""
        template = templates("animeprep").get_template("review.html")
        name = self.dataset.root.resolve().name
        return template.render(nonce=nonce, token=self.token, tabs=TABS, name=name)

    def listing(self, tab: str, reason: str, page: int) -> dict[str, Any]:
        """One page of the pictures under a tab, with what is decided on them.

        Args:
            tab: one of `catalogue.TABS`.
            reason: only those that were left out for it; empty for all.
            page: from 0; beyond the last it is the last.
        """
        state = self.sitting.state()
        tabs = self.catalogue.tabs(state.decided)
        wanted = [one for one in tabs[tab] if reason in {"", one.reason}]
        pages = max(1, -(-len(wanted) // PER_PAGE))
        page = min(page, pages - 1)
        shown = wanted[page * PER_PAGE : (page + 1) * PER_PAGE]
        return {
            **_summed(state),
            "totals": {name: len(found) for name, found in tabs.items()},
            "reasons": sorted(Counter(one.reason for one in tabs[tab]).items()),
            "page": page,
            "pages": pages,
            "pictures": [self._told(one, state.decided.get(one.name)) for one in shown],
        }

    def _told(self, candidate: Candidate, decision: str | None) -> dict[str, Any]:
        cluster = self.catalogue.cluster(candidate)
        return {
            "key": candidate.key,
            "name": candidate.name,
            "is_crop": candidate.is_crop,
            "decision": decision,
            "reason": candidate.reason,
            "cluster": key_of("/".join(candidate.cluster)),
            "size": len(cluster),
            "keeper": next((c.key for c in cluster if c.name == candidate.cluster[1]), None),
            "facts": candidate.facts,
        }

    def decide(self, wanted: Decision) -> dict[str, Any]:
        """Decide on a picture or its cluster; tells what changed."""
        candidate = self.candidate(wanted.picture)
        if candidate.is_crop and wanted.decision == KEEP:
            raise Refusal(HTTPStatus.BAD_REQUEST, "crops are rejected or cleared")
        meant = self.catalogue.cluster(candidate) if wanted.cluster else [candidate]
        return _touched(self.sitting.decide([one.name for one in meant], wanted.decision))

    def undo(self) -> dict[str, Any]:
        """Take the latest decision of this sitting back; tells what changed."""
        return _touched(self.sitting.undo())

    def candidate(self, key: str) -> Candidate:
        """The picture with that key."""
        if key not in self.catalogue.by_key:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such picture")
        return self.catalogue.by_key[key]

    def picture(self, key: str, draw: Callable[[Path], bytes]) -> tuple[bytes, str]:
        """A picture as its bytes and their type; a placeholder where there is none to read."""
        shown_by = self.candidate(key).shown_by
        try:
            path = self.dataset.path(shown_by)
            path.stat()
            return draw(path), "image/jpeg"
        except DatasetError as error:
            raise Refusal(HTTPStatus.NOT_FOUND, "it lies outside of the dataset") from error
        except FileNotFoundError:
            told = "not on disk"
        except (InputError, OSError, ValueError):
            told = "cannot be read"
        return _PLACEHOLDER.format(told).encode(), "image/svg+xml"


def _summed(state: State) -> dict[str, Any]:
    return {"revision": state.revision, "counts": Counter(state.decided.values())}


def _touched(state: State) -> dict[str, Any]:
    changed = {key_of(name): state.decided.get(name) for name in state.touched}
    return {**_summed(state), "changed": changed}


def _large(path: Path) -> bytes:
    with _decoding:
        return encode_jpeg(thumbnail(read_rgb(path), 1920), 90)


def _small(path: Path) -> bytes:
    return _cached_small(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=2048)
def _cached_small(path: Path, changed: int) -> bytes:  # noqa: ARG001 - a changed file is another
    with _decoding:
        return encode_jpeg(thumbnail(read_rgb(path), 240), 85)


class _Handler(LocalHandler):
    """Which address is what."""

    server: ReviewServer

    def get(self) -> None:
        address = urlsplit(self.path)
        match address.path.split("/"):
            case ["", ""]:
                self.send_page(self.server.page)
            case ["", "pictures"]:
                self.send_json(self._listing(address.query))
            case ["", "thumbnail", key]:
                self.send(*self.server.picture(key, _small))
            case ["", "picture", key]:
                self.send(*self.server.picture(key, _large))
            case _:
                raise nothing_here()

    def _listing(self, query: str) -> dict[str, Any]:
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        tab, page = asked.get("tab", TABS[0]), asked.get("page", "0")
        if tab not in TABS or not re.fullmatch("[0-9]{1,9}", page):
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such list")
        return self.server.listing(tab, asked.get("reason", ""), int(page))

    def post(self, body: bytes) -> None:
        match self.path:
            case "/decide":
                self.send_json(self.server.decide(Decision.read(body)))
            case "/undo":
                self.send_json(self.server.undo())
            case _:
                raise nothing_here()


def serve(
    dataset: Dataset,
    *,
    port: int = 0,
    open_browser: bool = True,
    ready: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Serve the page until Ctrl-C.

    Args:
        dataset: what to choose from.
        port: 0 takes a free one.
        open_browser: open the page in the user's browser.
        ready: called with the page's address when it can be opened.

    Returns:
        The pictures that are kept and rejected by hand, in this sitting and earlier ones.

    Raises:
        DatasetError: there are no pictures, or `curation.jsonl` says what it cannot mean.
        UsageError: the port cannot be had.
    """
    with ReviewServer(dataset, port) as server:
        server.run(ready, open_browser=open_browser)
        # Waits for a decision that is being written.
        return Summary(STAGE, counts=Counter(server.sitting.state().decided.values()))
