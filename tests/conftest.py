"""How tests run: on the CPU unless JAX_PLATFORMS says otherwise, with compiled code kept between runs.

Compiling takes most of the time, so every program is cached in ~/.cache/jaxir-tests (delete it freely).
All settings are environment variables, made before JAX is imported, so that subprocesses inherit them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

_CACHE = Path.home() / ".cache" / "jaxir-tests"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
os.environ["HF_HUB_CACHE"] = (
    os.devnull
)  # what somebody has pulled is no part of the tests, which pull nothing
os.environ["HF_HUB_OFFLINE"] = "1"

import jax  # noqa: E402 -- after its environment
import pytest  # noqa: E402

if TYPE_CHECKING:
    from jaxir.networks import Network

ROOT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what slow.txt lists: long tests whose siblings with other values stay in the fast suite.

    Skip the tests marked `gpu` where JAX sees no GPU; JAX is asked only if there are some.
    """
    listed = set((ROOT / "tests" / "slow.txt").read_text("utf-8").splitlines())
    for item in items:
        if item.nodeid in listed:
            item.add_marker(pytest.mark.slow)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and jax.default_backend() != "gpu":
        skip = pytest.mark.skip(
            reason="no GPU: run `JAX_PLATFORMS=cuda pytest -m gpu` where there is one"
        )
        for item in marked:
            item.add_marker(skip)


@pytest.fixture
def key() -> jax.Array:
    """The key every test starts from."""
    return jax.random.key(0)


@pytest.fixture
def x64() -> Iterator[None]:
    """float64 inside the test, float32 again after it."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def quick_compile() -> Iterator[None]:
    """Compile with few optimisations, six times as fast: for tests that compile more than they compute."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of development data, JAXIR_DATA or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("JAXIR_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no development data: {folder} does not exist; set JAXIR_DATA to their folder")
    return folder.resolve()


@pytest.fixture(scope="session")
def run_python() -> Callable[..., str]:
    """`run_python(code, devices=8)` runs code in a process of its own and returns what it printed.

    The number of CPU devices is fixed when JAX starts, so a test of sharding needs its own process.
    """

    def run(code: str, *, devices: int = 1, timeout: float = 240, **environment: str) -> str:
        flags = f"--xla_force_host_platform_device_count={devices}"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "XLA_FLAGS": flags, **environment},
            cwd=ROOT / "tests",  # the installed package is imported, not the checkout
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}", pytrace=False)
        return done.stdout

    return run


@pytest.fixture(scope="session")
def tiny_prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights that are random and few: whatever does not ask for quality is tested with them."""
    from jaxir.networks import UNet

    return _weights(tmp_path_factory, UNet(widths=(8, 8), blocks=(1, 1), embedding=16))


@pytest.fixture(scope="session")
def tiny_restorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of a network that sees the degraded image."""
    from jaxir.networks import Concatenation, UNet

    seen = Concatenation(3)
    network = UNet(widths=(8, 8), blocks=(1, 1), embedding=16, conditioning=seen)
    return _weights(tmp_path_factory, network)


def _weights(tmp_path_factory: pytest.TempPathFactory, network: Network) -> Path:
    from jaxir.denoisers import NetworkDenoiser, Preconditioned
    from jaxir.pretrained import save_denoiser
    from jaxir.processes import VP

    params = network.init(jax.random.key(0))
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    save_denoiser(
        folder,
        NetworkDenoiser(VP(), params, network.apply, Preconditioned(), 0.5, network.sees_y),
        network,
    )
    return folder
