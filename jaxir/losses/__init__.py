"""What training minimises."""

from jaxir.losses.autoencoding import (
    Judgement,
    Usage,
    codebook_usage,
    kl_autoencoding_loss,
    vq_autoencoding_loss,
)
from jaxir.losses.compact import chain, chained, rebuilding
from jaxir.losses.contrastive import info_nce, similarity
from jaxir.losses.distillation import (
    ConsistencyDistillation,
    Distillation,
    Halved,
    StepAhead,
)
from jaxir.losses.guide import guide_loss, with_guide
from jaxir.losses.matching import (
    Following,
    Objective,
    Weighting,
    edm_weight,
    matching_loss,
    min_snr_weight,
    output_weight,
    simple_weight,
    truncated_snr_weight,
    uniform_weight,
    vlb_weight,
)
from jaxir.losses.reverting import euler_matching_loss, mean_matching_loss, stepwise
from jaxir.losses.spatial_entropy import (
    Distance,
    Law,
    cross_entropy,
    entropy,
    entropy_loss,
    hellinger,
    relative_entropy,
    spatial_law,
)
from jaxir.losses.structure import structure_loss, structured
from jaxir.losses.tags import Tags, tags_loss
from jaxir.losses.variational_bound import (
    Bound,
    Decoder,
    GaussianDecoder,
    IntegerDecoder,
    continuous_bound,
    step_weight,
    variational_bound,
)

__all__ = [
    "Bound",
    "ConsistencyDistillation",
    "Decoder",
    "Distance",
    "Distillation",
    "Following",
    "GaussianDecoder",
    "Halved",
    "IntegerDecoder",
    "Judgement",
    "Law",
    "Objective",
    "StepAhead",
    "Tags",
    "Usage",
    "Weighting",
    "chain",
    "chained",
    "codebook_usage",
    "continuous_bound",
    "cross_entropy",
    "edm_weight",
    "entropy",
    "entropy_loss",
    "euler_matching_loss",
    "guide_loss",
    "hellinger",
    "info_nce",
    "kl_autoencoding_loss",
    "matching_loss",
    "mean_matching_loss",
    "min_snr_weight",
    "output_weight",
    "rebuilding",
    "relative_entropy",
    "similarity",
    "simple_weight",
    "spatial_law",
    "step_weight",
    "stepwise",
    "structure_loss",
    "structured",
    "tags_loss",
    "truncated_snr_weight",
    "uniform_weight",
    "variational_bound",
    "vlb_weight",
    "vq_autoencoding_loss",
    "with_guide",
]
