"""One page that shows a dataset. Verb: report."""

from animeprep.report.page import report

__all__ = ["report"]
