"""The grammar of the shell: read from left to right, and an error that names what was expected."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxir import degradations
from jaxir.cli.automatic import diagnosed, stages
from jaxir.cli.degradations import STAGES, parse_degradation
from jaxir.cli.errors import UsageError
from jaxir.cli.python_only import PYTHON_ONLY
from jaxir.degradations import (
    Degradation,
    GaussianNoise,
    Identity,
    PoissonNoise,
    SaltAndPepperNoise,
    SpeckleNoise,
)
from jaxir.estimation import Diagnosis, Estimate, Motion
from jaxir.samplers import kernel_of

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
    "haze": "haze(0.8, airlight=0.9)",
    "rain": "rain(0.02, length=5)",
    "snow": "snow(0.1, seed=1)",
    "drops": "drops(2)",
    "shadow": "shadow(0.5)",
    "lowlight": "lowlight(0.3, 2.2)",
    "scratches": "scratches(count=2)",
    "fade": "fade(0.5)",
    "sepia": "sepia",
    "defocus": "defocus(2.5)",
    "psf": "psf(mask.png)",
    "nearest": "nearest(2)",
    "bayer": "bayer(GRBG)",
    "hadamard": "hadamard(0.3, 1)",
    "fourier": "fourier(rate=0.3)",
    "jpeg": "jpeg(40)",
    "quantise": "quantise(16)",
    "clip": "clip(2)",
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
    shape = (16, 32, 3) if name == "hadamard" else SHAPE
    degradation = parse_degradation(stages).for_clean(shape)
    assert degradation.operator.shape == shape
    y = degradation(jnp.zeros(shape))
    again = parse_degradation(stages).for_degraded(y.shape)
    assert again.operator.shape == shape
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
        ("box(2.5)", "(size)", "size is 2.5, expected a whole number"),
        ("box(True)", "(size)", "size is True, expected a whole number"),
        ("bicubic(True)", "(factor)", "factor is True, expected a number"),
        ("poisson(many)", "(peak)", "peak is 'many', expected a number"),
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


def test_auto_becomes_the_number_that_the_image_shows_and_prints_it(capsys):
    noise = 0.1 * np.random.default_rng(0).normal(size=(64, 64, 3))
    recipe = parse_degradation("crop(4)|noise(auto)").measured(noise)
    assert recipe.sigma == pytest.approx(0.05, rel=0.05)
    assert recipe.for_degraded((64, 64, 3)).operator.shape == (72, 72, 3)
    assert capsys.readouterr().out.startswith("noise(auto): sigma 0.0")


def test_all_of_a_degradation_is_read_from_the_image_and_told_in_one_line():
    rng, lines = np.random.default_rng(0), []
    picture = rng.normal(size=(128, 128, 1)).cumsum(0).cumsum(1)
    picture = np.sin(picture / 20)
    recipe = parse_degradation("auto")
    assert str(recipe) == "auto"
    found = recipe.measured(picture + 0.1 * rng.normal(size=picture.shape), lines.append)
    assert found.sigma == pytest.approx(0.05, rel=0.1)
    assert [line.startswith(f"auto: {found}: found ") for line in lines] == [True]
    calls, sigma, said = diagnosed(np.zeros((8, 8, 3)))
    assert (calls, sigma) == ((), 0.002)
    assert said == "auto: noise(0.002): found nothing to undo; too small a picture to measure blur"


def test_a_blur_that_was_read_from_the_image_goes_on_beyond_its_border():
    blurred = Diagnosis(Estimate(1.4, 0.01), Estimate(1.4, 0.01), None, None, 0.0)
    moved = blurred._replace(blur=Motion(Estimate(9.04, 0.1), Estimate(31.26, 1.0)))
    texts = ["|".join(map(str, stages(found))) for found in (blurred, moved)]
    assert texts == ["gaussian(1.4)|crop(5)", "motion(9.0, 31.3)|crop(6)"]
    for text in texts:
        operator = parse_degradation(text).for_degraded((64, 64, 3)).operator
        kernel = np.asarray(kernel_of(Degradation(operator, GaussianNoise(0.1))))
        reach = np.abs(np.arange(len(kernel)) - len(kernel) // 2)
        margin = (operator.shape[0] - 64) // 2
        assert kernel[np.maximum(reach[:, None], reach) > margin].sum() < 0.01


@pytest.mark.parametrize(
    "text",
    [
        *(f"{example}|noise({0.1 + 0.2!r})" for example in EXAMPLES.values()),
        "auto",
        "motion(auto)|noise(auto)",
        "crop(margin=4)|poisson(peak=30.5)",
        "clip(1e999)|noise(1e-300)",
        "psf('1.5')",
        "noise(0)",
    ],
)
def test_a_recipe_is_read_from_its_text_with_the_same_numbers(text):
    recipe = parse_degradation(text)
    again = parse_degradation(str(recipe))
    assert again == recipe
    assert str(again) == str(recipe)
    values = [
        [*map(repr, call.positional), *map(repr, call.named.values())] for call in recipe.calls
    ]
    assert values == [
        [*map(repr, call.positional), *map(repr, call.named.values())] for call in again.calls
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("auto", "auto is read from a degraded image"),
        ("auto|noise(0.1)", "auto reads the whole degradation from the image and stands alone"),
        ("noise(auto)", "auto is read from a degraded image"),
        ("box(auto)", r"box(auto) cannot be estimated: auto is for gaussian, motion, jpeg, noise"),
        ("motion(auto)|bicubic(2)", "motion(auto) comes before bicubic, which hides it"),
        ("noise(auto)|grey", "noise(auto) comes before grey"),
    ],
)
def test_auto_is_refused_where_nothing_can_be_measured(text, reason):
    assert reason in fails(text, SHAPE)


@pytest.mark.parametrize("text", ["noise(0.1)|grey", "noise(0.1)|noise(0.1)"])
def test_noise_comes_last(text):
    assert "noise must be the last stage" in fails(text)
    assert "poisson must be the last stage" in fails("poisson(30)|noise(0.1)")


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("poisson(30)", PoissonNoise),
        ("speckle(0.2)", SpeckleNoise),
        ("impulse(0.1)", SaltAndPepperNoise),
    ],
)
def test_other_noises_end_a_degradation_too(text, law):
    degradation = parse_degradation(f"grey|{text}").for_clean(SHAPE)
    assert isinstance(degradation.noise, law)
    assert degradation.operator.output_shape == (16, 24, 1)


@pytest.mark.parametrize("factor", [1.5, 2.5, 3.3])
def test_the_shape_of_any_factor_is_inverted(factor):
    recipe = parse_degradation(f"bicubic({factor})")
    assert recipe.for_degraded((7, 11, 3)).operator.output_shape == (7, 11, 3)


def test_a_kernel_comes_from_a_file_and_is_scaled(in_a_folder_with_a_mask):
    np.save("kernel.npy", np.full((3, 3), 5.0))
    blur = parse_degradation("psf(kernel.npy)").for_clean(SHAPE).operator
    np.testing.assert_allclose(blur.kernel, 1 / 9, rtol=1e-6)
    np.save("kernel.npy", np.zeros((3, 3, 3)))
    assert "expected a kernel (height, width) with a positive sum" in fails(
        "psf(kernel.npy)", SHAPE
    )


@pytest.mark.parametrize("name", PYTHON_ONLY)
def test_what_no_image_file_holds_is_told_how_python_does_it(name):
    line = fails(f"{name}(8)|noise(0.05)")
    assert line.startswith(f"{name} ")
    assert "in Python" in line
    called = {word for word in re.findall(r"(\w+)\(", line) if hasattr(degradations, word)}
    assert len(called) >= 2


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
