import math

import pytest
from pydantic import ValidationError

from animegan.recipes import METHODS, Recipe, make_recipe
from animeprep.errors import UsageError

VGG19 = {"features": "vgg19"}
G_TERMS = ("content", "gram", "colour", "tv")
D_TERMS = ("real", "fake", "gray", "smooth")


def of(recipe, names):
    return tuple(getattr(recipe, name) for name in names)


def test_the_default_recipe_is_animegans_paper():
    recipe = Recipe()
    assert of(recipe, ("adversarial", *G_TERMS)) == (300, 1.5, 3, 10, 0)
    assert of(recipe, D_TERMS) == (1, 1, 1, 0.1)
    assert of(recipe, ("batch", "size", "init_epochs", "epochs")) == (4, 256, 1, 100)
    assert of(recipe, ("init_lr", "generator_lr", "discriminator_lr")) == (1e-4, 8e-5, 1.6e-4)
    assert of(recipe, ("beta1", "training_rate", "gan_loss")) == (0.5, 1, "lsgan")
    assert make_recipe(given=VGG19) == Recipe(features="vgg19")


@pytest.mark.parametrize("method", METHODS)
def test_no_paper_has_what_only_we_add(method):
    recipe = make_recipe(method)
    extras = ("flip", "jitter", "diffaugment", "label_smoothing", "stability", "clip", "ema")
    assert not any(of(recipe, extras))
    assert of(recipe, ("late_fake", "accumulate", "precision", "compile")) == (1, 1, "fp32", False)


@pytest.mark.parametrize(
    ("preset", "terms", "d_terms"),
    [
        ("hayao", (1.5, 2.5, 15, 1), (1.2, 1.2, 1.2, 0.8)),
        ("shinkai", (1.2, 2.0, 10, 1), (1.7, 1.7, 1.7, 1.0)),
        ("paprika", (2.0, 0.6, 50, 0.1), (1.0, 1.0, 1.0, 0.005)),
    ],
)
@pytest.mark.parametrize(("method", "batch"), [("animeganv2", 12), ("animeganv2-lite", 20)])
def test_animeganv2s_table_of_presets(method, batch, preset, terms, d_terms):
    recipe = make_recipe(method, preset, given=VGG19)
    assert of(recipe, G_TERMS) == terms
    assert of(recipe, D_TERMS) == d_terms
    assert of(recipe, ("generator", "discriminator", "batch")) == (method, "animeganv2", batch)
    assert of(recipe, ("init_lr", "generator_lr", "discriminator_lr")) == (2e-4, 2e-5, 4e-5)
    assert recipe.adversarial == 300
    assert recipe.init_epochs + recipe.epochs == 101


def test_animegans_presets_are_the_authors_advice():
    assert make_recipe("animegan", "hayao", given=VGG19) == make_recipe("animegan", given=VGG19)
    assert make_recipe("animegan", "shinkai", given=VGG19).content == 1.1
    paprika = make_recipe("animegan", "paprika", given=VGG19)
    assert 1.1 <= paprika.gram / 3 <= 1.3
    assert paprika.chroma > 1


def test_cartoongans_recipes():
    paper = make_recipe("cartoongan", given=VGG19)
    assert paper.generator_weights() == {"adversarial": 1, "content": 10}
    assert paper.discriminator_weights() == {"real": 1, "fake": 1, "smooth": 1}
    assert of(paper, ("gan_loss", "smooth_set", "init_epochs")) == ("log", "colour", 10)
    assert make_recipe("cartoongan").generator_weights() == {"adversarial": 1, "content": 0.01}
    report = make_recipe("cartoongan-reproduction", given=VGG19)
    assert report.batch == 8
    assert report.init_epochs + report.epochs == 100
    assert of(report, ("init_lr", "generator_lr", "discriminator_lr")) == (2e-4, 2e-4, 2e-4)


def test_a_preset_that_a_method_lacks_is_named():
    with pytest.raises(UsageError, match="cartoongan has no preset hayao; its presets: none"):
        make_recipe("cartoongan", "hayao")


def test_weights_are_the_papers_under_any_feature_network_and_scales_are_beside_them():
    ours, theirs = (make_recipe("animegan", "shinkai", given={"features": features, "tv": 1})
                    for features in ("vgg16", "vgg19"))  # fmt: skip
    assert of(ours, G_TERMS) == of(theirs, G_TERMS) == (1.1, 3, 10, 1)
    weights = {"adversarial": 300, "content": 1.1, "gram": 3, "colour": 10, "tv": 1}
    assert theirs.generator_weights() == weights
    scaled = {"content": 0.64 * 1.1, "gram": 7 * 3, "colour": 250 * 10}
    assert ours.generator_weights() == pytest.approx(weights | scaled)
    assert (ours.chroma_weight(), theirs.chroma_weight()) == (12, 1)
    assert "gram" not in make_recipe("cartoongan").generator_weights()


def test_an_ablation_weighs_a_term_as_the_paper_does():
    # "Colour 50" is the paper's ablation: five times the default, whatever the feature network.
    for features in ("vgg16", "vgg19"):
        more, paper = (make_recipe(given={"features": features, **given})
                       for given in ({"colour": 50}, {}))  # fmt: skip
        ratio = more.generator_weights()["colour"] / paper.generator_weights()["colour"]
        assert ratio == pytest.approx(5)


def test_what_the_user_gives_beats_all_else():
    given = {"gram": 7, "colour": 50, "method": "animegan"}
    recipe = make_recipe("animegan", "paprika", without=["gram", "tv"], given=given)
    assert (recipe.gram, recipe.colour) == (7, 50)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content", math.inf),
        ("colour", math.nan),
        ("generator_lr", math.inf),
        ("seed", 2**63),
        ("seed", -1),
        ("scales", {"colour": math.inf}),
        ("scales", {"colour": 0}),
        ("scales", {"tv": 1}),
    ],
)
def test_absurd_numbers_are_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        Recipe(**{name: value})
    assert Recipe(seed=2**63 - 1).seed == 2**63 - 1


@pytest.mark.parametrize("term", ["adversarial", "content", "gram", "colour"])
def test_an_ablation_leaves_a_term_of_the_generator_out(term):
    whole, without = make_recipe(), make_recipe(without=[term])
    assert set(whole.generator_weights()) - set(without.generator_weights()) == {term}


@pytest.mark.parametrize("term", ["gray", "smooth"])
def test_an_ablation_leaves_a_term_of_the_discriminator_out(term):
    whole, without = make_recipe(), make_recipe(without=[term])
    assert set(whole.discriminator_weights()) - set(without.discriminator_weights()) == {term}


def test_the_weight_of_painted_photos_rises_over_the_last_half():
    recipe = Recipe(late_fake=5, fake=1.2)
    rise = [recipe.discriminator_weights(at)["fake"] / 300 for at in (0, 0.5, 0.75, 1)]
    assert rise == pytest.approx([1.2, 1.2, 1.2 * 3, 1.2 * 5])
    others = [recipe.discriminator_weights(at)["gray"] for at in (0, 1)]
    assert others == [300, 300]


def test_the_discriminator_has_no_terms_without_the_adversarial_game():
    assert Recipe(adversarial=0).discriminator_weights(1) == {}


def test_the_built_in_initialisation_is_the_default_with_vgg16_alone():
    assert Recipe().initialisation_epochs() == 0
    assert Recipe(init="scratch").initialisation_epochs() == 1
    assert Recipe(features="vgg19").initialisation_epochs() == 1
    assert Recipe(features="vgg19", init="builtin").initialisation_epochs() == 0


def test_a_recipe_that_learns_nothing_is_refused():
    with pytest.raises(ValidationError, match="nothing would be learned"):
        make_recipe(without=["adversarial", "content", "gram", "colour"])


def test_more_parts_than_pictures_are_refused():
    with pytest.raises(ValidationError, match="batch of 4 cannot be computed in 5 parts"):
        Recipe(accumulate=5)
