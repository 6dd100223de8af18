"""What a user may ask for."""

from dataclasses import dataclass
from typing import Literal

Backend = Literal["auto", "torch", "onnxruntime", "openvino"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Wish:
    """What is to compute, and how finely.

    Attributes:
        backend: the library; auto: whichever has painted all soonest.
        precision: of features and weights; the norms' statistics are taken in float32 always.
    """

    backend: Backend = "auto"
    precision: Precision = "auto"
