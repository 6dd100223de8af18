"""The judge: measures paintings against held-out photos and held-out style pictures.

style       kernel distance to the style, on features that the training never saw; 1 is the distance
            of the photos themselves, 0 none; left out where the photos have none
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

Pictures are measured at a short side of 256 at most, and are never scaled up: a picture that was
is soft, and a classifier that learns from soft pictures takes each sharp one for neither photo nor
anime. Then a blurred photo comes out twice as far from the style as the photo, a cartoon farther.
"""

from collections.abc import Sequence
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
from animegan.measures.classifier import PATCH, Classifier, train_classifier
from animegan.measures.colour import colour_measures
from animegan.measures.content import apart, edge_agreement, unlike
from animegan.measures.gram import Grams, gram_distance
from animegan.measures.interval import Statistic
from animegan.measures.kernel import kernel_distance
from animegan.measures.lines import flatness, sharpness
from animegan.models.vgg import VGGFeatures
from animegan.tensors import to_tensor
from animeprep.boxes import Box, Picture
from animeprep.errors import PictureError
from animeprep.files import sha256
from animeprep.images import read_rgb, resize, scale_short_side, to_gray

FILE = "judge.safetensors"
#: Short side at which pictures are measured, at most, and at which F looks at them.
SIDE, _FEATURE_SIDE = 256, 128
#: Photos and style pictures that are measured on, and those of each that are learned from, at most.
PHOTOS, _STYLES, _LEARNED = 16, 48, 256
#: The long side over the short one, at most: more is cut off.
_LONGEST = 2
#: Distances, steepness and shares below these are none, and nothing is divided by them.
_LEAST_STYLE, _LEAST_GRAM, _LEAST_SHARPNESS, _LEAST_FLATNESS = 0.05, 1e-2, 0.1, 0.01
#: Changes with the way the classifier is trained.
_VERSION = "2"
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
        photos: what paintings are compared with, as `as_measured` cuts and scales them.
        style: the style pictures that they are compared with, likewise, at most 48.
        tells_style: whether the photos are farther from the style than chance; where they are not,
            `style` is not measured.
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
        # Few held-out photos may be alike; those that are learned from are there always.
        more = self._read_whole(spread(learned_photos, max(0, PHOTOS - len(self.photos))))
        self._unlike = unlike(self._seen + [self._see(photo) for photo in more])
        self._sharpness = float(np.mean([sharpness(picture) for picture in self.style]))
        self._flatness = float(np.mean([flatness(picture) for picture in self.style]))
        count = len(self.photos)
        far = interval.bootstrap(count, self._style_distance(self.photos))
        self.tells_style = far.low > 0 and far.value > _LEAST_STYLE
        self._photo_style = far.value
        gram = gram_distance(_grams(self._seen), self._style_grams)(np.ones((1, count)))
        self._photo_gram = max(
            float(gram[0]), _LEAST_GRAM * float(np.abs(self._style_grams).mean())
        )

    def measure(self, painted: Sequence[Picture]) -> Measures:
        """Measure paintings of `photos`.

        Args:
            painted: one for each of `photos` in order, uint8 RGB; scaled where the size differs.

        Returns:
            The measures of the table above, each with its 95 % interval over the photos.
        """
        sized = [resize(picture, photo.shape[1], photo.shape[0])
                 for photo, picture in zip(self.photos, painted, strict=True)]  # fmt: skip
        pairs = list(zip(self.photos, sized, strict=True))
        seen = [self._see(picture) for picture in sized]
        change = [apart(*both) / self._unlike for both in zip(self._seen, seen, strict=True)]
        added = [artefacts(painting) - artefacts(photo) for photo, painting in pairs]
        gram = gram_distance(_grams(seen), self._style_grams)
        measures = {
            **self._style(self._style_distance(sized), len(sized)),
            "gram": _over(gram, self._photo_gram, len(sized)),
            "content": interval.mean(change),
            "edges": interval.mean([edge_agreement(*pair) for pair in pairs]),
        }
        measures |= colour_measures(pairs) | self._drawn(sized)
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
            **self._style(style, half),
            "gram": _over(gram, self._photo_gram, half),
            **self._drawn(self.style),
        }

    def _style_distance(self, pictures: Sequence[Picture]) -> Statistic:
        patches = [self._classifier.features(picture) for picture in pictures]
        return kernel_distance(patches, self._style_patches)

    def _style(self, distance: Statistic, pictures: int) -> Measures:
        """`style` where it can be told, over the distance of the photos."""
        if not self.tells_style:
            return {}
        return {"style": _over(distance, self._photo_style, pictures)}

    def _drawn(self, pictures: Sequence[Picture]) -> Measures:
        sharp = [
            sharpness(picture) / max(self._sharpness, _LEAST_SHARPNESS) for picture in pictures
        ]
        flat = [flatness(picture) / max(self._flatness, _LEAST_FLATNESS) for picture in pictures]
        return {"sharpness": interval.mean(sharp), "flatness": interval.mean(flat)}

    def _read(self, what: str, paths: Sequence[Path]) -> list[Picture]:
        """Read pictures as they are measured; broken ones are passed over."""
        pictures = self._read_whole(paths)
        if not pictures:
            raise TrainingError(what, "there are none that can be read", "add some to measure with")
        return pictures

    def _read_whole(self, paths: Sequence[Path]) -> list[Picture]:
        """Those that are not broken; each broken one is named once."""
        pictures = []
        for path in paths:
            try:
                pictures.append(as_measured(read_rgb(path)))
            except PictureError as error:
                if str(error) not in self.problems:
                    self.problems.append(str(error))
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


def as_measured(picture: Picture) -> Picture:
    """What is measured of a picture: at most twice as long as high, or high as long; at what size.

    Args:
        picture: uint8 RGB H×W×3.

    Returns:
        Its middle; a short side above 256 is scaled down to it, one below 64 up to that.

    >>> [as_measured(np.zeros((height, 2000, 3), np.uint8)).shape for height in (4, 100, 1500)]
    [(64, 128, 3), (100, 200, 3), (256, 341, 3)]
    """
    height, width = picture.shape[:2]
    tall, long = min(height, _LONGEST * width), min(width, _LONGEST * height)
    part = Box((height - tall) // 2, (width - long) // 2, tall, long).cut(picture)
    return scale_short_side(part, min(max(tall, PATCH), max(long, PATCH), SIDE))


def _over(distance: Statistic, photos: float, pictures: int) -> Interval:
    """A distance over that of the photos themselves."""
    return interval.bootstrap(pictures, lambda times: distance(times) / photos)


def _grams(seen: Sequence[Tensor]) -> Grams:
    return np.concatenate([gram_matrix(one).cpu().numpy() for one in seen])
