"""Load and save weights; the small ones that ship."""

from jaxir.pretrained.codecs import load_codec
from jaxir.pretrained.containers import WeightsError
from jaxir.pretrained.convert import convert
from jaxir.pretrained.download import HubError
from jaxir.pretrained.hub import pull
from jaxir.pretrained.lookup import describe, load, weights_digest
from jaxir.pretrained.parity import Record, Verdict, verify
from jaxir.pretrained.perceptual import load_inception, load_lpips, load_niqe
from jaxir.pretrained.publish import push
from jaxir.pretrained.store import configuration, model_of, save_denoiser, shipped
from jaxir.pretrained.torch_file import read_tensors, roots

__all__ = [
    "HubError",
    "Record",
    "Verdict",
    "WeightsError",
    "configuration",
    "convert",
    "describe",
    "load",
    "load_codec",
    "load_inception",
    "load_lpips",
    "load_niqe",
    "model_of",
    "pull",
    "push",
    "read_tensors",
    "roots",
    "save_denoiser",
    "shipped",
    "verify",
    "weights_digest",
]
