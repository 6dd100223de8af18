import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, torch
from animegan.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
torch.zeros(64, 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(64, 2**18)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode):
    command = [sys.executable, "-c", FAULTS, mode]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone is tuned")
def test_freed_memory_is_not_asked_for_again():
    # Ten tensors of 64 MiB, each freed before the next. Three tries: the kernel of a busy machine
    # may take pages back meanwhile.
    assert any(faults("keep") < faults("free") / 2 for _ in range(3))
