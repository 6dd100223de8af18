"""Several processes, one training: started by torchrun, they share each batch.

    torchrun --nproc-per-node 2 -m animeprep train …

Each process computes its slice of the batch; gradients are averaged by one all-reduce of all of
them laid end to end. That is simpler than torch's DistributedDataParallel and fits this training
better: D runs in both steps but learns in one, batches may come in parts, and checkpoints keep
their names. What DDP would hide, the 20 MB of one all-reduce, is small beside a step.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor
from torch import distributed as dist


def rank() -> int:
    """This process's number, from 0; 0 where it is alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes share a training; 1 where this one is alone."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this process is the one that writes files and tells."""
    return rank() == 0


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Join the other processes, if torchrun started this one, and part from them in the end.

    All but the first process say nothing on standard output meanwhile.

    Args:
        device: where to compute.

    Yields:
        The same device; of CUDA the GPU that torchrun assigned.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    cuda = device.type == "cuda"
    if cuda:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        with contextlib.ExitStack() as silence:
            if not is_main():
                nowhere = silence.enter_context(open(os.devnull, "w"))  # noqa: PTH123 - no path
                silence.enter_context(contextlib.redirect_stdout(nowhere))
            yield device
    finally:
        dist.destroy_process_group()


def average(tensors: Iterable[Tensor | None]) -> None:
    """Replace each tensor by its mean over all processes, in place; None is passed over."""
    if world() == 1:
        return
    present = [tensor for tensor in tensors if tensor is not None]
    flat = torch.cat([tensor.reshape(-1) for tensor in present])
    dist.all_reduce(flat)
    flat /= world()
    for tensor, mean in zip(present, flat.split([t.numel() for t in present]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def any_process(*, raised: bool, device: torch.device) -> bool:
    """Whether the flag is up in any process: the answer is the same in all.

    So that all stop at the same step, after Ctrl-C say.
    """
    if world() == 1:
        return raised
    flag = torch.tensor(float(raised), device=device)
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag.item())


def gathered(lines: Sequence[str]) -> list[str]:
    """The lines of all processes, each once, ordered: the answer is the same in all."""
    everyone: list[Sequence[str]] = [lines] * world()
    if world() > 1:
        dist.all_gather_object(everyone, list(lines))
    return sorted({line for theirs in everyone for line in theirs})
