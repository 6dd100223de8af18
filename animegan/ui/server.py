"""A local page that paints: what is dropped on it stays on this computer.

Files that are dropped lie in a temporary folder under names of our own while the page is served.
"""

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from animegan.stylize import PaintSettings
from animegan.ui.choices import Models, find_pages
from animegan.ui.dropped import Advance, Dropped, Painting
from animegan.ui.jobs import Job, Jobs, Latest
from animegan.ui.opening import open_dropped
from animeprep.errors import InputError
from animeprep.local_page import LocalHandler, LocalServer, Refusal, Sent, nothing_here
from animeprep.names import shortened
from animeprep.page import templates

#: Bytes of a file that is taken at most, and the share of the free disk.
MAX_UPLOAD, _SHARE = 2**36, 0.5
#: Photos and paintings that are kept: of several windows, and the way back in one.
_PHOTOS, _PAINTINGS = 3, 6
#: Reports have scripts of their own; they run apart from this page and cannot ask it for anything.
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_JPEG, _HTML = "image/jpeg", "text/html; charset=utf-8"

Item = TypeVar("Item")


class Wanted(Sent):
    """What the page asks for: a photo's key, a model's, and how to paint."""

    photo: str
    model: str
    settings: PaintSettings


class Unwanted(Sent):
    """The key of a photo whose painting is to stop."""

    photo: str


class UiServer(LocalServer):
    """The page that paints; see `LocalServer`.

    Args:
        models: what to paint with.
        dataset: the dataset folder whose report is shown.
        port: 0 takes a free one.

    Raises:
        UsageError: the port cannot be had.
    """

    def __init__(self, models: Models, dataset: Path, port: int = 0) -> None:
        self.models, self.dataset = models, dataset
        self._folder = tempfile.TemporaryDirectory(prefix="animeprep-ui-")
        self.folder = Path(self._folder.name)
        self.photos: Latest[Dropped] = Latest(_PHOTOS, self._forget_photo)
        self.jobs = Jobs(_PAINTINGS, self._remove)
        super().__init__(_Handler, port)

    def server_close(self) -> None:
        """Stop painting and leave nothing behind."""
        self.jobs.close()
        super().server_close()
        self._folder.cleanup()

    def page(self, nonce: str) -> str:
        """The page; `nonce` marks its style and script as its own."""
        return (
            templates("animegan", "animeprep")
            .get_template("ui.html")
            .render(
                nonce=nonce,
                token=self.token,
                most=MAX_UPLOAD,
                models=self.models.choices(),
                pages=find_pages(self.dataset),
                dataset=self.dataset,
                fields=PaintSettings.model_fields,
            )
        )

    def take(self, name: str, receive: Callable[[Path], None]) -> dict[str, Any]:
        """Keep what was dropped.

        Args:
            name: what the browser calls it.
            receive: writes it into a file.

        Returns:
            What the page needs to know of it.
        """
        key = token_urlsafe(12)
        path = self.folder / key
        try:
            receive(path)
            dropped = open_dropped(path, name)
        except InputError as error:
            self._remove(key)
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        except Refusal:
            self._remove(key)
            raise
        self.photos.put(key, dropped)
        width, height = dropped.size
        told = {"photo": key, "name": name, "width": width, "height": height}
        return {**told, "facts": list(dropped.facts), "at_once": dropped.at_once}

    def paint(self, wanted: Wanted) -> dict[str, Any]:
        """Begin a painting."""
        dropped = _known(self.photos.get(wanted.photo))

        def work(advance: Advance) -> Painting:
            painter = self.models.painter(wanted.model)
            return dropped.paint(painter, wanted.settings, self.folder / job.key, advance)

        job = Job(wanted.photo, work)
        self.jobs.submit(job)
        return job.told()

    def _forget_photo(self, key: str, _photo: Dropped) -> None:
        self.jobs.cancel(key)
        self._remove(key)

    def _remove(self, key: str) -> None:
        """Remove a file, and what was made of it so far."""
        for path in self.folder.glob(f"{key}*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


class _Handler(LocalHandler):
    """Which address is what."""

    server: UiServer
    max_upload = MAX_UPLOAD

    def get(self) -> None:
        match self.path.split("/"):
            case ["", ""]:
                self.send_page(self.server.page)
            case ["", "photo", key]:
                self.send(_known(self.server.photos.get(key)).preview, _JPEG)
            case ["", "job", key]:
                self.send_json(_known(self.server.jobs.get(key)).told())
            case ["", "painting", key]:
                self.send(self._painting(key).preview, _JPEG)
            case ["", "download", key]:
                self._download(self._painting(key))
            case ["", "page", key]:
                self._report(key)
            case _:
                raise nothing_here()

    def _painting(self, key: str) -> Painting:
        return _known(_known(self.server.jobs.get(key)).painting)

    def _download(self, painting: Painting) -> None:
        name = quote(painting.name.encode(errors="replace"), safe="")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        self.send_file(painting.file, "application/octet-stream", headers)

    def _report(self, key: str) -> None:
        pages = {page.key: page.file for page in find_pages(self.server.dataset)}
        self.send_file(_known(pages.get(key)), _HTML, {"Content-Security-Policy": _REPORT_POLICY})

    def put(self, length: int) -> None:
        if self.path != "/photo":
            super().put(length)
        if length > _SHARE * shutil.disk_usage(self.server.folder).free:
            reason = "there is no room for it on the disk: paint it with animeprep stylize"
            raise Refusal(HTTPStatus.INSUFFICIENT_STORAGE, reason)
        name = _plain(unquote(self.headers.get("X-Name", "")))
        self.send_json(self.server.take(name, partial(self.receive, length)))

    def post(self, body: bytes) -> None:
        match self.path:
            case "/paint":
                self.send_json(self.server.paint(Wanted.read(body)))
            case "/cancel":
                self.server.jobs.cancel(Unwanted.read(body).photo)
                self.send_json({})
            case _:
                raise nothing_here()


def _known(found: Item | None) -> Item:
    if found is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "it is not kept any longer: drop it again")
    return found


def _plain(name: str) -> str:
    r"""A file's name without folders and without what does not print.

    >>> _plain("../../etc/pass\nwd"), _plain("C:\\photos\\a b.jpg"), _plain("..")
    ('passwd', 'a b.jpg', 'photo')
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    printing = "".join(letter for letter in last if letter.isprintable()).strip()
    return shortened(printing) if printing.strip(".") else "photo"


def serve(
    model: Path | None,
    dataset: Path,
    *,
    device: str = "auto",
    port: int = 0,
    open_browser: bool = True,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        model: a run, a generator file, or weights that others published: the first to choose; by
            default the newest run.
        dataset: the dataset folder whose report is shown.
        device: auto, cpu, cuda or mps.
        port: 0 takes a free one.
        open_browser: open the page in the user's browser.
        ready: called with the page's address when it can be opened.

    Raises:
        CheckpointError: there is nothing to paint with.
        UsageError: the port cannot be had.
    """
    with UiServer(Models(model, device), dataset, port) as server:
        server.run(ready, open_browser=open_browser)
