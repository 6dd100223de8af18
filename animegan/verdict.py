"""Which checkpoint is best, and what is going wrong: told from measures, never from a loss.

The rule: of the checkpoints whose colours, contrast and content stay within bounds, the one nearest
to the style; of those as near as it within a standard error, the one most like a drawing of the
photo: content near the photo's, lines as sharp and areas as flat as the style's.

Where the style could not be measured, the last of them is chosen.

The standard error is the rule that Breiman et al., "Classification and regression trees" (1984),
choose among models by: what is not told apart is chosen by something else. Content alone would
choose the earliest, whose lines are still unclean (docs/training.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A line of `metrics.jsonl`: `step`, and `measures`: name → [value, low, high].
MetricsLine = Mapping[str, Any]

#: What a checkpoint may not be beyond: measure → least and most, and what to do about each.
#: The measures are those of `judge`. The bounds lie between what photos spoilt on purpose come to
#: and what the CartoonGAN authors' own weights do: ΔE 15, a cast of 10, saturation 0.68. The
#: statistics of L_gra have no say: a photo made gray is nearer by them than a drawing.
_BOUNDS: dict[str, tuple[float, float]] = {
    "saturation": (0.55, 1.8),
    "contrast": (0.6, 1.6),
    "colour": (0, 20),
    "cast": (0, 16),
    "edges": (0.3, 1),
    "content": (0, 0.9),
    "artefacts": (-100, 3),
}
#: The style has not come when after so many lines the distance is still this.
_NO_STYLE, _PATIENCE = 0.9, 5
#: Where the style could not be measured.
NO_STYLE = (
    "the style is not measured: held-out photos are not told from held-out style pictures, so see "
    "whether both folders hold what they should, and hold out more"
)
#: Standard errors from end to end of a 95 % interval.
_ERRORS = 3.92


@dataclass(frozen=True)
class Choice:
    """The best checkpoint.

    Attributes:
        step: which one.
        why: in a sentence.
    """

    step: int
    why: str


def choose(lines: Sequence[MetricsLine]) -> Choice:
    """Choose the best checkpoint by the rule above.

    Args:
        lines: at least one, of one run.

    Returns:
        Where no checkpoint stays within the bounds, one of those that break the fewest.

    >>> choose([{"step": 10, "measures": {"style": [0.5, 0.4, 0.6]}}]).step
    10
    """
    fewest = min(len(broken(line)) for line in lines)
    fit = [line for line in lines if len(broken(line)) == fewest]
    styled = [line for line in fit if "style" in line["measures"]]
    if not styled:
        best = max(fit, key=lambda line: int(line["step"]))
        return Choice(best["step"], _why(best, len(lines), len(fit), 0))
    nearest = min(styled, key=lambda line: _value(line, "style", 1.0))
    value, low, high = nearest["measures"]["style"]
    as_near = value + (high - low) / _ERRORS
    near = [line for line in styled if _value(line, "style", 1.0) <= as_near]
    best = min(near, key=lambda line: (_oddity(line), line["step"]))
    return Choice(best["step"], _why(best, len(lines), len(fit), len(near)))


def _oddity(line: MetricsLine) -> float:
    """How far from a drawing of the photo: content, sharpness and flatness, in parts of 1 each."""
    apart = (abs(_value(line, name, 1.0) - 1) for name in ("sharpness", "flatness"))
    return _value(line, "content", 0.0) + sum(apart)


def _why(best: MetricsLine, measured: int, fit: int, near: int) -> str:
    """The choice in words; `near` is 0 where the style was not measured."""
    style, content = _value(best, "style", 1.0), _value(best, "content", 0.0)
    words = f"style distance {style:.2f} (photos: 1), " if near else "style not measured, "
    spoilt = broken(best)
    text = f"{_reason(measured, fit, near, spoilt)}: {words}content {content:.2f}"
    if spoilt:
        text += f"; none stays within bounds, here {' and '.join(spoilt)} do not"
    elif 1 < fit < measured:
        text += f"; {measured - fit} of {measured} were out of bounds"
    return text


def _reason(measured: int, fit: int, near: int, spoilt: Sequence[str]) -> str:
    if measured == 1:
        return "the only one measured"
    if fit == 1:
        return "the least spoilt" if spoilt else "the only one within bounds"
    if not near:
        return f"the last of {fit} checkpoints"
    told = f"of {near} checkpoints as near to the style as can be told, most like a drawn photo"
    return told if near > 1 else f"nearest to the style of {fit} checkpoints"


def broken(line: MetricsLine) -> list[str]:
    """The measures of a line that are out of bounds."""
    return [
        name
        for name, (least, most) in _BOUNDS.items()
        if name in line["measures"] and not least <= _value(line, name, least) <= most
    ]


def alarms(lines: Sequence[MetricsLine]) -> list[str]:
    """What is wrong with the pictures of the last line, a sentence of advice each.

    Args:
        lines: of one run, in order.
    """
    if not lines:
        return []
    last = lines[-1]
    found = [_sentence(name, _value(last, name, 0.0)) for name in broken(last)]
    return found + _style_alarms(lines)


def _sentence(name: str, value: float) -> str:
    """What a measure that is out of bounds means, and what helps."""
    low = value < _BOUNDS[name][0]
    lost = f"{100 * abs(1 - value):.0f} % "
    sentences = {
        ("saturation", True): f"pictures have lost {lost}of the photo's saturation: "
        "raise --chroma, or lower --gram",
        ("saturation", False): f"pictures are {lost}more saturated than the photo: raise --chroma",
        ("contrast", True): f"pictures are washed out, {lost}of the photo's contrast is gone: "
        "raise --colour, or lower --adversarial",
        ("contrast", False): f"pictures have {lost}more contrast than the photo: raise --colour",
        ("colour", False): f"colours are off by ΔE {value:.0f} in the mean: raise --chroma",
        ("cast", False): f"all pictures have the same cast (ΔE {value:.0f}): raise --chroma, and "
        "see whether the style set's own tone is even (`animeprep exposure`)",
        ("edges", True): f"the photo's edges are lost (agreement {value:.2f} of 1): "
        "raise --content",
        ("content", False): f"pictures are {100 * value:.0f} % as unlike their photo as another "
        "photo would be: raise --content",
        ("artefacts", False): f"pictures have fine noise or a checkerboard ({value:.0f} levels "
        "more than the photo): raise --tv, or lower --adversarial",
    }
    return sentences[name, low]


def _style_alarms(lines: Sequence[MetricsLine]) -> list[str]:
    """The style fades: two lines lie beyond the best one's interval; or it never comes."""
    styled = [line for line in lines if "style" in line["measures"]]
    if not styled or "style" not in lines[-1]["measures"]:
        return [NO_STYLE] if lines[-1]["measures"] else []
    best = min(styled, key=lambda line: _value(line, "style", 1.0))
    least, _, high = best["measures"]["style"]
    value = _value(styled[-1], "style", 1.0)
    came = least <= _NO_STYLE  # what never came cannot fade
    if came and len(styled) > 2 and all(_value(line, "style", 1.0) > high for line in styled[-2:]):
        told = f"the style is fading: its distance was {least:.2f} at step {best['step']:,}"
        return [f"{told} and is {value:.2f} now: raise --late-fake, or stop; the best step is kept"]
    if len(styled) >= _PATIENCE and least > _NO_STYLE:
        told = f"pictures do not come nearer to the style (distance {least:.2f}, photos: 1)"
        return [f"{told}: raise --gram or --adversarial, or lower --content"]
    return []


def _value(line: MetricsLine, name: str, otherwise: float) -> float:
    return float(line["measures"].get(name, (otherwise,))[0])
