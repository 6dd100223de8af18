import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, threading, torch
from animegan.memory import keep_freed_memory, share_one_heap
if "keep" in sys.argv:
    keep_freed_memory()
if "one heap" in sys.argv:
    share_one_heap()

def work():
    torch.zeros(64, 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(64, 2**18)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

if "thread" in sys.argv:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
else:
    work()
"""


def faults(*modes):
    command = [sys.executable, "-c", FAULTS, *modes]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone is tuned")
@pytest.mark.slow
def test_freed_memory_is_not_asked_for_again():
    # Ten tensors of 64 MiB, each freed before the next. Three tries: the kernel of a busy machine
    # may take pages back meanwhile.
    assert any(faults("keep") < faults() / 2 for _ in range(3))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone is tuned")
@pytest.mark.slow
def test_nor_in_another_thread():
    assert any(
        faults("keep", "one heap", "thread") < faults("keep", "thread") / 2 for _ in range(3)
    )
