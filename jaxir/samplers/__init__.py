"""Many steps: from noise to images."""

from jaxir.samplers.blind_dps import BlindDPS
from jaxir.samplers.blur_kernel import kernel_of, on_simplex, unit_kernel, with_kernel
from jaxir.samplers.conditional_resampling import conditional_killing, conditional_systematic
from jaxir.samplers.continuous import (
    Continuous,
    ProbabilityFlow,
    ReverseSDE,
    Trajectory,
    trajectory,
)
from jaxir.samplers.daps import DAPS
from jaxir.samplers.ddbm import DDBMSampler
from jaxir.samplers.diffusion_em import DiffusionEM
from jaxir.samplers.discrete import Discrete
from jaxir.samplers.edm import EDMSampler
from jaxir.samplers.enkg import EnKG, kalman_step
from jaxir.samplers.fidelity import at_fidelity
from jaxir.samplers.fps import FPS
from jaxir.samplers.langevin import AnnealedLangevin, NoiseShare, SignalToNoise
from jaxir.samplers.likelihood import LogLikelihood, log_likelihood
from jaxir.samplers.mcgdiff import MCGDiff
from jaxir.samplers.mixing import effective_sample_size, r_hat
from jaxir.samplers.particle_gibbs import Chains, ParticleGibbs, run_chains
from jaxir.samplers.predictor_corrector import PredictorCorrector
from jaxir.samplers.red_diff import REDDiff
from jaxir.samplers.resample import ReSample
from jaxir.samplers.sample import Callback, Watch, sample
from jaxir.samplers.sampler import Sampler
from jaxir.samplers.samples import Samples
from jaxir.samplers.singlestep import Singlestep
from jaxir.samplers.translate import decode, encode, translate
from jaxir.samplers.travel import Travel
from jaxir.samplers.twisted import Twisted
from jaxir.samplers.warm_start import WarmStart

__all__ = [
    "DAPS",
    "FPS",
    "AnnealedLangevin",
    "BlindDPS",
    "Callback",
    "Chains",
    "Continuous",
    "DDBMSampler",
    "DiffusionEM",
    "Discrete",
    "EDMSampler",
    "EnKG",
    "LogLikelihood",
    "MCGDiff",
    "NoiseShare",
    "ParticleGibbs",
    "PredictorCorrector",
    "ProbabilityFlow",
    "REDDiff",
    "ReSample",
    "ReverseSDE",
    "Sampler",
    "Samples",
    "SignalToNoise",
    "Singlestep",
    "Trajectory",
    "Travel",
    "Twisted",
    "WarmStart",
    "Watch",
    "at_fidelity",
    "conditional_killing",
    "conditional_systematic",
    "decode",
    "effective_sample_size",
    "encode",
    "kalman_step",
    "kernel_of",
    "log_likelihood",
    "on_simplex",
    "r_hat",
    "run_chains",
    "sample",
    "trajectory",
    "translate",
    "unit_kernel",
    "with_kernel",
]
