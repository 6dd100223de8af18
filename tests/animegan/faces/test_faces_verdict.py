"""The best step of faces, and alarms, on lines whose answer is known."""

from animegan.faces.verdict import alarms, choose

SHARES = {"hair": 0.1, "eyes": 0.2}


def line(step, **measures):
    values = {"hair": 0.6, "eyes": 0.5, "distance": 1.0, "diversity": 0.9, **measures}
    return {"step": step, "measures": {name: [v, v - 0.1, v + 0.1] for name, v in values.items()}}


def test_the_least_distance_is_chosen_and_told():
    found = choose([line(0, distance=3), line(5, distance=0.5, hair=0.7), line(9, distance=0.8)])
    assert found.step == 5
    assert found.why == (
        "joint distance 0.5 to real faces with their words, the least of 3 checkpoints; "
        "hair 70% and eyes 50% right"
    )


def test_of_equals_the_first_is_chosen():
    assert choose([line(0), line(5)]).step == 0


def test_without_measures_the_last_is_chosen():
    assert choose([{"step": 3, "measures": {}}, {"step": 6, "measures": {}}]).step == 6


def test_good_faces_raise_no_alarm():
    assert alarms([line(step) for step in range(9)], SHARES) == []


def test_alike_faces_and_unheeded_words_are_told():
    lines = [line(step) for step in range(4)] + [line(4, diversity=0.3, hair=0.15, eyes=0.45)]
    alike, hair = alarms(lines, SHARES)
    assert alike.startswith("faces of the same words are alike (diversity 0.30 of 1)")
    assert hair == "the colour of hair does not follow the words (15% right): raise --hair"


def test_the_first_lines_are_too_early_for_alarms():
    assert alarms([line(step, hair=0.0) for step in range(4)], SHARES) == []
    assert alarms([{"step": step, "measures": {}} for step in range(9)], SHARES) == []
