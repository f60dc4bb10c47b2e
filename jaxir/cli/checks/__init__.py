"""What `jaxir doctor` looks at.

Each check is a function of facts that somebody else gathered, so that every answer can be tested on one machine, and
none of them imports JAX: what is wrong may be JAX itself. It is asked by `probe`, in a process of its own, which may
hang or crash.
"""
