"""Builds ext/*.pyx into hwsim._kernels.*; everything else stands in pyproject.toml.

Environment: HWSIM_DEBUG=1 switches bounds checks on and writes annotated HTML, HWSIM_OPENMP=0 builds without threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("HWSIM_DEBUG", "0") == "1"
# -ffp-contract=off: the same bits with and without fused multiply-add. The warnings switched off come from vector
# intrinsics.
COMPILE_FLAGS = [
    "-O3",
    "-std=c++17",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-g0",
    "-Wno-psabi",
    "-Wno-uninitialized",
    "-Wno-maybe-uninitialized",
]

PARTS = {"pulse": "ext/laws"}
"""Folders of C++ sources that belong to a kernel file."""


class ParallelBuild(build_ext):
    """Compiles as many sources at a time as there are cores."""

    def build_extensions(self) -> None:
        """Build all extensions with a compiler that takes several sources at once."""
        compile_all = self.compiler.compile
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:

            def compile_side_by_side(sources: list[str], **options: Any) -> list[str]:
                objects = pool.map(lambda source: compile_all([source], **options), sources)
                return [part for found in objects for part in found]

            self.compiler.compile = compile_side_by_side
            super().build_extensions()


def openmp_flags() -> list[str]:
    """Return the OpenMP flag if the compiler takes it, else nothing."""
    if os.environ.get("HWSIM_OPENMP", "1") == "0":
        return []
    compiler = (os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++").split()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.cpp"
        source.write_text("#include <omp.h>\nint main() { return omp_get_max_threads() < 1; }\n")
        command = [*compiler, "-fopenmp", str(source), "-o", str(Path(folder) / "probe")]
        try:
            found = subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            found = False
    return ["-fopenmp"] if found else []


def extensions() -> list[Extension]:
    """Return one extension for each kernel file."""
    openmp = openmp_flags()
    return [
        Extension(
            f"hwsim._kernels.{path.stem}",
            [str(path), *(str(source) for source in sorted(Path(PARTS.get(path.stem, "none")).glob("*.cpp")))],
            language="c++",
            include_dirs=["ext/include"],
            depends=sorted(str(header) for header in Path("ext/include").glob("*.h")),
            extra_compile_args=COMPILE_FLAGS + openmp,
            extra_link_args=openmp,
        )
        for path in sorted(Path("ext").glob("*.pyx"))
    ]


def kernels() -> list[Extension]:
    """Translate the kernels to C++."""
    return cythonize(
        extensions(),
        build_dir="build/cython",
        annotate=DEBUG,
        nthreads=0 if sys.platform == "win32" else (os.cpu_count() or 1),
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "initializedcheck": DEBUG,
            "nonecheck": DEBUG,
            "wraparound": False,
            "cdivision": True,
            "embedsignature": True,
            "freethreading_compatible": True,
        },
    )


setup(
    packages=[*find_packages(include=["hwsim", "hwsim.*"]), "hwsim.models", "hwsim.traces"],
    package_dir={"hwsim.models": "models", "hwsim.traces": "traces"},
    package_data={
        "hwsim": ["py.typed"],
        "hwsim.results": ["templates/*.html", "templates/*.css", "templates/script/*.js"],
        "hwsim.reproduce": ["templates/*.html"],
        "hwsim._kernels": ["*.pyi", "*.pxd"],
        "hwsim.models": ["**/*.yaml", "curves/*.csv"],
        "hwsim.traces": ["**/*.yaml", "**/*.parquet"],
    },
    include_package_data=False,
    ext_modules=kernels(),
    cmdclass={"build_ext": ParallelBuild},
)
