"""What a recogniser should say of a degraded image: what it says of the clean one."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.typing import Scalar


class Tags(NamedTuple):
    """What a recogniser finds in an image.

    Attributes:
        features: that condition a network, a soft prompt.
        logits: of each tag that the image may have, any number of them at once: a hard prompt.
    """

    features: Float[Array, ...]
    logits: Float[Array, " n"]


def tags_loss(student: Tags, teacher: Tags, *, weight: float = 1.0) -> Scalar:
    """Mean of (f̂ − f)² + κ · mean over tags of −p log p̂ − (1 − p) log(1 − p̂), p the sigmoids of logits.

    The student sees the degraded image, the teacher the clean one. The gradient stops at the teacher, whose entropy is
    what is left at its own answer.

    Args:
        student: of the degraded image.
        teacher: of the clean image.
        weight: κ ≥ 0.

    Source: [wu2024seesr] (degradation-aware prompt extractor).
    """
    teacher = jax.lax.stop_gradient(teacher)
    features = jnp.mean((student.features - teacher.features) ** 2)
    share = jax.nn.sigmoid(teacher.logits)
    cross = jnp.mean(jax.nn.softplus(student.logits) - share * student.logits)
    return features + weight * cross
