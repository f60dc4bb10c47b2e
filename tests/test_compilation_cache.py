"""Compiled programs are kept where the user may write alone, are found again, and never grow without end."""

import os
import subprocess
import sys
import time

import pytest

from jaxir import compilation_cache
from jaxir.compilation_cache import contents, keep_compiled, location, obstacle, trim


def program(folder, name, age=0.0, size=10):
    """A file such as JAX writes, last used so many seconds ago."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"jit_{name}-cache"
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_the_folder_is_that_of_the_variables_and_of_this_cpu(tmp_path):
    cpu = location({"JAXIR_CACHE": str(tmp_path)}).name
    assert location({"JAXIR_CACHE": str(tmp_path)}) == tmp_path / "compiled" / cpu
    assert location({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "jaxir" / "compiled" / cpu
    assert location({}).parts[-4:] == (".cache", "jaxir", "compiled", cpu)
    assert location({"JAXIR_CACHE": "off"}) is None


def test_other_instructions_are_another_folder(monkeypatch):
    here = location({})
    monkeypatch.setattr(compilation_cache.platform, "machine", lambda: "riscv64")
    assert location({}) != here


def test_jax_is_told_of_the_folder_unless_it_was_told_before(tmp_path):
    environment = {"JAXIR_CACHE": str(tmp_path)}
    folder = keep_compiled(environment)
    assert environment["JAX_COMPILATION_CACHE_DIR"] == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    theirs = {"JAXIR_CACHE": str(tmp_path), "JAX_COMPILATION_CACHE_DIR": "/elsewhere"}
    assert keep_compiled(dict(theirs)) is None
    for value in ("off", str(tmp_path / "file" / "below")):
        (tmp_path / "file").write_text("no folder")
        environment = {"JAXIR_CACHE": value}
        assert keep_compiled(environment) is None
        assert "JAX_COMPILATION_CACHE_DIR" not in environment


@pytest.mark.skipif(os.name != "posix", reason="needs the modes of POSIX")
def test_programs_of_others_are_never_run(tmp_path, monkeypatch):
    assert obstacle(tmp_path) is None
    tmp_path.chmod(0o777)
    assert "everybody" in obstacle(tmp_path)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert "another user" in obstacle(tmp_path)


def test_a_full_disk_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(compilation_cache, "ROOM", 2**80)
    assert "left" in obstacle(tmp_path)


def test_what_was_used_the_longest_ago_goes_first_and_other_files_stay(tmp_path):
    ages = {"old": 9, "middle": 5, "new": 1}
    old, middle, new = (program(tmp_path / "cpu", *each) for each in ages.items())
    half = program(tmp_path / "other", "d", size=0)
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"x" * 10**4)
    trim(tmp_path, size=20)
    assert [path.exists() for path in (old, half, middle, photo)] == [False, False, True, True]
    trim(tmp_path, count=1)
    assert new.exists()
    assert contents(tmp_path) == (1, 10)


PROGRAM = """
import sys
from jaxir.compilation_cache import contents, keep_compiled
folder = keep_compiled()
import jax, jax.numpy as jnp, jax.monitoring
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((8, 8)))
print(sum("cache_hits" in name for name in hits), contents(folder).programs)
"""


def test_a_second_run_compiles_nothing_and_half_a_program_is_no_reason_to_complain(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    environment |= {"JAXIR_CACHE": str(tmp_path), "JAX_PLATFORMS": "cpu"}

    def run():
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return tuple(map(int, done.stdout.split()))

    hits, kept = run()
    assert hits == 0
    assert kept > 0
    assert run() == (kept, kept)
    for path in tmp_path.rglob("*-cache"):
        path.write_bytes(path.read_bytes()[:100])
    assert run() == (0, kept)
