"""A local page on which faces get two marks; where a face comes from never leaves this process."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from animegan.faces.rating.items import Item
from animegan.faces.rating.marks import Mark, Marks
from animeprep.folders import Summary
from animeprep.images import encode_png
from animeprep.local_page import LocalHandler, LocalServer, Refusal, Sent, nothing_here
from animeprep.page import templates


class Given(Sent):
    """What the page sends: an item's key and its marks."""

    item: str
    text: Mark
    realism: Mark


class RatingServer(LocalServer):
    """The page of one rater; see `LocalServer`.

    Args:
        items: what to rate, by key.
        marks: where marks go.
        port: 0 takes a free one.

    Raises:
        UsageError: the port cannot be had.
    """

    def __init__(self, items: Mapping[str, Item], marks: Marks, port: int = 0) -> None:
        self.items, self.marks = items, marks
        super().__init__(_Handler, port)

    def page(self, nonce: str) -> str:
        """The page; `nonce` marks its style and script as its own."""
        template = templates("animegan", "animeprep").get_template("rate.html")
        return template.render(nonce=nonce, token=self.token, file=self.marks.path.name)

    def next(self, first: Item | None = None) -> dict[str, Any]:
        """What is to be marked next: key and words, no more; None at the end.

        Args:
            first: an item that is to come next.
        """
        left = self.marks.left()
        item = first or (left[0] if left else None)
        told = None if item is None else {"key": item.key, "words": str(item.words)}
        return {"done": len(self.items) - len(left), "total": len(self.items), "item": told}

    def give(self, given: Given) -> dict[str, Any]:
        """Keep marks; tells what is next."""
        self.item(given.item)
        self.marks.give(given.item, given.text, given.realism)
        return self.next()

    def item(self, key: str) -> Item:
        """The item with that key."""
        if key not in self.items:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such face")
        return self.items[key]


class _Handler(LocalHandler):
    """Which address is what."""

    server: RatingServer

    def get(self) -> None:
        match self.path.split("/"):
            case ["", ""]:
                self.send_page(self.server.page)
            case ["", "next"]:
                self.send_json(self.server.next())
            case ["", "face", key]:
                # All as PNG: another coding would tell real faces from drawn ones.
                self.send(encode_png(self.server.item(key).picture), "image/png")
            case _:
                raise nothing_here()

    def post(self, body: bytes) -> None:
        match self.path:
            case "/marks":
                self.send_json(self.server.give(Given.read(body)))
            case "/back":
                self.send_json(self.server.next(self.server.marks.take_back()))
            case _:
                raise nothing_here()


def serve(
    items: Mapping[str, Item],
    marks: Marks,
    *,
    port: int = 0,
    open_browser: bool = True,
    ready: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Serve the page until Ctrl-C.

    Args:
        items: what to rate, by key.
        marks: where marks go.
        port: 0 takes a free one.
        open_browser: open the page in the user's browser.
        ready: called with the page's address when it can be opened.

    Returns:
        How much this rater marked and left, and the mean marks of each source by all raters.

    Raises:
        InputError: the file of marks was spoilt meanwhile.
        UsageError: the port cannot be had.
    """
    with RatingServer(items, marks, port) as server:
        server.run(ready, open_browser=open_browser)
        return marks.summary()
