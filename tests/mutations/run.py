"""Published errors, put into the code one at a time: each must turn a test red.

    python tests/mutations/run.py --all
    python tests/mutations/run.py --sample 3 --seed "$(git rev-parse HEAD)"
    python tests/mutations/run.py --only bbdm-noise-only

`table.toml` lists them: the error and who printed it, one text of the package and what replaces it, one test. The
package is copied to a folder of its own, where the tests first pass as it is and then fail with each error in turn.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_name("table.toml")
WITNESS = "was_imported"


class Mutation(NamedTuple):
    """One published error.

    Attributes:
        name: what it is called here.
        error: what was printed or coded, where, and what is right.
        file: the file it is put into.
        old: a text that occurs there once.
        new: what replaces it.
        test: the pytest node that must fail.
    """

    name: str
    error: str
    file: str
    old: str
    new: str
    test: str

    def applied(self, text: str) -> str:
        """The file's text with the error in it."""
        if (count := text.count(self.old)) != 1:
            where = (
                f"is not in {self.file} any more"
                if not count
                else f"is {count} times in {self.file}"
            )
            raise ValueError(
                f"mutation {self.name}: its text {where}: mend tests/mutations/table.toml"
            )
        return text.replace(self.old, self.new)


def load() -> list[Mutation]:
    """All of table.toml."""
    return [Mutation(**row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["mutation"]]


def chosen(mutations: list[Mutation], arguments: argparse.Namespace) -> list[Mutation]:
    """Those that the command line asks for."""
    if arguments.only:
        found = [m for m in mutations if m.name in arguments.only]
        if len(found) < len(set(arguments.only)):
            sys.exit(f"--only is {arguments.only}, expected some of {[m.name for m in mutations]}")
        return found
    if arguments.sample is not None:
        count = min(arguments.sample, len(mutations))
        return random.Random(arguments.seed).sample(mutations, count)
    return mutations


def run_tests(tests: list[str], folder: Path) -> tuple[int, str]:
    """(exit code, output) of pytest with the package of `folder`; 1 says that a test failed."""
    witness = folder / "jaxir" / WITNESS
    witness.unlink(missing_ok=True)
    done = subprocess.run(
        # -P keeps the checkout, the current folder, off the path
        [
            sys.executable,
            "-P",
            "-m",
            "pytest",
            "-n",
            "0",
            "-x",
            "-q",
            "--tb=line",
            "-m",
            "",
            *tests,
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",  # two versions of a file within a second would share it
            "COLUMNS": "200",  # so that pytest's summary has the reason
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in (0, 1) and not witness.exists():
        sys.exit(f"the tests did not import the package of {folder}: another jaxir is in the way")
    return done.returncode, done.stdout + done.stderr


def red(mutation: Mutation, folder: Path) -> bool:
    """Whether the error turns its test red; says so."""
    path, began = folder / mutation.file, time.perf_counter()
    before = path.read_text(encoding="utf-8")
    path.write_text(mutation.applied(before), encoding="utf-8")
    code, output = run_tests([mutation.test], folder)
    path.write_text(before, encoding="utf-8")
    reasons = re.findall(r"^FAILED .*", output, flags=re.MULTILINE)
    broken = code > 1 or any(re.search(" - (Name|Import|Syntax)Error", line) for line in reasons)
    verdict = "COULD NOT RUN" if broken else "red" if code else "SURVIVED"
    print(f"{verdict}: {mutation.name}, {time.perf_counter() - began:.0f} s", *reasons, sep="\n  ")
    if verdict != "red":
        print(f"  {mutation.error}\n  {mutation.file}, {mutation.test}")
        print(output[-3000:] if broken else "", end="")
    sys.stdout.flush()
    return verdict == "red"


def main() -> None:
    """Inject, test, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--all", action="store_true")
    which.add_argument("--sample", type=int, metavar="N")
    which.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument(
        "--seed", default="", help="what chooses the sample, such as a commit's hash"
    )
    mutations = chosen(load(), parser.parse_args())
    with tempfile.TemporaryDirectory(prefix="jaxir-mutations-") as name:
        folder = Path(name)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "jaxir", folder / "jaxir", ignore=ignored)
        with (folder / "jaxir" / "__init__.py").open("a", encoding="utf-8") as door:
            door.write(f'\n__import__("pathlib").Path(__file__).with_name("{WITNESS}").touch()\n')
        code, output = run_tests(sorted({mutation.test for mutation in mutations}), folder)
        if code:
            sys.exit(f"without any error the tests do not pass:\n{output[-6000:]}")
        survivors = [mutation.name for mutation in mutations if not red(mutation, folder)]
    if survivors:
        sys.exit(f"{len(survivors)} of {len(mutations)} errors turn nothing red: {survivors}")
    print(f"all of {len(mutations)} errors turn their tests red")


if __name__ == "__main__":
    main()
