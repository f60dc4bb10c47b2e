"""The grammar of the shell: read from left to right, and an error that names what was expected."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxir.cli.degradations import STAGES, parse_degradation
from jaxir.cli.errors import UsageError
from jaxir.degradations import Identity

SHAPE = (16, 24, 3)
EXAMPLES = {
    "gaussian": "gaussian(1.5)",
    "motion": "motion(5, 30)",
    "bicubic": "bicubic(2)",
    "area": "area(factor=4)",
    "box": "box(4)",
    "random": "random(missing=0.5, seed=3)",
    "mask": "mask(mask.png)",
    "crop": "crop(3)",
    "grey": "grey",
}


@pytest.fixture(autouse=True)
def in_a_folder_with_a_mask(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    half = np.zeros(SHAPE[:2], np.uint8)
    half[:, :10] = 255
    Image.fromarray(half).save("mask.png")


def fails(text: str, shape=None) -> str:
    """The one line that reading `text`, or building it for `shape`, fails with."""
    with pytest.raises(UsageError) as error:
        parse_degradation(text).for_clean(shape)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_builds_and_says_its_shape(name):
    stages = f"{EXAMPLES[name]}|noise(0.1)"
    degradation = parse_degradation(stages).for_clean(SHAPE)
    assert degradation.operator.shape == SHAPE
    y = degradation(jnp.zeros(SHAPE))
    again = parse_degradation(stages).for_degraded(y.shape)
    assert again.operator.shape == SHAPE
    assert again.operator.output_shape == y.shape


def test_stages_apply_from_left_to_right(key):
    x = jnp.linspace(-1, 1, np.prod(SHAPE)).reshape(SHAPE) ** 2
    blurred = parse_degradation("motion(5, 30)").for_clean(SHAPE)(x)
    both = parse_degradation("motion(5, 30)|mask(mask.png)").for_clean(SHAPE)(x)
    np.testing.assert_array_equal(both[:, :10], blurred[:, :10])
    assert not np.any(both[:, 10:])
    other = parse_degradation("mask(mask.png)|motion(5, 30)").for_clean(SHAPE)(x)
    assert np.any(other[:, 10:])  # the blur reaches over the edge of the mask


def test_the_degraded_shape_is_inverted_through_several_stages():
    recipe = parse_degradation("bicubic(2)|grey|area(4)|noise(0.02)")
    degradation = recipe.for_degraded((2, 3, 1))
    assert degradation.operator.shape == (16, 24, 3)
    assert degradation.operator.output_shape == (2, 3, 1)


def test_a_cropped_blur_is_the_blur_of_a_scene_that_goes_on():
    """What is seen in the middle of a scene does not change with what lies beyond the kernel's reach."""
    seen = parse_degradation("motion(5,30)|crop(4)").for_degraded((16, 24, 3))
    scene = np.asarray(np.random.default_rng(0).normal(size=(24, 32, 3)), np.float32)
    beyond = np.pad(scene, ((5, 5), (5, 5), (0, 0)), mode="wrap")
    larger = parse_degradation("motion(5,30)").for_clean(beyond.shape)
    np.testing.assert_allclose(
        seen(jnp.asarray(scene)), larger(jnp.asarray(beyond))[9:-9, 9:-9], atol=1e-5
    )


def test_sigma_of_the_shell_is_doubled_inside():
    recipe = parse_degradation("noise(0.05)")
    assert recipe.sigma == 0.05
    degradation = recipe.for_clean(SHAPE)
    assert degradation.noise.sigma == 0.1
    assert isinstance(degradation.operator, Identity)
    assert parse_degradation("noise(sigma=0.25)").sigma == 0.25
    assert parse_degradation("grey").sigma == 0
    assert parse_degradation("noise(0)").sigma == 0


def test_mask_is_white_where_the_image_is_known():
    kept = parse_degradation("mask(mask.png)").for_clean(SHAPE)(jnp.ones(SHAPE))
    np.testing.assert_array_equal(kept[:, :10], 1)
    np.testing.assert_array_equal(kept[:, 10:], 0)


def test_an_unknown_stage_suggests_the_nearest_and_lists_all():
    line = fails("moton(15, 30)")
    assert "unknown degradation 'moton', did you mean 'motion'?" in line
    assert all(name in line for name in [*STAGES, "noise"])
    assert "did you mean" not in fails("zzz")


@pytest.mark.parametrize(
    ("text", "signature", "reason"),
    [
        ("motion(15)", "(length, angle)", "missing a required argument: 'angle'"),
        ("motion(1, 2, 3)", "(length, angle)", "too many positional arguments"),
        ("motion(15, angel=30)", "(length, angle)", "angle"),
        ("motion(15, north)", "(length, angle)", "angle is 'north', expected a number"),
        ("bicubic(2.5)", "(factor)", "factor is 2.5, expected a whole number"),
        ("bicubic(True)", "(factor)", "factor is True, expected a whole number"),
        ("random(seed=x)", "(missing=0.92, seed=0)", "seed is 'x', expected a whole number"),
        ("grey(2)", "()", "too many positional arguments"),
        ("noise", "(sigma)", "missing a required argument: 'sigma'"),
        ("noise(0.1, 0.2)", "(sigma)", "too many positional arguments"),
        ("noise(level=0.1)", "(sigma)", "missing a required argument: 'sigma'"),
        ("noise(nan)", "(sigma)", "sigma is 'nan', expected a number"),
        ("noise(loud)", "(sigma)", "sigma is 'loud', expected a number"),
    ],
)
def test_wrong_arguments_name_the_signature(text, signature, reason):
    line = fails(text)
    assert f"takes {signature}, got " in line
    assert reason in line


@pytest.mark.parametrize("sigma", ["-0.1", "-1", "1e999"])
def test_sigma_is_a_finite_number_of_0_or_more(sigma):
    assert "a standard deviation of 0 or more in units of [0, 1]" in fails(f"noise({sigma})")


@pytest.mark.parametrize("text", ["noise(0.1)|grey", "noise(0.1)|noise(0.1)"])
def test_noise_comes_last(text):
    assert "noise must be the last stage" in fails(text)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_degradation(text):
    assert "the degradation is empty: write" in fails(text)


@pytest.mark.parametrize(
    "text",
    ["motion(15, 30", "motion(15, 30))", "motion((15, 30)", "grey||noise(0.1)", "grey|", "(3)"],
)
def test_what_is_not_a_call(text):
    assert "write name, name(1, 2) or name(size=3)" in fails(text)


def test_a_mask_of_another_size_names_both():
    line = fails("mask(mask.png)", (16, 16, 3))
    assert "mask mask.png is 16×24 but the image is 16×16: give a mask of the image's size" in line


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("bicubic(5)", "multiple"),
        ("bicubic(0)", "factor"),
        ("gaussian(-1)", "-1"),
        ("box(99)", "hole"),
        ("random(1.5)", "1.5"),
        ("mask(nowhere.png)", "nowhere.png does not exist"),
        ("grey|grey", "one for each channel"),
    ],
)
def test_what_only_the_image_can_tell_is_one_line_too(text, reason):
    with pytest.raises(ValueError, match=reason) as error:
        parse_degradation(text).for_clean(SHAPE)
    assert "\n" not in str(error.value)
