"""Sets in other trainers' layouts, out and in. Verbs: export-set, import-set."""

from animeprep.exchange.exports import export_set
from animeprep.exchange.imports import import_set
from animeprep.exchange.layouts import LAYOUTS

__all__ = ["LAYOUTS", "export_set", "import_set"]
