import pytest
import torch

from animegan import state
from animegan.checkpoint import read_header
from animegan.errors import TrainingError
from animegan.run import read_lines
from animegan.trainer import Trainer


@pytest.fixture
def explode(monkeypatch):
    """Makes a term of the step not finite, as long as learning rates are above a bound."""
    original = Trainer.step

    def at(step, *, above):
        def explosive(self, batch, progress):
            terms = original(self, batch, progress)
            if self.step_done == step and self.rate_factor > above:
                with torch.no_grad():
                    self.generator[0].weight.fill_(float("nan"))
                terms["gram"] = float("nan")
            return terms

        monkeypatch.setattr(Trainer, "step", explosive)

    return at


def test_not_a_number_rolls_back_to_lower_learning_rates(tmp_path, train, explode, steps_of):
    explode(5, above=0.3)
    outcome, told = train("run", 6)
    run = tmp_path / "run"
    back = "step 5: gram is not a number any more: back to step 4, learning rates × "
    assert [line for line in told if "back" in line] == [back + "0.5", back + "0.25"]
    assert steps_of(run / "log.jsonl") == [1, 2, 3, 4, 4, 4, 5, 6]
    events = [line for line in read_lines(run / "log.jsonl") if "problem" in line]
    assert events == [
        {"step": 4, "rate_factor": rate, "problem": "step 5: gram is not a number any more"}
        for rate in (0.5, 0.25)
    ]
    assert "Rolled back" in (run / "index.html").read_text()
    assert outcome.made == 6


def test_rolling_back_lowers_the_rates_of_both_networks(
    tmp_path, train, explode, monkeypatch, recipe
):
    explode(1, above=0.5)
    rates = []
    step = Trainer.step

    def watched(self, batch, progress):
        terms = step(self, batch, progress)
        rates.append([adam.param_groups[0]["lr"] for adam in (self.adam_g, self.adam_d)])
        return terms

    monkeypatch.setattr(Trainer, "step", watched)
    train("run", 1)
    full = [recipe.generator_lr, recipe.discriminator_lr]
    assert rates == [pytest.approx(full), pytest.approx([rate / 2 for rate in full])]


def test_a_rolled_back_run_goes_on_to_the_same_bytes(train, same, explode):
    explode(3, above=0.5)
    train("whole", 6)
    train("parts", 2)
    train("parts", 4)
    train("parts", 6)
    same("whole", "parts")


def test_a_kill_between_rolling_back_and_saving_changes_nothing(
    tmp_path, train, same, explode, monkeypatch
):
    explode(3, above=0.5)
    train("whole", 4)
    save = state.save

    def killed(trainer, run, fingerprint):
        if trainer.rate_factor < 1:
            raise KeyboardInterrupt
        save(trainer, run, fingerprint)

    monkeypatch.setattr(state, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        train("killed", 4)
    monkeypatch.setattr(state, "save", save)
    train("killed", 4)
    same("whole", "killed")


def test_a_run_that_keeps_failing_stops_with_advice(tmp_path, train, explode):
    train("run", 2)
    saved = state.state_file(tmp_path / "run", 2)
    explode(4, above=0)
    with pytest.raises(TrainingError, match=r"even with learning rates × 0\.125; .*--clip 1"):
        train("run", 6)
    assert state.saved_steps(tmp_path / "run") == [0, 2]
    assert read_header(saved).step == 2


def test_weights_that_are_not_finite_are_never_saved(tmp_path, train, monkeypatch):
    original = Trainer.step

    def overflow(self, batch, progress):
        terms = original(self, batch, progress)
        if self.step_done == 4 and self.rate_factor == 1:
            with torch.no_grad():
                self.discriminator.bias.fill_(float("inf"))
        return terms

    monkeypatch.setattr(Trainer, "step", overflow)
    _, told = train("run", 4)
    assert "step 4: discriminator.bias is not a number any more: back to step 2" in told[1]
    assert state.saved_steps(tmp_path / "run") == [0, 2, 4]
