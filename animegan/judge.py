"""The judge: measures paintings against held-out photos and held-out style pictures.

style       kernel distance to the style, on features that the training never saw; 1 is the distance
            of the photos themselves, 0 none
gram        the same of L_gra's own statistics, which the training lowers: to be seen beside, since
            a photo made gray is nearer by it than a drawing
content     mean |F(p) - F(G(p))|; 1 is that of two different photos
edges       correlation of gradients with the photo's
colour      mean ΔE00 to the photo
saturation  mean chroma over the photo's
contrast    deviation of lightness over the photo's
cast        how far the mean a* and b* of all photos moved together
sharpness   steepness of edges over that of the style
flatness    share of the pixels without texture over that of the style
artefacts   noise and checkerboards, levels more than in the photo
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from animegan.checkpoint import Header, read, write
from animegan.data import Sets
from animegan.errors import CheckpointError, TrainingError
from animegan.losses import gram_matrix
from animegan.measures import Interval, Measures, interval
from animegan.measures.artefacts import artefacts
from animegan.measures.classifier import Classifier, train_classifier
from animegan.measures.colour import compare_colours
from animegan.measures.content import edge_agreement
from animegan.measures.gram import Grams, gram_distance
from animegan.measures.interval import Statistic
from animegan.measures.kernel import kernel_distance
from animegan.measures.lines import flatness, sharpness
from animegan.models.vgg import VGGFeatures
from animegan.tensors import to_tensor
from animeprep.boxes import Picture
from animeprep.errors import PictureError
from animeprep.files import sha256
from animeprep.images import read_rgb, scale_short_side, to_gray

FILE = "judge.safetensors"
#: Short side at which pictures are measured, and at which F looks at them.
SIDE, _FEATURE_SIDE = 256, 128
#: Photos and style pictures that are measured on, and those of each that are learned from, at most.
PHOTOS, _STYLES, _LEARNED = 16, 48, 256
#: Changes with the way the classifier is trained.
_VERSION = "1"
#: One of so many is held back where no pictures were held out.
_HELD_BACK = 10


#: What each measure says, for people.
MEANINGS = {
    "style": "distance to the style: 0 none, 1 that of photos",
    "gram": "the same by the training's own statistics",
    "content": "change of features: 1 that to another photo",
    "edges": "agreement of edges with the photo: 1 all",
    "colour": "mean ΔE00 to the photo",
    "saturation": "over the photo's",
    "contrast": "of lightness, over the photo's",
    "cast": "common shift of a* and b*",
    "sharpness": "of edges, over the style's",
    "flatness": "share without texture, over the style's",
    "artefacts": "noise, levels more than the photo",
}


class Judge:
    """Measures paintings of held-out photos.

    Args:
        sets: `val` and `style_val` are measured on; without them a tenth of `photo` and `style` is,
            from which the classifier then does not learn.
        features: F, on `device`.
        device: where F computes; the classifier stays on the CPU.
        folder: where the classifier is kept as `judge.safetensors`; it is trained where there is
            none, or one for other pictures.
        most: photos that are measured, at most.

    Attributes:
        photos: what paintings are compared with: uint8 RGB, short side 256.
        style: the style pictures that they are compared with, likewise, at most 48.
        problems: one line for each picture that could not be read and was passed over.

    Raises:
        TrainingError: there is no picture that can be read.
        OutputError: the classifier cannot be written.
    """

    def __init__(
        self,
        sets: Sets,
        features: VGGFeatures,
        device: torch.device,
        folder: Path,
        most: int = PHOTOS,
    ) -> None:
        self.problems: list[str] = []
        photos, learned_photos = hold_back(sets.photo, sets.val)
        style, learned_style = hold_back([anime for anime, _ in sets.style], sets.style_val)
        self.photos = self._read("photos", spread(photos, most))
        self.style = self._read("style pictures", spread(style, _STYLES))
        self._features, self._device = features, device
        self._classifier = self._load_classifier(
            folder / FILE, spread(learned_style, _LEARNED), spread(learned_photos, _LEARNED)
        )
        self._style_patches = [self._classifier.features(picture) for picture in self.style]
        self._style_grams = np.concatenate([self._gram(picture) for picture in self.style])
        self._seen = [self._see(photo) for photo in self.photos]
        self._sharpness = float(np.mean([sharpness(picture) for picture in self.style]))
        self._flatness = float(np.mean([flatness(picture) for picture in self.style]))
        self._photo_style = _once(self._style_distance(self.photos), len(self.photos))
        self._photo_gram = _once(
            gram_distance(_grams(self._seen), self._style_grams), len(self.photos)
        )
        self._unlike = _unlike(self._seen)

    def measure(self, painted: Sequence[Picture]) -> Measures:
        """Measure paintings of `photos`.

        Args:
            painted: one for each of `photos` in order, uint8 RGB of its size.

        Returns:
            The measures of the table above, each with its 95 % interval over the photos.
        """
        pairs = list(zip(self.photos, painted, strict=True))
        seen = [self._see(picture) for picture in painted]
        style = self._style_distance(painted)
        gram = gram_distance(_grams(seen), self._style_grams)
        measures = {
            "style": _over(style, self._photo_style, len(painted)),
            "gram": _over(gram, self._photo_gram, len(painted)),
            "content": interval.mean(
                [_apart(*both) / self._unlike for both in zip(self._seen, seen, strict=True)]
            ),
            "edges": interval.mean([edge_agreement(*pair) for pair in pairs]),
        }
        added = [artefacts(painting) - artefacts(photo) for photo, painting in pairs]
        measures |= self._colours(pairs) | self._drawn(painted)
        return measures | {"artefacts": interval.mean(added)}

    def measure_style(self) -> Measures:
        """The style pictures themselves, one half of them measured against the other.

        Returns:
            Those measures that need no photo.
        """
        half = max(1, len(self.style) // 2)
        style = kernel_distance(self._style_patches[:half], self._style_patches[-half:])
        gram = gram_distance(self._style_grams[:half], self._style_grams[-half:])
        return {
            "style": _over(style, self._photo_style, half),
            "gram": _over(gram, self._photo_gram, half),
            **self._drawn(self.style),
        }

    def _style_distance(self, pictures: Sequence[Picture]) -> Statistic:
        patches = [self._classifier.features(picture) for picture in pictures]
        return kernel_distance(patches, self._style_patches)

    def _colours(self, pairs: Sequence[tuple[Picture, Picture]]) -> Measures:
        found = [compare_colours(*pair) for pair in pairs]
        shifts = np.array([one.shift for one in found])
        return {
            "colour": interval.mean([one.difference for one in found]),
            "saturation": interval.ratio(
                [one.chroma for one in found], [one.photo_chroma for one in found]
            ),
            "contrast": interval.ratio(
                [one.contrast for one in found], [one.photo_contrast for one in found]
            ),
            "cast": interval.bootstrap(
                len(found), lambda times: np.hypot(*(times @ shifts).T) / times.sum(1)
            ),
        }

    def _drawn(self, pictures: Sequence[Picture]) -> Measures:
        sharp = [sharpness(picture) / max(self._sharpness, 1e-6) for picture in pictures]
        flat = [flatness(picture) / max(self._flatness, 1e-6) for picture in pictures]
        return {"sharpness": interval.mean(sharp), "flatness": interval.mean(flat)}

    def _read(self, what: str, paths: Sequence[Path]) -> list[Picture]:
        """Read pictures at the size they are measured at; broken ones are passed over."""
        pictures = []
        for path in paths:
            try:
                pictures.append(scale_short_side(read_rgb(path), SIDE))
            except PictureError as error:
                self.problems.append(str(error))
        if not pictures:
            raise TrainingError(what, "there are none that can be read", "add some to measure with")
        return pictures

    def _load_classifier(
        self, file: Path, style: Sequence[Path], photos: Sequence[Path]
    ) -> Classifier:
        """The classifier for these pictures: the one that is kept, or a new one."""
        names = "".join(f"{path.name} {path.stat().st_size}\n" for path in (*style, *photos))
        key = f"{_VERSION} {len(style)}\n{names}".encode(errors="surrogateescape")
        pictures = sha256(key)[:12]
        classifier = Classifier()
        try:
            tensors, header = read(file)
            if header.recipe.get("pictures") == pictures:
                classifier.load_state_dict(tensors)
                return classifier.eval()
        except (CheckpointError, RuntimeError):
            pass  # there is none yet, or a broken one: it is made again
        classifier = train_classifier(
            self._read("style pictures", style), self._read("photos", photos)
        )
        write(file, classifier.state_dict(), Header("judge", "", 0, {"pictures": pictures}))
        return classifier

    @torch.inference_mode()
    def _see(self, picture: Picture) -> Tensor:
        """F's responses, 1×512×H×W."""
        small = to_tensor(scale_short_side(picture, _FEATURE_SIDE))
        seen: Tensor = self._features(small.to(self._device))
        return seen

    def _gram(self, picture: Picture) -> Grams:
        """The Gram matrix of the gray picture, as L_gra takes it of the style: 1×512×512."""
        gray = np.repeat(to_gray(picture)[..., None], 3, axis=2)
        return _grams([self._see(gray)])


def hold_back(pictures: list[Path], held_out: list[Path]) -> tuple[list[Path], list[Path]]:
    """What to measure on, and what to learn from.

    Where nothing was held out, every tenth picture is, the first one too; a single picture is both.

    >>> first, rest = hold_back([Path(name) for name in "abcd"], [])
    >>> [path.name for path in first], [path.name for path in rest]
    (['a'], ['b', 'c', 'd'])
    """
    if held_out:
        return held_out, pictures
    rest = [path for number, path in enumerate(pictures) if number % _HELD_BACK]
    return pictures[::_HELD_BACK], rest or pictures


def spread(pictures: Sequence[Path], most: int) -> list[Path]:
    """At most so many of them, from the first to the last.

    >>> [path.name for path in spread([Path(name) for name in "abcde"], 2)]
    ['a', 'c']
    """
    if len(pictures) <= most:
        return list(pictures)
    return [pictures[number * len(pictures) // most] for number in range(most)]


def _once(distance: Statistic, pictures: int) -> float:
    """A distance with every picture counted once; never so small that nothing is near it."""
    return max(float(distance(np.ones((1, pictures)))[0]), 1e-6)


def _over(distance: Statistic, photos: float, pictures: int) -> Interval:
    """A distance over that of the photos themselves."""
    return interval.bootstrap(pictures, lambda times: distance(times) / photos)


def _grams(seen: Sequence[Tensor]) -> Grams:
    return np.concatenate([gram_matrix(one).cpu().numpy() for one in seen])


def _apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().mean())


def _unlike(seen: Sequence[Tensor]) -> float:
    """Mean |F(p) - F(p')| of neighbouring photos, where both have pixels; 1 where there is one."""
    apart = []
    for one, other in pairwise(seen):
        height, width = (min(pair) for pair in zip(one.shape[2:], other.shape[2:], strict=True))
        apart.append(_apart(one[..., :height, :width], other[..., :height, :width]))
    return float(np.mean(apart)) if apart else 1.0
