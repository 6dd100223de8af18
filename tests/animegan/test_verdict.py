import pytest

from animegan.recipes import Recipe
from animegan.verdict import NO_STYLE, alarms, broken, choose

_GOOD = {
    "content": 0.4,
    "edges": 0.8,
    "colour": 6,
    "saturation": 1,
    "contrast": 1,
    "cast": 2,
    "artefacts": 0,
}


def _line(step, style, *, spread=0.04, **measures):
    values = _GOOD | measures
    return {
        "step": step,
        "measures": {
            "style": [style, style - spread, style + spread],
            **{name: [value, value, value] for name, value in values.items()},
        },
    }


def test_the_nearest_to_the_style_is_chosen():
    lines = [_line(1, 0.9), _line(2, 0.3, content=0.6), _line(3, 0.6)]
    choice = choose(lines)
    assert choice.step == 2
    assert choice.why.startswith("nearest to the style of 3 checkpoints")
    assert alarms(lines[:2]) == []


def test_one_line_is_an_answer():
    assert choose([_line(7, 0.9)]).step == 7
    assert choose([_line(7, 0.9)]).why.startswith("the only one measured")
    assert choose([{"step": 3, "measures": {}}]).step == 3


def test_a_gray_collapse_is_not_chosen_however_near_it_is():
    lines = [_line(1, 0.8), _line(2, 0.5), _line(3, 0.1, saturation=0.3)]
    assert choose(lines).step == 2
    assert "1 of 3 were out of bounds" in choose(lines).why
    (alarm,) = alarms(lines)
    assert "lost 70 % of the photo's saturation: raise --chroma" in alarm


def test_checkpoints_that_cannot_be_told_apart_go_to_the_photo():
    lines = [
        _line(1, 0.50, spread=0.2, content=0.3),
        _line(2, 0.22, spread=0.2, content=0.4),
        _line(3, 0.20, spread=0.2, content=0.7),
        _line(4, 0.25, spread=0.2, content=0.4),
    ]
    choice = choose(lines)
    assert choice.step == 2
    assert choice.why.startswith("of 3 checkpoints as near to the style as can be told")


def test_lines_and_areas_of_the_style_outweigh_a_little_content():
    lines = [
        _line(1, 0.43, spread=0.1, content=0.48, sharpness=0.93, flatness=0.78),
        _line(2, 0.42, spread=0.1, content=0.51, sharpness=1.01, flatness=1.02),
        _line(3, 0.41, spread=0.1, content=0.50, sharpness=1.30, flatness=1.40),
    ]
    assert choose(lines).step == 2


def test_where_all_are_spoilt_the_least_spoilt_is_chosen_and_said_to_be():
    lines = [_line(1, 0.2, saturation=0.2, contrast=0.3), _line(2, 0.6, contrast=0.3)]
    choice = choose(lines)
    assert choice.step == 2
    assert "none stays within bounds" in choice.why
    assert "contrast" in choice.why


@pytest.mark.parametrize(
    ("measure", "value", "words"),
    [
        ("saturation", 2.5, "150 % more saturated"),
        ("contrast", 0.4, "washed out"),
        ("contrast", 2.0, "more contrast"),
        ("colour", 30, "off by ΔE 30"),
        ("cast", 20, "the same cast"),
        ("edges", 0.1, "edges are lost"),
        ("content", 1.1, "110 % as unlike"),
        ("artefacts", 9, "9 levels"),
    ],
)
def test_each_collapse_has_its_alarm_with_advice(measure, value, words):
    line = _line(5, 0.4, **{measure: value})
    assert broken(line) == [measure]
    (alarm,) = alarms([_line(1, 0.5), line])
    assert words in alarm
    options = [word.strip(",:;") for word in alarm.split() if word.startswith("--")]
    assert options
    assert all(option[2:].replace("-", "_") in Recipe.model_fields for option in options)


def test_a_fading_style_is_told_after_two_lines_and_the_best_stays():
    lines = [_line(1, 0.8), _line(2, 0.2), _line(3, 0.5)]
    assert alarms(lines) == []
    lines.append(_line(4, 0.6))
    (alarm,) = alarms(lines)
    assert "fading" in alarm
    assert "0.20 at step 2" in alarm
    assert choose(lines).step == 2


def test_noise_within_the_interval_is_no_fading():
    values = [0.8, 0.3, 0.4, 0.35, 0.42, 0.38]
    lines = [_line(step, value, spread=0.15) for step, value in enumerate(values, 1)]
    assert alarms(lines) == []


def test_what_never_came_does_not_fade():
    values = [1.2, 1.02, 1.05, 1.05]
    assert alarms([_line(step, value, spread=0.01) for step, value in enumerate(values)]) == []


def test_a_style_that_never_comes_is_told():
    lines = [_line(step, 1.0) for step in range(1, 5)]
    assert alarms(lines) == []
    (alarm,) = alarms([*lines, _line(5, 0.98)])
    assert "do not come nearer to the style" in alarm


def test_no_line_has_no_alarm():
    assert alarms([]) == []
    assert alarms([{"step": 1, "measures": {}}]) == []


def test_of_two_the_only_one_within_bounds_is_called_so():
    lines = [_line(1, 0.2, saturation=0.1), _line(2, 0.9)]
    assert choose(lines).why.startswith("the only one within bounds: style distance 0.90")
    lines = [_line(1, 0.2, saturation=0.1, contrast=0.1), _line(2, 0.9, contrast=0.1)]
    assert choose(lines).why.startswith("the least spoilt: ")


def test_without_a_style_the_last_within_bounds_is_chosen_and_it_is_told():
    lines = [_line(1, 0), _line(2, 0), _line(3, 0, saturation=0.1)]
    for line in lines:
        del line["measures"]["style"]
    choice = choose(lines)
    assert choice.step == 2
    assert choice.why.startswith("the last of 2 checkpoints: style not measured")
    assert alarms(lines[:2]) == [NO_STYLE]
