"""The doctor names what is wrong and its remedy, nothing where nothing is, and answers whatever is broken."""

import json
import os
import stat
import subprocess
import sys

import pytest

from jaxir.cli import doctor
from jaxir.cli.checks import devices, extras, machine, probe, storage, variables, versions, work
from jaxir.compilation_cache import Contents
from jaxir.finding import Finding
from jaxir.memory import Memory, left_in_container

GIB = 2**30
GOOD = {"jax": "0.10.2", "jaxlib": "0.10.2", "flax": "0.12.8", "diffrax": "0.7.2", "numpy": "2.4.6"}
ASKED = {
    "jaxir": [
        "jax<0.13,>=0.10",
        "flax<0.13,>=0.12.8",
        "diffrax>=0.7.2",
        "numpy>=2.0",
        "matplotlib>=3.10; extra == 'plot'",
        "tifffile>=2025.1; extra == 'photo'",
    ],
    "jax": ["jaxlib<=0.10.2,>=0.10.1", 'jax-cuda12-plugin<=0.10.2; extra == "cuda"'],
}
CARD = devices.Card("NVIDIA H100", "570.1")
CPU = {"devices": [{"platform": "cpu", "kind": "cpu", "memory": None}]}
GPU = {"devices": [{"platform": "gpu", "kind": "NVIDIA H100", "memory": 60 * GIB}] * 2}


def marks(findings):
    """(mark, found, advice) of all that is not well."""
    findings = [findings] if isinstance(findings, Finding) else findings
    return [(f.mark, f.found, f.advice) for f in findings if f.mark != "ok"]


@pytest.mark.parametrize(
    ("version", "versions_", "expected"),
    [
        ("0.10.2", "<0.13,>=0.10", True),
        ("0.13.0", "<0.13,>=0.10", False),
        ("0.9.9", "<0.13,>=0.10", False),
        ("2.0", ">=2.0.0", True),
        ("2.10", ">=2.9", True),
        ("0.7.1", "!=0.7.0,!=0.7.1", False),
        ("0.0.42.1", "==0.0.42.*", True),
        ("1.4.5", "~=1.4.2", True),
        ("1.5.0", "~=1.4.2", False),
        ("0.10.2.dev3+local", "==0.10.2", True),
        ("1.0", "", True),
    ],
)
def test_versions_compare_as_in_a_requirement(version, versions_, expected):
    assert versions.meets(version, versions_) is expected


@pytest.mark.parametrize(
    ("changes", "name", "found", "remedy"),
    [
        ({}, None, None, None),
        ({"jax": "0.9.0"}, "jax", "jaxir needs <0.13,>=0.10", "pip install 'jax<0.13,>=0.10'"),
        ({"jaxlib": "0.10.0"}, "jaxlib", "jax needs", "pip install 'jaxlib<=0.10.2,>=0.10.1'"),
        ({"numpy": "1.26.4"}, "numpy", "NumPy 2", "pip install 'numpy>=2.0'"),
        ({"diffrax": "0.7.1"}, "diffrax", "SRK", "pip install 'diffrax>=0.7.2'"),
        ({"flax": None}, "flax", "missing", "pip install 'flax<0.13,>=0.12.8'"),
    ],
)
def test_packages_that_do_not_fit_are_named_with_the_command_that_mends_it(
    changes, name, found, remedy
):
    have = {key: value for key, value in {**GOOD, **changes}.items() if value}
    wrong = [f for f in versions.check_packages(have, ASKED) if f.mark != "ok"]
    if name is None:
        assert wrong == []
    else:
        (only,) = wrong
        assert (only.check, only.mark, only.advice) == (name, "problem", remedy)
        assert found in only.found


@pytest.mark.parametrize(
    ("plugins", "expected"),
    [
        ({}, []),
        ({"jax-cuda12-plugin": "0.10.2", "jax-cuda12-pjrt": "0.10.2"}, []),
        ({"jax-cuda12-plugin": "0.9.1"}, ["pip install --upgrade 'jax[cuda12]==0.10.2'"]),
        (
            {"jax-cuda12-plugin": "0.10.2", "jax-cuda13-plugin": "0.10.2"},
            ["pip uninstall jax-cuda12-plugin"],
        ),
    ],
)
def test_plugins_are_of_one_kind_and_of_jaxlibs_release(plugins, expected):
    findings = versions.check_plugins({**GOOD, **plugins})
    assert [advice for _, _, advice in marks(findings)] == expected


def test_the_python_must_be_one_that_jaxir_takes():
    assert versions.check_python("3.11.7", ">=3.11").mark == "ok"
    assert versions.check_python("3.10.1", ">=3.11").mark == "problem"


@pytest.mark.parametrize(
    ("environment", "mark", "word"),
    [
        ({}, "ok", "none"),
        ({"JAX_ENABLE_X64": "0", "JAX_DEFAULT_PRNG_IMPL": "threefry2x32"}, "ok", "none"),
        ({"JAX_ENABLE_X64": "1"}, "note", "float64"),
        ({"JAX_DEFAULT_MATMUL_PRECISION": "bfloat16"}, "note", "precision"),
        ({"JAX_DISABLE_JIT": "True"}, "problem", "compiled"),
        ({"JAX_THREEFRY_PARTITIONABLE": "false"}, "note", "seed"),
        ({"XLA_FLAGS": "--xla_backend_optimization_level=0"}, "note", "slow"),
        ({"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}, "note", "several"),
    ],
)
def test_settings_that_change_results_are_named(environment, mark, word):
    (finding,) = variables.check_variables(environment)
    assert finding.mark == mark
    assert word in finding.found


@pytest.mark.parametrize(
    ("report", "environment", "cards", "plugin", "mark", "remedy"),
    [
        (CPU, {}, [], "", None, None),
        (GPU, {}, [CARD], "cuda12", None, None),
        (CPU, {}, [CARD], "", "problem", "pip install 'jaxir[cuda]'"),
        (CPU, {}, [CARD], "cuda13", "problem", "update the driver to 580"),
        (CPU, {}, [CARD], "cuda12", "problem", "--upgrade 'jaxir[cuda]'"),
        (CPU, {}, [devices.Card("/dev/nvidia0", "")], "cuda12", "problem", "nvidia-smi"),
        (CPU, {}, [devices.Card("GTX", "470.2")], "", "problem", "driver to 525"),
        (CPU, {"JAX_PLATFORMS": "cpu"}, [CARD], "cuda12", "note", "unset JAX_PLATFORMS"),
        (CPU, {"CUDA_VISIBLE_DEVICES": ""}, [CARD], "cuda12", "note", "CUDA_VISIBLE_DEVICES"),
        ({"error": "no backend"}, {"JAX_PLATFORMS": "tpu"}, [], "", "problem", "JAX_PLATFORMS"),
        ({"error": "no answer within 60 s"}, {}, [CARD], "cuda12", "problem", "=cpu"),
    ],
)
def test_a_device_that_is_not_used_is_told_with_the_reason(
    report, environment, cards, plugin, mark, remedy
):
    wrong = marks(devices.check_devices(report, environment, cards, plugin))
    assert [found for found, _, _ in wrong] == ([mark] if mark else [])
    assert all(remedy in advice for _, _, advice in wrong)


def test_devices_are_counted_with_their_memory():
    (finding,) = devices.check_devices(GPU, {}, [CARD], "cuda12")
    assert finding.found == "2 x NVIDIA H100 (gpu, 60 GiB)"


@pytest.mark.parametrize(
    ("finding", "mark"),
    [
        (machine.check_cores(8, 8, None), "ok"),
        (machine.check_cores(8, 8, 1.5), "note"),
        (machine.check_cores(8, 2, None), "note"),
        (machine.check_memory(Memory(64 * GIB, 32 * GIB, None)), "ok"),
        (machine.check_memory(Memory(64 * GIB, 32 * GIB, 2 * GIB)), "note"),
        (machine.check_memory(Memory(64 * GIB, 32 * GIB, 0)), "problem"),
        (machine.check_clock(1.0e9, 1.7e9), "problem"),
        (machine.check_clock(1.8e9, 1.7e9), "ok"),
        (machine.check_encoding("UTF-8", "utf8"), "ok"),
        (machine.check_encoding("ascii", "utf-8"), "note"),
        (machine.check_instructions("x86_64", {"sse4_2"}), "problem"),
        (storage.check_folder("/x", True, GIB), "ok"),
        (storage.check_folder("/x", False, GIB), "note"),
        (storage.check_folder("/x", True, 10), "problem"),
        (storage.check_temporary(None, 0), "problem"),
        (storage.check_cache("JAXIR_CACHE", None, None, Contents(0, 0)), "note"),
        (storage.check_cache("JAXIR_CACHE", "/x", "it is full", Contents(0, 0)), "problem"),
        (storage.check_cache("JAXIR_CACHE", "/x", None, Contents(3, 10)), "ok"),
        (storage.check_token("/t", stat.S_IFREG | 0o600), "ok"),
        (storage.check_token("/t", stat.S_IFREG | 0o644), "problem"),
        (work.check_import({}, {"jax": ">=0.10"}), "ok"),
        (work.check_import({"error": "ImportError: jaxlib"}, {}), "problem"),
        (work.check_numbers({"differences": {"product": 1e-6, "transform": 1e-7}}), "ok"),
        (work.check_numbers({"differences": {"product": 1e-6, "transform": 1e-2}}), "problem"),
        (
            work.check_numbers({"differences": {"product": 1e-6, "transform": float("nan")}}),
            "problem",
        ),
        (work.check_weights({"name": "p", "difference": 1e-6, "passed": True}), "ok"),
        (work.check_weights({"name": "p", "difference": 0.1, "passed": False}), "problem"),
        (work.check_speed({"side": 512, "evaluations": 100, "seconds": 2.0}, 50, 4), "ok"),
        (work.check_speed({"side": 64, "evaluations": 60, "seconds": 2.0}, 50, 4), "note"),
        (work.check_speed({"error": "out of memory"}, 50, 4), "problem"),
    ],
)
def test_each_fact_has_its_mark_and_each_problem_its_remedy(finding, mark):
    assert finding.mark == mark
    assert (finding.advice is None) == (mark == "ok")


def test_the_speed_is_that_of_a_whole_photo():
    report = {"side": 1000, "evaluations": 12, "seconds": 1.0}  # a photo's pixels each second
    found = work.check_speed(report, 20, 1).found
    assert "about 26 s" in found  # 20 evaluations of it, and 1.3 for the overlap


def test_a_container_leaves_what_its_groups_leave(tmp_path):
    own = tmp_path / "own"
    (tmp_path / "a" / "b").mkdir(parents=True)
    own.write_text("0::/a/b\n")
    assert left_in_container(tmp_path, own) is None
    (tmp_path / "a" / "memory.max").write_text("1000\n")
    (tmp_path / "a" / "memory.current").write_text("700\n")
    (tmp_path / "a" / "memory.stat").write_text("anon 500\ninactive_file 200\n")
    (tmp_path / "a" / "b" / "memory.max").write_text("max\n")
    assert left_in_container(tmp_path, own) == 500
    (tmp_path / "memory" / "c").mkdir(parents=True)  # the older version
    own.write_text("4:memory:/c\n")
    (tmp_path / "memory" / "c" / "memory.limit_in_bytes").write_text("100")
    assert left_in_container(tmp_path, own) == 100


def test_extras_and_codecs_say_what_they_bring():
    found = extras.check_extras(ASKED["jaxir"], {"matplotlib": "3.11"})
    assert [(f.check, f.mark) for f in found] == [("extra plot", "ok"), ("extra photo", "note")]
    assert found[1].advice == "pip install 'jaxir[photo]'"
    present = dict.fromkeys(extras.CODECS, True)
    assert marks(extras.check_codecs(present, heif=False)) == []
    (lacking,) = marks(extras.check_codecs({**present, "avif": False}, heif=True))
    assert "without AVIF" in lacking[1]


def test_a_check_that_fails_itself_is_told_and_stops_nothing():
    def check():
        yield Finding("first", "well")
        raise ModuleNotFoundError("No module named 'PIL'")

    first, second = doctor.guarded("files", check)
    assert first.mark == "ok"
    assert "No module named 'PIL'" in second.found


def test_what_a_process_printed_before_it_was_ended_counts():
    said = 'a library\n{"stage": "import", "jax": "1"}\n[3]\n{"stage": "dev'
    assert probe.read(said) == {"import": {"jax": "1"}}
    assert probe.ended(0, "warning") is None
    assert probe.ended(-11, "Fatal\n\n") == "ended by signal 11: Fatal"


@pytest.mark.parametrize(
    ("source", "seconds", "check", "word"),
    [
        ("raise ImportError('jaxlib is too old')", 60, "JAX", "jaxlib is too old"),
        ("import os; os.abort()", 60, "JAX", "ended by signal 6"),
        ("import time; time.sleep(60)", 1, "JAX", "no answer within 1 s"),
        ("__version__ = ''\ndef devices(): raise RuntimeError('no GPU')", 60, "devices", "no GPU"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_broken_jax_is_told_with_everything_else(
    source, seconds, check, word, tmp_path, monkeypatch
):
    (tmp_path / "jax.py").write_text(source)
    monkeypatch.setattr(doctor, "SECONDS", seconds)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    found = {f.check: f for f in doctor.examine(environment, speed=False)}
    assert found[check].mark == "problem"
    assert word in found[check].found
    assert {"Python", "packages", "files", "memory", "cache"} <= set(found)


def test_the_command_needs_no_jax_and_prints_json_alone(tmp_path):
    (tmp_path / "jax.py").write_text("raise ImportError('jaxlib is too old')")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from jaxir.cli import main; main(['doctor', '--json', '--no-speed'])",
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["ok"] is False
    (jax,) = (finding for finding in told["findings"] if finding["check"] == "JAX")
    assert "jaxlib is too old" in jax["found"]
    assert "'jax<" in jax["advice"]  # the versions that jaxir takes


@pytest.mark.slow
def test_this_installation_is_well(jaxir):
    done = jaxir("doctor")
    assert done.code == 0, done.out
    assert "evaluations a second" in done.out
