"""Faces from words: `blue hair red eyes` → an anime face of 64×64 pixels.

Source: "Comics Generation", the fourth assignment of ADL×MLDS 2017 at National Taiwan University,
and a report on it; docs/faces.md tells what was taken from them.
"""
