"""Choosing by hand, on a page of this computer alone. Verb: review."""

from animeprep.review.server import ReviewServer, serve

__all__ = ["ReviewServer", "serve"]
