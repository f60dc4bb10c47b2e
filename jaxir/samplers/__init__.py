"""Many steps: from noise to images."""

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
from jaxir.samplers.discrete import Discrete
from jaxir.samplers.edm import EDMSampler
from jaxir.samplers.langevin import AnnealedLangevin, NoiseShare, SignalToNoise
from jaxir.samplers.likelihood import LogLikelihood, log_likelihood
from jaxir.samplers.mcgdiff import MCGDiff
from jaxir.samplers.mixing import effective_sample_size
from jaxir.samplers.particle_gibbs import Chains, ParticleGibbs, run_chains
from jaxir.samplers.predictor_corrector import PredictorCorrector
from jaxir.samplers.red_diff import REDDiff
from jaxir.samplers.sample import Callback, sample
from jaxir.samplers.sampler import Sampler
from jaxir.samplers.samples import Samples
from jaxir.samplers.singlestep import Singlestep
from jaxir.samplers.translate import decode, encode, translate
from jaxir.samplers.travel import Travel
from jaxir.samplers.twisted import Twisted
from jaxir.samplers.warm_start import WarmStart

__all__ = [
    "DAPS",
    "AnnealedLangevin",
    "Callback",
    "Chains",
    "Continuous",
    "DDBMSampler",
    "Discrete",
    "EDMSampler",
    "LogLikelihood",
    "MCGDiff",
    "NoiseShare",
    "ParticleGibbs",
    "PredictorCorrector",
    "ProbabilityFlow",
    "REDDiff",
    "ReverseSDE",
    "Sampler",
    "Samples",
    "SignalToNoise",
    "Singlestep",
    "Trajectory",
    "Travel",
    "Twisted",
    "WarmStart",
    "conditional_killing",
    "conditional_systematic",
    "decode",
    "effective_sample_size",
    "encode",
    "log_likelihood",
    "run_chains",
    "sample",
    "trajectory",
    "translate",
]
