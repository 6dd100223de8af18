"""Two generators of one network into one, by mixing their weights.

Works where both were trained from the same beginning, the built-in initialisation say: then what
lies between them paints between them.

Source: Izmailov et al., "Averaging weights leads to wider optima" (UAI 2018), for the mean.
"""

from pathlib import Path

import torch

from animegan.checkpoint import Header, load_generator, write
from animegan.errors import CheckpointError


def blend(first: Path, second: Path, share: float, out: Path) -> Header:
    """Write (1 - share) · first + share · second.

    Args:
        first: a generator file.
        second: another, of the same network.
        share: of the second, 0 to 1; beyond, what sets them apart is exaggerated.
        out: the file.

    Returns:
        What the written file says of itself.

    Raises:
        CheckpointError: a file cannot be used, or they are of different networks.
        OutputError: the file cannot be written.
    """
    (one, header), (other, theirs) = (load_generator(path) for path in (first, second))
    if header.generator != theirs.generator:
        raise CheckpointError(
            second, f"is {theirs.generator}, {first} is {header.generator}", "name two of a kind"
        )
    added = other.state_dict()
    with torch.no_grad():
        mixed = {name: value.lerp(added[name], share) for name, value in one.state_dict().items()}
    recipe = {"blend": [first.name, second.name], "share": share}
    done = Header("generator", header.generator, max(header.step, theirs.step), recipe)
    write(out, mixed, done)
    return done
