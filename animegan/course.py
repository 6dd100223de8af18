"""What a run learns and how it is shown, as the loop and its books see it.

Photos and faces are a course each; saving, going back, stopping and going on are the same for both.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from animegan.learner import Learner, Terms
from animegan.plan import Plan
from animegan.run import Line
from animegan.verdict import Choice
from animeprep.boxes import Picture

B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)


@dataclass(frozen=True)
class Standing:
    """How far a run is.

    Attributes:
        step: steps done.
        length: of the run.
        choice: the best step, if one is chosen already.
        alarms: one sentence each.
        problems: one line for each broken file.
    """

    step: int
    length: Plan
    choice: Choice | None = None
    alarms: Sequence[str] = ()
    problems: Sequence[str] = ()

    @property
    def best(self) -> int | None:
        """The chosen step."""
        return self.choice.step if self.choice else None


@dataclass(frozen=True)
class Look:
    """What a generator was seen to do.

    Attributes:
        measures: name → value and its 95 % interval.
        sheet: pictures of it, uint8 RGB H×W×3.
    """

    measures: dict[str, list[float]]
    sheet: Picture


class Stream(Protocol[B_co]):
    """Batches in order, for the steps of a run."""

    @property
    def waited(self) -> float:
        """Seconds that steps waited for pictures."""

    @property
    def problems(self) -> Sequence[str]:
        """One line for each broken file that was met."""

    def __next__(self) -> B_co:
        """The next step's batch."""


class Exhibit(ABC):
    """What is looked at when a run is saved.

    Attributes:
        problems: one line for each file that cannot be used for it.
    """

    problems: Sequence[str] = ()

    @abstractmethod
    def look(self, step: int) -> Look:
        """Measure the generator that is kept and write samples of it.

        Raises:
            OutputError: a file cannot be written.
        """

    @abstractmethod
    def choose(self, lines: Sequence[Line]) -> Choice:
        """The best step of lines of `metrics.jsonl`, at least one."""

    @abstractmethod
    def alarms(self, lines: Sequence[Line]) -> list[str]:
        """What is wrong at the last of the lines, a sentence each."""


class Course(ABC, Generic[B]):
    """What a run learns, from batches of some kind."""

    @property
    @abstractmethod
    def trainer(self) -> Learner:
        """What learns."""

    @abstractmethod
    def fingerprint(self) -> str:
        """12 hex digits over all that is learned from."""

    @abstractmethod
    def batches(self) -> AbstractContextManager[Stream[B]]:
        """The batches from where the trainer stands."""

    @abstractmethod
    def learn(self, batch: B, length: Plan) -> Terms:
        """One step."""

    @abstractmethod
    def exhibit(self, run: Path) -> Exhibit:
        """What is looked at when the run is saved."""

    @abstractmethod
    def write_page(self, run: Path, standing: Standing) -> None:
        """Write the run's page.

        Raises:
            OutputError: it cannot be written.
        """
