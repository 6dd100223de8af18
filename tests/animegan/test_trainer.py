import math
import weakref
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from animegan import checkpoint, losses
from animegan.data import Batch
from animegan.errors import TrainingError
from animegan.features import load_features
from animegan.models import DISCRIMINATORS, GENERATORS
from animegan.recipes import METHODS, make_recipe
from animegan.trainer import Trainer

CPU = torch.device("cpu")
SMALL = {"init": "scratch", "size": 32, "batch": 2, "seed": 3, "features": "vgg19"}
#: All that is random or otherwise special within a step.
EXTRAS = {"diffaugment": True, "stability": 1.0, "label_smoothing": 0.1, "late_fake": 3.0,
          "clip": 5.0, "ema": 0.9, "tv": 1.0, "training_rate": 2}  # fmt: skip


@pytest.fixture(scope="module")
def vgg():
    return load_features("vgg16")


def conv(channels_in, channels_out, stride=1):
    return nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)


class TinyGenerator(nn.Sequential):
    def __init__(self):
        super().__init__(
            conv(3, 8), nn.GroupNorm(8, 8), nn.LeakyReLU(0.2, inplace=True), conv(8, 3), nn.Tanh()
        )


class TinyDiscriminator(nn.Sequential):
    def __init__(self):
        super().__init__(
            spectral_norm(conv(3, 8, 2)), nn.GroupNorm(8, 8), nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(conv(8, 1, 2)),
        )  # fmt: skip


@pytest.fixture
def features(monkeypatch):
    """A small F; small G and D stand in for all methods', for tests of what surrounds them."""
    for method in ("animegan", "animeganv2", "animeganv2-lite", "cartoongan"):
        monkeypatch.setitem(GENERATORS, method, TinyGenerator)
        monkeypatch.setitem(DISCRIMINATORS, method, TinyDiscriminator)
    rng = torch.Generator().manual_seed(0)
    network = nn.Sequential(conv(3, 16, 2), nn.ReLU(), conv(16, 32, 2))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=2, generator=rng)
    return network.requires_grad_(requires_grad=False)


def small(method="animegan", **given):
    return make_recipe(method, given={**SMALL, **given})


def make_batch(recipe, seed=0, dtype=torch.float32):
    """Smooth random pictures: truly gray ones where the recipe says so."""
    rng = torch.Generator().manual_seed(seed)
    shape = (4, recipe.batch, 3, recipe.size // 4, recipe.size // 4)
    coarse = torch.rand(shape, generator=rng, dtype=dtype) * 2 - 1
    photo, anime, gray, smooth = (
        nn.functional.interpolate(one, scale_factor=4.0, mode="bilinear") for one in coarse
    )
    gray = gray.mean(1, keepdim=True).repeat(1, 3, 1, 1)
    if recipe.smooth_set == "gray":
        smooth = smooth.mean(1, keepdim=True).repeat(1, 3, 1, 1)
    needed = recipe.gray or recipe.gram
    return Batch(photo, anime, gray if needed else None, smooth)


def double(recipe, features):
    """A trainer in float64, in which sums of other orders differ by next to nothing."""
    trainer = Trainer(recipe, features, CPU)
    for network in trainer.networks().values():
        network.double()
    features.double()
    return trainer


def weights_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def gradients(network):
    return [p.grad for p in network.parameters()]


# What a step minimises


@pytest.mark.parametrize("method", METHODS)
def test_a_steps_losses_are_the_recipes_sums_of_their_terms(features, method):
    recipe = small(method, **EXTRAS)
    terms = Trainer(recipe, features, CPU).step(make_batch(recipe), progress=0.75)
    g, d = recipe.generator_weights(), recipe.discriminator_weights(0.75)
    assert set(terms) == {*g, *d, "g", "d"}
    assert terms["g"] == pytest.approx(sum(g[name] * terms[name] for name in g), rel=1e-5)
    assert terms["d"] == pytest.approx(sum(d[name] * terms[name] for name in d), rel=1e-5)


def test_animegans_sums_are_the_papers(features):
    recipe = small()
    t = Trainer(recipe, features, CPU).step(make_batch(recipe))
    l_d = 300 * (t["real"] + t["fake"] + t["gray"] + 0.1 * t["smooth"])
    l_g = 300 * t["adversarial"] + 1.5 * t["content"] + 3 * t["gram"] + 10 * t["colour"]
    assert t["d"] == pytest.approx(l_d, rel=1e-5)
    assert t["g"] == pytest.approx(l_g, rel=1e-5)


def test_animeganv2s_sums_are_the_authors(features):
    recipe = small("animeganv2")
    t = Trainer(recipe, features, CPU).step(make_batch(recipe))
    l_d = 300 * (1.2 * t["real"] + 1.2 * t["fake"] + 1.2 * t["gray"] + 0.8 * t["smooth"])
    l_g = (300 * t["adversarial"] + 1.5 * t["content"] + 2.5 * t["gram"] + 15 * t["colour"]
           + t["tv"])  # fmt: skip
    assert t["d"] == pytest.approx(l_d, rel=1e-5)
    assert t["g"] == pytest.approx(l_g, rel=1e-5)


def test_cartoongans_sums_are_the_papers(features):
    recipe = small("cartoongan")
    t = Trainer(recipe, features, CPU).step(make_batch(recipe))
    assert t["d"] == pytest.approx(t["real"] + t["fake"] + t["smooth"], rel=1e-5)
    assert t["g"] == pytest.approx(t["adversarial"] + 10 * t["content"], rel=1e-5)


def test_a_steps_terms_are_those_of_the_loss_functions(features):
    recipe = small(tv=1.0, chroma=2.0)
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    with torch.no_grad():
        painted = trainer.generator(batch.photo)
        expected = {
            "content": losses.content_loss(features(batch.photo), features(painted)),
            "gram": losses.style_loss(features(batch.gray), features(painted)),
            "colour": losses.colour_loss(batch.photo, painted, 2),
            "tv": losses.tv_loss(painted),
        }
    terms = trainer.step(batch)
    for name, value in expected.items():
        assert terms[name] == pytest.approx(float(value), rel=1e-3), name


def is_gray(pictures):
    return bool((pictures == pictures[:, :1]).all())


@pytest.mark.parametrize(
    ("method", "sets"),
    [
        ("animegan", ["anime", "painted", "gray", "smooth"]),
        ("animeganv2", ["anime", "painted", "gray", "smooth"]),
        ("cartoongan", ["anime", "painted", "smooth"]),
    ],
)
def test_what_the_discriminator_sees(features, method, sets):
    recipe = small(method)
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    seen = []
    trainer.discriminator.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    with torch.no_grad():
        painted = trainer.generator(batch.photo)
    trainer.step(batch)
    together, again = seen
    for name, part in zip(sets, together.chunk(len(sets)), strict=True):
        expected = painted if name == "painted" else getattr(batch, name)
        torch.testing.assert_close(part, expected, atol=1e-4, rtol=1e-3)
        grays = {"gray", "smooth"} if recipe.smooth_set == "gray" else set()
        assert is_gray(part) == (name in grays), name
    torch.testing.assert_close(again, painted, atol=1e-4, rtol=1e-3)


def test_the_style_term_compares_gray_with_colour(features):
    recipe = small()
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    seen = []
    trainer.objective._f.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    trainer.step(batch)
    known, painted = seen
    photo, gray = known.chunk(2)
    assert torch.equal(photo, batch.photo)
    assert torch.equal(gray, batch.gray)
    assert is_gray(gray)
    assert not is_gray(painted)


def test_a_batch_is_painted_once_a_step(features):
    recipe = small()
    trainer = Trainer(recipe, features, CPU)
    calls = []
    for name in ("generator", "discriminator", "features"):
        hook = lambda _module, _args, _answer, name=name: calls.append(name)  # noqa: E731 - binds name
        getattr(trainer, name).register_forward_hook(hook)
    trainer.step(make_batch(recipe))
    counts = {name: calls.count(name) for name in calls}
    assert counts == {"generator": 1, "discriminator": 2, "features": 2}


# Gradients reach what they should and nothing else

G_TERMS = ("adversarial", "content", "gram", "colour", "tv", "stability")


@pytest.mark.parametrize("term", G_TERMS)
def test_each_term_alone_moves_all_of_the_generator(features, term):
    recipe = small(**{**dict.fromkeys(G_TERMS, 0.0), term: 1.0})
    trainer = Trainer(recipe, features, CPU)
    before = weights_of(trainer.generator)
    terms = trainer.step(make_batch(recipe))
    after = trainer.generator.state_dict()
    assert not [name for name in before if torch.equal(before[name], after[name])]
    assert set(terms) - {"g"} - {"d", "real", "fake", "gray", "smooth"} == {term}


@pytest.mark.parametrize("term", G_TERMS)
def test_each_term_adds_to_the_generators_gradient(features, term):
    with_all, without = (
        small(**{**dict.fromkeys(G_TERMS, 1.0), term: weight}) for weight in (1.0, 0.0)
    )
    found = []
    for recipe in (with_all, without):
        trainer = Trainer(recipe, features, CPU)
        trainer.step(make_batch(recipe))
        found.append(gradients(trainer.generator)[0])
    assert float((found[0] - found[1]).norm() / found[0].norm()) > 1e-4


@pytest.mark.parametrize("term", ["real", "fake", "gray", "smooth"])
def test_each_term_alone_teaches_the_discriminator(features, term):
    alone = {**dict.fromkeys(("real", "fake", "gray", "smooth"), 0.0), term: 1.0}
    recipe = small(**alone)
    trainer = Trainer(recipe, features, CPU)
    terms = trainer.step(make_batch(recipe))
    assert terms["d"] == pytest.approx(300 * terms[term], rel=1e-5)
    assert all(float(gradient.abs().max()) > 0 for gradient in gradients(trainer.discriminator))


def test_the_generators_step_leaves_no_gradient_elsewhere(features):
    recipe = small()
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    before = weights_of(trainer.discriminator)
    trainer._generator_step(trainer._parts(batch), [trainer.objective.paint(batch.photo)])
    assert all(g is None for g in gradients(trainer.discriminator))
    assert all(p.requires_grad for p in trainer.discriminator.parameters())
    assert equal(before, trainer.discriminator.state_dict())
    assert all(g is not None for g in gradients(trainer.generator))


def test_the_discriminators_step_leaves_no_gradient_in_the_generator(features):
    recipe = small()
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    before = weights_of(trainer.generator)
    trainer._discriminator_step(trainer._parts(batch), [trainer.objective.paint(batch.photo)], 0)
    assert all(g is None for g in gradients(trainer.generator))
    assert equal(before, trainer.generator.state_dict())
    assert all(g is not None for g in gradients(trainer.discriminator))


def test_without_the_adversarial_game_the_discriminator_rests(features):
    recipe = small(adversarial=0.0)
    trainer = Trainer(recipe, features, CPU)
    before = weights_of(trainer.discriminator)
    assert set(trainer.step(make_batch(recipe))) == {"content", "gram", "colour", "g"}
    assert equal(before, trainer.discriminator.state_dict())


@pytest.mark.parametrize("without", [[], ["content"]], ids=["with", "without"])
def test_the_initialisation_learns_content_and_nothing_else(features, without):
    recipe = make_recipe(without=without, given={**SMALL, "init_lr": 0.01})
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    before = weights_of(trainer.discriminator)
    first = trainer.initialise_step(batch)["content"]
    last = [trainer.initialise_step(batch) for _ in range(6)][-1]
    assert set(last) == {"content"}
    assert last["content"] < 0.95 * first
    assert equal(before, trainer.discriminator.state_dict())


# How a step descends


def test_learning_rates_follow_the_phases(features):
    recipe = small()
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    trainer.initialise_step(batch)
    assert trainer.adam_g.param_groups[0]["lr"] == recipe.init_lr
    trainer.step(batch)
    assert trainer.adam_g.param_groups[0]["lr"] == recipe.generator_lr
    assert trainer.adam_d.param_groups[0]["lr"] == recipe.discriminator_lr
    assert trainer.adam_g.param_groups[0]["betas"] == (0.5, 0.999)
    assert trainer.step_done == 2
    trainer.rate_factor = 0.5
    trainer.step(batch)
    assert trainer.adam_g.param_groups[0]["lr"] == recipe.generator_lr / 2
    assert trainer.adam_d.param_groups[0]["lr"] == recipe.discriminator_lr / 2


def test_several_steps_of_the_generator_for_one_of_the_discriminator(features):
    recipe = small(training_rate=3)
    trainer = Trainer(recipe, features, CPU)
    steps = []
    trainer.adam_g.register_step_post_hook(lambda *_: steps.append("g"))
    trainer.adam_d.register_step_post_hook(lambda *_: steps.append("d"))
    trainer.step(make_batch(recipe))
    assert steps == ["d", "g", "g", "g"]


def test_long_gradients_are_scaled_down(features):
    recipe = small(clip=0.5)
    trainer = Trainer(recipe, features, CPU)
    lengths = []

    def measure(adam, _args, _kwargs):
        grads = [p.grad.norm() for p in adam.param_groups[0]["params"]]
        lengths.append(torch.stack(grads).norm().item())

    trainer.adam_g.register_step_pre_hook(measure)
    trainer.adam_d.register_step_pre_hook(measure)
    trainer.step(make_batch(recipe))
    assert lengths == [pytest.approx(0.5, rel=1e-4)] * 2


@pytest.mark.parametrize("extras", [{}, EXTRAS], ids=["paper", "extras"])
@pytest.mark.parametrize(("batch", "parts"), [(2, 2), (3, 2)])
def test_a_step_in_parts_is_the_whole_batchs(features, extras, batch, parts):
    results = []
    for accumulate in (1, parts):
        recipe = small(batch=batch, accumulate=accumulate, **extras)
        trainer = double(recipe, features)
        data = make_batch(recipe, dtype=torch.float64)
        terms = [trainer.initialise_step(data), trainer.step(data, 1.0), trainer.step(data, 1.0)]
        results.append((terms, trainer.state()))
    for whole, in_parts in zip(results[0][0], results[1][0], strict=True):
        assert in_parts == pytest.approx(whole, rel=1e-5)
    for name, value in results[0][1].items():
        torch.testing.assert_close(results[1][1][name], value, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_power_iteration_goes_on_once_a_step(features, accumulate):
    recipe = small(accumulate=accumulate)
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    norm = trainer.discriminator.get_submodule("0.parametrizations.weight.0")
    weight = trainer.discriminator.get_parameter("0.parametrizations.weight.original")
    matrix, v = weight.detach().flatten(1).clone(), norm.get_buffer("_v").clone()
    trainer.step(batch)
    u = nn.functional.normalize(matrix @ v, dim=0)
    torch.testing.assert_close(norm.get_buffer("_u"), u)
    torch.testing.assert_close(norm.get_buffer("_v"), nn.functional.normalize(matrix.T @ u, dim=0))


class Kept:
    def __init__(self, meter, tensor):
        self.tensor = tensor
        size = tensor.numel() * tensor.element_size()
        meter["now"] += size
        meter["most"] = max(meter["most"], meter["now"])
        weakref.finalize(self, lambda: meter.update(now=meter["now"] - size))


def test_parts_save_memory(features):
    most = []
    for accumulate in (1, 4):
        recipe = small(batch=4, accumulate=accumulate)
        trainer, meter = Trainer(recipe, features, CPU), {"now": 0, "most": 0}
        kept = torch.autograd.graph.saved_tensors_hooks(partial(Kept, meter), lambda k: k.tensor)
        with kept:
            trainer.step(make_batch(recipe))
        most.append(meter["most"])
    assert most[1] < 0.45 * most[0]


def test_the_moving_average_paints(features):
    recipe = small(ema=0.5)
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    assert trainer.painter is trainer.ema
    weight = trainer.generator.get_parameter("0.weight")
    expected = weight.detach().clone()
    for step in range(3):
        trainer.step(batch)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight.detach()
    torch.testing.assert_close(trainer.painter.get_parameter("0.weight"), expected)
    plain = Trainer(small(), features, CPU)
    assert plain.painter is plain.generator


# The state


@pytest.mark.parametrize("method", ["animegan", "cartoongan"])
def test_a_stopped_run_goes_on_to_the_same_bits(features, method):
    recipe = small(method, **EXTRAS)
    first, batches = Trainer(recipe, features, CPU), [make_batch(recipe, n) for n in range(4)]
    first.initialise_step(batches[0])
    first.step(batches[1])
    stopped = first.state()
    copy = {name: value.clone() for name, value in stopped.items()}
    expected = [first.step(batch, 0.9) for batch in batches[2:]]
    assert equal(stopped, copy), "a state is a copy"

    torch.rand(7)  # the global random state is no part of it
    second = Trainer(recipe, features, CPU)
    for _ in range(2):  # as after a rollback
        second.load_state(stopped)
        assert second.step_done == 2
        assert [second.step(batch, 0.9) for batch in batches[2:]] == expected
        assert equal(second.state(), first.state())
    assert equal(stopped, copy), "loading copies"


def test_the_state_has_the_spectral_norms_vectors(features):
    recipe = small()
    trainer = Trainer(recipe, features, CPU)
    trainer.step(make_batch(recipe))
    other = Trainer(small(seed=4), features, CPU)
    other.load_state(trainer.state())
    vectors = [name for name in trainer.state() if name.endswith(("._u", "._v"))]
    assert len(vectors) == 2 * 2
    picture = make_batch(recipe).anime
    assert torch.equal(other.discriminator(picture), trainer.discriminator(picture))


def test_moments_keep_the_weights_memory_layout(features):
    recipe = small()
    trainer = Trainer(recipe, features, CPU)
    trainer.step(make_batch(recipe))
    state = {name: value.contiguous() for name, value in trainer.state().items()}
    trainer.load_state(state)
    for parameter, moments in trainer.adam_g.state.items():
        assert moments["exp_avg"].stride() == parameter.stride()
        assert moments["exp_avg_sq"].stride() == parameter.stride()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda state: state.pop("step"), KeyError),
        (lambda state: state.pop("adam_g.0.exp_avg"), KeyError),
        (lambda state: state.pop("generator.0.weight"), RuntimeError),
        (lambda state: state.update({"adam_d.0.exp_avg": torch.ones(1)}), ValueError),
    ],
    ids=["step", "moment", "weight", "shape"],
)
def test_a_state_of_other_networks_is_refused(features, spoil, error):
    recipe = small()
    trainer = Trainer(recipe, features, CPU)
    trainer.step(make_batch(recipe))
    state = trainer.state()
    spoil(state)
    with pytest.raises(error):
        trainer.load_state(state)


def test_steps_leave_the_global_random_state_alone(features):
    recipe = small(**EXTRAS)
    trainer = Trainer(recipe, features, CPU)
    before = torch.get_rng_state()
    trainer.initialise_step(make_batch(recipe))
    trainer.step(make_batch(recipe))
    assert torch.equal(before, torch.get_rng_state())


# What may go wrong


@pytest.mark.parametrize("method", ["animegan", "animeganv2", "animeganv2-lite", "cartoongan"])
def test_pictures_without_variance_give_numbers(vgg, method):
    recipe = small(method, batch=1, tv=1.0)
    trainer = Trainer(recipe, vgg, CPU)
    for level, step in ((-1.0, trainer.initialise_step), (0.3, trainer.step)):
        flat = torch.full((1, 3, recipe.size, recipe.size), level)
        terms = step(Batch(flat, flat, flat, flat))
        assert all(torch.tensor(list(terms.values())).isfinite())
    assert all(value.isfinite().all() for value in trainer.state().values())
    assert all(value.abs().max() < 1e6 for value in trainer.state().values())
    # The papers' networks learn as a whole, and F not at all.
    assert all(g is not None for g in gradients(trainer.generator))
    assert all(g is not None for g in gradients(trainer.discriminator))
    assert not any(t.requires_grad for t in (*vgg.parameters(), *vgg.buffers()))


def test_a_photo_of_one_colour_leaves_the_others_their_gradient(features):
    recipe = small(batch=2)
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    batch.photo[1] = torch.tensor([0.2, -0.4, 1.0]).view(3, 1, 1)
    painted = trainer.objective.paint(batch.photo)
    (gradient,) = torch.autograd.grad(painted[1].sum(), trainer.generator.get_parameter("0.weight"))
    assert float(gradient.abs().max()) == 0
    painted = trainer.objective.paint(batch.photo)
    (gradient,) = torch.autograd.grad(painted[0].sum(), trainer.generator.get_parameter("0.weight"))
    assert float(gradient.abs().max()) > 0


def test_out_of_memory_names_the_knobs(features, monkeypatch):
    recipe = small()
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    advice = r"step 1: out of memory with 2 pictures of 32.*accumulate.*batch.*size.*bf16"

    def gpu(_photo):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    def refuse(_photo):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    for paint in (gpu, lambda _photo: torch.empty(2**60)):
        monkeypatch.setattr(trainer.objective, "paint", paint)
        for step in (trainer.step, trainer.initialise_step):
            with pytest.raises(TrainingError, match=advice):
                step(batch)
    monkeypatch.setattr(trainer.objective, "paint", refuse)
    with pytest.raises(RuntimeError, match="mat1"):
        trainer.step(batch)


def test_memory_advice_is_to_be_had_around_other_code(features):
    trainer = Trainer(small(), features, CPU)
    trainer.step_done = 6
    told = pytest.raises(TrainingError, match="step 7: out of memory with 2 pictures of 32")
    with told, trainer.memory_advice():
        raise MemoryError
    with pytest.raises(KeyError), trainer.memory_advice():
        raise KeyError


@pytest.mark.parametrize(
    "name", ["generator.0.weight", "adam_d.0.exp_avg_sq", "adam_g.0.exp_avg", "ema.0.weight"]
)
def test_a_tensor_that_is_not_finite_is_named(features, name):
    recipe = small(ema=0.9)
    trainer = Trainer(recipe, features, CPU)
    assert trainer.broken_tensor() is None
    trainer.step(make_batch(recipe))
    assert trainer.broken_tensor() is None
    with torch.no_grad():
        trainer._tensors()[name][-1] = math.inf
    assert trainer.broken_tensor() == name


def test_a_missing_built_in_initialisation_is_named(features, monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoint, "ASSETS", tmp_path)
    with pytest.raises(TrainingError, match=r"animeganv2-lite: has no built-in.*--init scratch"):
        Trainer(small("animeganv2-lite", init="builtin"), features, CPU)


def test_the_built_in_initialisation_is_loaded(vgg):
    one, other = (Trainer(small(init="builtin", seed=seed), vgg, CPU) for seed in (1, 2))
    assert equal(one.generator.state_dict(), other.generator.state_dict())
    assert not equal(one.discriminator.state_dict(), other.discriminator.state_dict())


# Speed


@pytest.mark.parametrize("method", ["animegan", "animeganv2"])
def test_half_precision_computes_the_same_within_its_own(vgg, method):
    recipe = small(method, batch=1)
    full = Trainer(recipe, vgg, CPU)
    half = Trainer(small(method, batch=1, precision="bf16"), vgg, CPU)
    batch = make_batch(recipe)
    answers = []
    half.discriminator.register_forward_hook(lambda *args: answers.append(args[2].dtype))
    expected, terms = full.step(batch), half.step(batch)
    assert set(answers) == {torch.bfloat16}
    assert terms == pytest.approx(expected, rel=0.08)
    assert {value.dtype for value in half.generator.state_dict().values()} == {torch.float32}
    assert half.objective.paint(batch.photo).dtype == torch.float32


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_compiled_networks_learn_the_same_under_the_same_names(features, monkeypatch):
    # All of the compiler but its last stage, which writes C++ or Triton and takes minutes.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    recipe = small()
    eager = Trainer(recipe, features, CPU)
    compiled = Trainer(small(compile=True), features, CPU)
    batch = make_batch(recipe)
    for _ in range(2):
        expected, terms = eager.step(batch), compiled.step(batch)
        assert terms == pytest.approx(expected, rel=1e-2)
    assert compiled.state().keys() == eager.state().keys()
    assert not any("_orig_mod" in name for name in compiled.state())


@pytest.mark.slow
def test_training_moves_towards_what_it_is_asked(features):
    # Colour alone, from random weights: the picture must come much closer to the photo.
    recipe = small(adversarial=0.0, content=0.0, gram=0.0, colour=1.0, generator_lr=3e-4)
    trainer, batch = Trainer(recipe, features, CPU), make_batch(recipe)
    colour = [trainer.step(batch)["colour"] for _ in range(40)]
    assert sum(colour[-5:]) < 0.75 * sum(colour[:5])
