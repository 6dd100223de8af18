"""Painting in the browser, on a page of this computer alone. Verb: ui."""

from animegan.ui.server import UiServer, serve

__all__ = ["UiServer", "serve"]
