"""The methods of exposure compensation: from what was measured to a curve in linear light.

All have one signature, `tone(scene, reference, strength, clamp) → Tone`, and each tells what it
brings pictures to: `aim(lights) → reference`, numbers that are stored with the set. Levels are
mapped by tables, without dither: half a level of noise would leave hardly a flat patch of a
drawing flat.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from animeprep.boxes import Picture
from animeprep.files import sha256
from animeprep.light import (
    LINEAR,
    Curve,
    Light,
    Values,
    bent,
    decode,
    encode,
    from_lightness,
    level_table,
    to_lightness,
)

#: What pictures are brought to; what the numbers mean depends on the method.
Reference = tuple[float, ...]
Gains = tuple[float, float, float]
#: Within a shot, a range of light that is so many EV from the shot's makes a fade.
_FADE_EV = 0.5
#: Ranges of light and of lightness are taken for at least so much.
_LEAST_RANGE, _LEAST_CONTRAST = 1e-3, 1.0
_STEPS = np.linspace(0, 100, 257)


@dataclass(frozen=True)
class Scene:
    """The light of a picture and of what it belongs to.

    Attributes:
        own: of the picture that was cropped.
        shot: of its shot; where shots are unknown, its own.
        film: of its film; where that is unknown, its own.
    """

    own: Light
    shot: Light
    film: Light


@dataclass(frozen=True)
class Tone:
    """What is done to a picture.

    Attributes:
        curve: linear light → linear light, rising.
        stops: the gain at the picture's mean light, EV.
        clamped: whether it would have been more without the clamp.
        peak: the brightest level, 0..255, that shall not clip.
        on: each channel's light, or luminance with Lab's a and b kept.
    """

    curve: Curve
    stops: float
    clamped: bool
    peak: int
    on: Literal["channels", "lightness"] = "channels"


def _clamped(stops: float, clamp: float) -> tuple[float, bool]:
    within = min(clamp, max(-clamp, stops))
    return within, abs(stops - within) > 1e-9


def none(scene: Scene, _reference: Reference, _strength: float, _clamp: float) -> Tone:
    """The picture as it is."""
    return Tone(lambda light: light, 0.0, clamped=False, peak=scene.own.peak)


def key(scene: Scene, reference: Reference, strength: float, clamp: float) -> Tone:
    """One gain for a shot: (L_target / L)^strength.

    Source: the "key" of Reinhard et al., "Photographic tone reproduction", SIGGRAPH 2002.

    >>> light = Light(0.1, 200)
    >>> key(Scene(light, light, light), (0.2,), 1.0, 1.0).stops
    1.0
    """
    stops, bit = _clamped(strength * math.log2(reference[0] / scene.shot.log_average), clamp)
    return Tone(lambda light: light * 2.0**stops, stops, bit, scene.shot.peak)


def gamma(scene: Scene, reference: Reference, strength: float, clamp: float) -> Tone:
    """An exponent that brings L of the shot towards the target; black and white stay.

    The exponent is of light, and so the same of a signal that encodes light by a power.
    """
    stops, bit = _clamped(strength * math.log2(reference[0] / scene.shot.log_average), clamp)
    now = min(0.98, scene.shot.log_average)
    aim = min(0.99, now * 2.0**stops)
    exponent = math.log(aim) / math.log(now)
    return Tone(lambda light: light**exponent, math.log2(aim / now), bit, scene.shot.peak)


def film(scene: Scene, reference: Reference, strength: float, clamp: float) -> Tone:
    """One gain and one black point for a film; a fade is brought back to its shot first.

    A picture is in a fade where its range of light differs from its shot's, the median of its
    pictures, by more than 0.5 EV.
    """
    fade = math.log2(_range(scene.shot) / _range(scene.own))
    fades = abs(fade) > _FADE_EV

    def line(share: float) -> tuple[float, float, float]:
        """From which light to which, and the gain from there on, EV."""
        black, white = scene.film.black, max(_LEAST_RANGE, scene.film.white)
        aim = Light(0, 0, (), *_between(black, white, reference, share))
        stops = math.log2(_range(aim) / _range(scene.film))
        if not fades:
            return black, aim.black, stops
        start = scene.own.black
        repaired = start + share * (scene.shot.black - start)
        return start, aim.black + (repaired - black) * 2.0**stops, stops + share * fade

    wanted = line(strength)[2]
    stops, bit = _clamped(wanted, clamp)
    start, end, _ = line(strength * (stops / wanted if bit else 1.0))
    peak = (scene.own if fades else scene.film).peak
    return Tone(lambda light: np.maximum(0, end + (light - start) * 2.0**stops), stops, bit, peak)


def _between(black: float, white: float, aim: Reference, share: float) -> tuple[float, float]:
    return black + share * (aim[0] - black), white * (aim[1] / white) ** share


def _range(light: Light) -> float:
    return max(_LEAST_RANGE, light.white - light.black)


def lab(scene: Scene, reference: Reference, strength: float, clamp: float) -> Tone:
    """L* of a shot shifted and scaled towards the set's mean and spread; a and b are kept."""
    mean, spread = _lightness(scene.shot)
    wanted = mean + strength * (reference[0] - mean)
    before, after = (max(1e-4, float(from_lightness(np.array(v)))) for v in (mean, wanted))
    stops, bit = _clamped(math.log2(after / before), clamp)
    aim = float(to_lightness(np.array(before * 2.0**stops)))
    scale, bit_too = _clamped(strength * math.log2(reference[1] / spread), clamp)

    def curve(light: Values) -> Values:
        return from_lightness(np.maximum(0, aim + (to_lightness(light) - mean) * 2.0**scale))

    return Tone(curve, stops, bit or bit_too, scene.shot.peak, "lightness")


def _lightness(light: Light) -> tuple[float, float]:
    """Mean and standard deviation of L*."""
    counts = np.array(light.counts)
    levels = to_lightness(LINEAR)
    mean = float(np.average(levels, weights=counts))
    deviation = math.sqrt(np.average((levels - mean) ** 2, weights=counts))
    return mean, max(_LEAST_CONTRAST, deviation)


def histogram(scene: Scene, reference: Reference, strength: float, clamp: float) -> Tone:
    """Luma's histogram of a shot matched to the reference's, as skimage's `match_histograms`.

    The map of luma is applied to each of R, G and B, so that grays stay gray. No level's light
    changes by more than the clamp.
    """
    counts = np.array(scene.shot.counts)
    matched = _match(counts, np.array(reference))
    levels = np.arange(256.0)
    wanted = decode((levels + strength * (matched - levels)) / 255)
    light = np.clip(wanted, LINEAR * 2.0**-clamp, LINEAR * 2.0**clamp)
    bit = bool((np.abs(wanted - light)[counts > 0] > 1e-9).any())
    mean = scene.shot.log_average
    moved = float(np.interp(mean, LINEAR, light))
    stops = math.log2(max(1e-4, moved) / mean)
    # Between the levels, where a gain of a channel leads, and beyond white.
    return Tone(
        lambda given: np.interp(given, LINEAR, light) * np.maximum(1, given),
        stops,
        bit,
        scene.shot.peak,
    )


def _match(counts: NDArray[np.int64], reference: Values) -> Values:
    """Level → level of the reference with the same share of pixels below.

    Levels without pixels, which channels have where luma has none, lie in between.
    """
    here, there = np.flatnonzero(counts), np.flatnonzero(reference)
    share = counts.cumsum() / counts.sum()
    matched = np.interp(share[here], (reference.cumsum() / reference.sum())[there], there)
    ends = [level for level in (0, 255) if level not in here]
    known = np.concatenate([here, ends])
    order = np.argsort(known)
    return np.asarray(
        np.interp(np.arange(256), known[order], np.concatenate([matched, ends])[order])
    )


def _no_aim(_lights: Sequence[Light]) -> Reference:
    return ()


def _median_light(lights: Sequence[Light]) -> Reference:
    return (round(float(np.median([light.log_average for light in lights])), 6),)


def _median_points(films: Sequence[Light]) -> Reference:
    points = [(light.black, light.white) for light in films]
    return tuple(np.median(points, axis=0).round(6).tolist())


def _mean_lightness(lights: Sequence[Light]) -> Reference:
    return tuple(np.mean([_lightness(light) for light in lights], axis=0).round(4).tolist())


def _median_counts(lights: Sequence[Light]) -> Reference:
    """The histogram of that light of which as many are darker as are brighter."""
    ordered = sorted(lights, key=lambda light: (light.log_average, light.counts))
    return tuple(map(float, ordered[len(ordered) // 2].counts))


@dataclass(frozen=True)
class Method:
    """A way of evening out the exposure of a set.

    Attributes:
        tone: (scene, reference, strength, clamp) → what is done to a picture.
        aim: lights of all → the reference.
        of: whose lights `aim` takes.
        histograms: whether black, white and counts of lights are needed.
    """

    tone: Callable[[Scene, Reference, float, float], Tone]
    aim: Callable[[Sequence[Light]], Reference]
    of: Literal["pictures", "films"] = "pictures"
    histograms: bool = True


METHODS = {
    "key": Method(key, _median_light, histograms=False),
    "film": Method(film, _median_points, of="films"),
    "gamma": Method(gamma, _median_light, histograms=False),
    "lab": Method(lab, _mean_lightness),
    "histogram": Method(histogram, _median_counts),
    "none": Method(none, _no_aim, histograms=False),
}


@dataclass(frozen=True)
class Change:
    """A tone in numbers: all that a picture's change depends on.

    Attributes:
        levels: 256×3; uint8 level → level, or float32 level → signal 0..1 before `lightness`.
        lightness: L* → L* in steps of 100/256, 0..100; None where channels change one by one.
    """

    levels: NDArray[np.uint8] | NDArray[np.float32]
    lightness: Values | None = None

    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any number."""
        numbers = b"" if self.lightness is None else self.lightness.tobytes()
        return sha256(self.levels.tobytes() + numbers)[:12]


def change_of(tone: Tone, gains: Gains = (1.0, 1.0, 1.0)) -> Change:
    """A tone after gains of R, G and B, in numbers."""
    if tone.on == "channels":
        return Change(level_table(tone.curve, tone.peak, gains))
    luminance = from_lightness(_STEPS)
    lightness = to_lightness(bent(tone.curve, tone.peak, max(gains))(luminance))
    return Change(
        encode(LINEAR[:, None] * np.array(gains)).astype(np.float32), np.clip(lightness, 0, 100)
    )


def compensate(picture: Picture, change: Change) -> Picture:
    """Apply a change to a picture, uint8 RGB H×W×3; same shape back."""
    changed = cv2.LUT(picture, change.levels[None])
    if change.lightness is not None:
        # As floats: in 8 bits Lab has fewer colours than RGB.
        colours = cv2.cvtColor(changed, cv2.COLOR_RGB2LAB)
        colours[..., 0] = np.interp(colours[..., 0], _STEPS, change.lightness)
        signal = cv2.cvtColor(colours, cv2.COLOR_LAB2RGB)
        changed = np.clip(np.rint(signal * 255), 0, 255).astype(np.uint8)
    return cast("Picture", changed)
