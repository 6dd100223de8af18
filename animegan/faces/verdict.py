"""Which step draws best, and what is going wrong: told from measures, never from a loss."""

from collections.abc import Mapping, Sequence

from animegan.run import Line
from animegan.verdict import Choice

#: Faces of the same words are alike below this diversity.
ALIKE = 0.5
#: Words are heeded above so many times the share of the commonest colour, after so many lines.
HEEDED, PATIENCE = 2.0, 5


def choose(lines: Sequence[Line]) -> Choice:
    """The step whose faces with their words are nearest to real faces with theirs.

    Args:
        lines: of `metrics.jsonl`, at least one; without held-out faces none has a distance.

    >>> measures = {"distance": [0.5], "hair": [0.6], "eyes": [0.5]}
    >>> choose([{"step": 0, "measures": {}}, {"step": 9, "measures": measures}]).step
    9
    """
    measured = [line for line in lines if "distance" in line["measures"]]
    if not measured:
        return Choice(
            lines[-1]["step"], "the last one: there are too few held-out faces to measure"
        )
    best = min(measured, key=lambda line: (line["measures"]["distance"][0], line["step"]))
    values = {name: value[0] for name, value in best["measures"].items()}
    return Choice(
        best["step"],
        f"joint distance {values['distance']:.3g} to real faces with their words, the least of "
        f"{len(measured)} checkpoints; hair {values['hair']:.0%} and eyes {values['eyes']:.0%} "
        "right",
    )


def alarms(lines: Sequence[Line], commonest: Mapping[str, float]) -> list[str]:
    """What is wrong at the last of the lines, a sentence of advice each.

    Args:
        lines: of `metrics.jsonl`.
        commonest: `hair` and `eyes` → the share of the colour that is there most often.
    """
    measures = lines[-1]["measures"]
    if len(lines) < PATIENCE or not measures:
        return []
    found = []
    if measures.get("diversity", (1.0,))[0] < ALIKE:
        found.append(
            f"faces of the same words are alike (diversity {measures['diversity'][0]:.2f} of 1): "
            "lower --batch, or --hair and --eyes"
        )
    found += [
        f"the colour of {name} does not follow the words ({measures[name][0]:.0%} right): "
        f"raise --{name}"
        for name, share in commonest.items()
        if measures[name][0] < HEEDED * share
    ]
    return found
