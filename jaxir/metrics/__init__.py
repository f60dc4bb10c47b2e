"""PLACEHOLDER"""
import jax.numpy as jnp
def psnr(a,b): return 10*jnp.log10(4/jnp.mean((a-b)**2))
