"""The derivative of a convolution inside a loop: jaxir's primitive against `lax.conv_general_dilated`.

    python benchmarks/convolution.py

Four vector–Jacobian products in a `lax.fori_loop`, 4×32×32×96 channels, medians of 10 interleaved rounds.
"""

import statistics
import time

import jax
import jax.numpy as jnp
from jax import lax

from jaxir.networks.convolution import convolve


def main() -> None:
    """Measure and print."""
    x = jax.random.normal(jax.random.key(0), (4, 32, 32, 96))
    kernel = 0.01 * jax.random.normal(jax.random.key(1), (3, 3, 96, 96))

    def plain(x, kernel):
        dims = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x[None], kernel, (1, 1), "SAME", dimension_numbers=dims)[0]

    def program(convolution):
        def pull(x, kernel):
            y, vjp = jax.vjp(lambda x: convolution(x, kernel), x)
            return vjp(jnp.tanh(y))[0]

        def body(_, x):
            return 0.1 * jax.vmap(pull, (0, None))(x, kernel)

        compiled = jax.jit(lambda x: lax.fori_loop(0, 4, body, x))
        compiled(x).block_until_ready()
        return compiled

    programs = {"lax": program(plain), "jaxir": program(convolve)}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(10):
        for name, compiled in programs.items():
            began = time.perf_counter()
            compiled(x).block_until_ready()
            times[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in times.items()}
    print({name: f"{1e3 * value:.1f} ms" for name, value in medians.items()})
    ratios = [a / b for a, b in zip(times["lax"], times["jaxir"], strict=True)]
    print(f"lax / jaxir: {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
