"""Compiling run.c: as the program that ships beside a model, and as the library that Python drives.

One portable build serves every machine of a family: the kernels for AVX2, AVX-512 or NEON are all inside and
chosen at start, so there is no `-march=native` and no second binary. The library is kept in the user's cache
under a hash of its source and compiler, so it is compiled once, and again only when either changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from nextword.common.errors import Failure, Missing
from nextword.common.files import sync_folder

SOURCE = Path(__file__).with_name("run.c")
FLAGS = ("-O3", "-std=c11", "-ffp-contract=fast")
"""Contraction lets a * b + c be one instruction; C11 mode would switch it off."""
LIBRARY_FLAGS = ("-shared", "-fPIC", "-DNEXTWORD_LIBRARY", "-fvisibility=hidden")
LIBRARIES = ("-lm", "-lpthread")


def find_compiler(compiler: str | None = None) -> str:
    """The path of a C compiler: the one given, $CC, or the first of cc, gcc, clang. Missing without one."""
    wanted = compiler or os.environ.get("CC")
    for name in [wanted] if wanted else ["cc", "gcc", "clang"]:
        if found := shutil.which(name):
            return found
    raise Missing(
        f"no C compiler ({wanted or 'cc, gcc, clang'})",
        do="install gcc or clang (Debian: apt install gcc), or name yours in CC",
    )


def command(source: Path, out: Path, *, library: bool = False, compiler: str | None = None) -> list[str]:
    """The command that compiles run.c; what the model card prints for people to type."""
    extra = LIBRARY_FLAGS if library else ()
    return [find_compiler(compiler), *FLAGS, *extra, "-o", str(out), str(source), *LIBRARIES]


def build(source: Path, out: Path, library: bool = False, compiler: str | None = None) -> Path:
    """Compile `source` to `out`, which is whole or absent, and return it.

    Raises Missing without a compiler and Failure with the compiler's first error line when it refuses.
    """
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        words = command(source, part, library=library, compiler=compiler)
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
            raise Failure(
                f"does not compile: {lines[0] if lines else f'{words[0]} ended with {done.returncode}'}",
                where=source,
                do=f"try another compiler than {words[0]} by naming it in CC",
            )
        part.replace(out)
        sync_folder(out.parent)
    except OSError as error:
        raise Failure(
            f"cannot be built ({error.strerror or error})",
            where=out,
            do="choose a folder that can be written",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return out


def cache_folder() -> Path:
    """Where built libraries are kept: $XDG_CACHE_HOME/nextword or ~/.cache/nextword."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nextword"


def built_library(source: Path = SOURCE, compiler: str | None = None) -> Path:
    """The shared library of this very source, compiled now if it is not in the cache."""
    program = find_compiler(compiler)
    version = subprocess.run([program, "--version"], capture_output=True, check=False).stdout
    digest = hashlib.sha256(
        b"\0".join([source.read_bytes(), version, " ".join(FLAGS + LIBRARY_FLAGS).encode()])
    )
    out = cache_folder() / f"librun-{digest.hexdigest()[:16]}.so"
    return out if out.exists() else build(source, out, library=True, compiler=program)
