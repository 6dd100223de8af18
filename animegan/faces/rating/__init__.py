"""Marks by people who do not know what they see, on a page of this computer. Verb: faces rate.

Source: the assignment, whose faces got two marks of 1 to 5 from people: whether a face shows what
its text says, and whether it looks real.
"""

from animegan.faces.rating.items import Item, draw, gather
from animegan.faces.rating.marks import Marks, summarise
from animegan.faces.rating.server import RatingServer, serve

__all__ = ["Item", "Marks", "RatingServer", "draw", "gather", "serve", "summarise"]
