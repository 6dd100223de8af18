"""HDR and wide colours → what a BT.709 screen shows.

PQ is SMPTE ST 2084, HLG is ITU-R BT.2100; primaries go from BT.2020 to BT.709 (ITU-R BT.2087);
white is 203 cd/m² (ITU-R BT.2408); the curves are those of FFmpeg's `tonemap` filter: Hable's of
Uncharted 2, and Möbius's. The whole is FFmpeg's chain `zscale=t=linear:npl=203:agamma=0,
zscale=p=bt709, tonemap=CURVE:desat=0:peak=PEAK, zscale=t=bt709`, which the tests compare it with.

FFmpeg's usual chain has npl=100 and hable and takes 1000 cd/m² for the brightest light; an SDR
picture that was put into PQ comes back from it with its white at 194 of 255, 9.3 ΔE00 off. Here the
peak is measured, and such a picture comes back as it was.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from animeprep.boxes import Picture

#: Linear 1.0, cd/m².
WHITE = 203.0
#: What HLG's screen can show, cd/m².
_HLG_PEAK = 1000.0
#: What FFmpeg's scaler makes of white at 16 bits: 255 << 8.
_WHITE = 65280

#: Linear RGB of BT.2020 → of BT.709.
_TO_BT709 = np.array(
    [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ],
    np.float32,
)
#: Luminance of BT.2020.
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)

Light = NDArray[np.float32]
Curve = Literal["hable", "mobius"]


def pq_to_linear(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """PQ's EOTF: signal 0..1 → light in units of white.

    >>> round(float(pq_to_linear(np.array(0.5080784)) * WHITE))
    100
    """
    m1, m2 = 2610 / 16384, 2523 / 32
    c1, c2, c3 = 3424 / 4096, 2413 / 128, 2392 / 128
    root = signal ** (1 / m2)
    light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return np.asarray(light * 10000 / WHITE)


def hlg_to_linear(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """HLG's inverse OETF: signal 0..1 → scene light 0..1.

    >>> round(float(hlg_to_linear(np.array(0.5))), 6)
    0.083333
    """
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    bright = (np.exp((signal - c) / a) + b) / 12
    return np.asarray(np.where(signal <= 0.5, signal**2 / 3, bright), np.float64)


def _table(function: str) -> Light:
    signal = np.minimum(np.arange(2**16) / _WHITE, 1)
    if function == "pq":
        return pq_to_linear(signal).astype(np.float32)
    if function == "hlg":
        return hlg_to_linear(signal).astype(np.float32)
    return np.asarray(signal**2.4, np.float32)


def hable(light: Light) -> Light:
    """Hable's filmic curve, not yet normalised."""
    a, b, c, d, e, f = 0.15, 0.50, 0.10, 0.20, 0.02, 0.30
    curve = (light * (light * a + b * c) + d * e) / (light * (light * a + b) + d * f) - e / f
    return np.asarray(curve, np.float32)


def mobius(light: Light, peak: float, knee: float = 0.3) -> Light:
    """Linear up to the knee, then a Möbius curve that brings `peak` to 1."""
    a = -knee * knee * (peak - 1) / (knee * knee - 2 * knee + peak)
    b = (knee * knee - 2 * knee * peak + peak) / max(peak - 1, 1e-6)
    curve = (b * b + 2 * b * knee + knee * knee) / (b - a) * (light + a) / (light + b)
    return np.where(light <= knee, light, curve).astype(np.float32)


def compress(rgb: Light, curve: Curve, peak: float) -> Light:
    """Scale each pixel so that its brightest channel follows the curve; hues stay.

    Args:
        rgb: H×W×3, linear, in units of white.
        curve: by name.
        peak: brightest light to expect.
    """
    brightest = np.maximum(rgb.max(axis=2, keepdims=True), 1e-6)
    if curve == "hable":
        mapped = hable(brightest) / hable(np.array(peak, np.float32))
    else:
        mapped = mobius(brightest, peak)
    return np.asarray(rgb * (mapped / brightest), np.float32)


class ToneMapper:
    """Pictures of one kind of light → SDR.

    Args:
        light: `pq`, `hlg`, or `wide` for SDR in BT.2020's primaries.
        curve: how highlights are compressed; of no effect on `wide`.
        peak: brightest light to expect, in units of white.
    """

    def __init__(self, light: str, curve: Curve, peak: float) -> None:
        self.light = light
        self.curve = curve
        self.peak = peak
        self._linear = _table(light)

    def linear(self, signal: NDArray[np.uint16]) -> Light:
        """R'G'B' uint16 H×W×3 of BT.2020, full range → linear RGB of BT.709, in units of white."""
        rgb = self._linear[signal]
        if self.light == "hlg":
            # The OOTF of a 1000 cd/m² screen: system gamma 1.2 on luminance.
            luminance = np.maximum(rgb @ _LUMINANCE, 1e-9)[..., None]
            rgb = rgb * luminance**0.2 * np.float32(_HLG_PEAK / WHITE)
        return np.asarray(rgb @ _TO_BT709.T, np.float32)

    def __call__(self, signal: NDArray[np.uint16]) -> Picture:
        """R'G'B' uint16 H×W×3 of BT.2020, full range → uint8 RGB H×W×3 of BT.709."""
        rgb = self.linear(signal)
        if self.light != "wide":
            rgb = compress(rgb, self.curve, self.peak)
        encoded = np.clip(rgb, 0, 1) ** np.float32(1 / 2.4)
        return np.asarray(np.rint(encoded * 255), np.uint8)
