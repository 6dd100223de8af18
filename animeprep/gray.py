"""The grayscale sets x = gray(a) and y = gray(e). Verb: gray.

AnimeGAN takes the style's texture from gray pictures, so that its colours do not come along, and
shows the discriminator gray pictures as a class of their own.
Source: AnimeGAN (ISICA 2019), section 2.2.
"""

from animeprep.dataset import GRAY, SMOOTH, SMOOTH_GRAY, STYLE, Dataset, made_name
from animeprep.folders import Made, Summary, run_stage
from animeprep.images import to_gray

STAGE = "gray"
_FOLDER = {STYLE: GRAY, SMOOTH: SMOOTH_GRAY}


def gray_name(source: str) -> str:
    """Where the gray picture of a style or smooth picture belongs.

    >>> gray_name("style/a.png"), gray_name("smooth/a.png")
    ('gray/a.png', 'smooth_gray/a.png')
    """
    return made_name(_FOLDER[source.split("/", maxsplit=1)[0]], source)


def gray(dataset: Dataset, *, dry_run: bool = False) -> Summary:
    """Write the gray pictures of `style/` and `smooth/`.

    Raises:
        DatasetError: one of the two sets is missing.
        OutputError: a picture cannot be written.
    """
    return run_stage(
        dataset,
        STAGE,
        dataset.pictures(STYLE) + dataset.pictures(SMOOTH),
        lambda name, picture: [Made(gray_name(name), to_gray(picture))],
        lambda _: "",
        dry_run=dry_run,
    )
