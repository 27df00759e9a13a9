"""Builds the programs of the benchmark, and talks to them: one line out, one line of numbers back.

Every program stays alive for the whole run, so that their turns alternate at no cost.
"""
import glob
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build", "bench")
PYTHON = "/usr/bin/python3"

# PyTorch oversubscribes with the pthread flavour of OpenBLAS; with this one it is at its best.
OPENMP_FLAVOUR = next(iter(glob.glob("/usr/lib/*/openblas-openmp")), None)


# After its last product a BLAS's threads go on looking for work for about 30 ms.
PAUSE = 0.05


def busy_share():
    """Of all processors, what they were busy with during a tenth of a second; 0 where the system does not tell."""
    def ticks():
        with open("/proc/stat") as file:
            values = [int(x) for x in file.readline().split()[1:9]]
        return sum(values), sum(values) - values[3] - values[4]

    try:
        total, busy = ticks()
        time.sleep(0.1)
        total_then, busy_then = ticks()
    except OSError:
        return 0.0
    return (busy_then - busy) / max(1, total_then - total)


class Quiet:
    """Waits before each round until others leave the processors alone, for so many seconds in all."""

    def __init__(self, patience):
        self.patience, self.waited = patience, 0.0

    def wait(self):
        began = time.monotonic()
        time.sleep(PAUSE)
        while busy_share() > 0.1 and self.waited + time.monotonic() - began < self.patience:
            time.sleep(0.2)
        self.waited += time.monotonic() - began


class Program:
    """A program that answers commands. The library's runs as its user would start it."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})})

    def ask(self, *words):
        time.sleep(PAUSE)
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the empty answer below says it
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"tests/bench/run: {self.name} gave no answer to '{' '.join(map(str, words))}'")
        return answer

    def numbers(self, *words):
        return [float(x) for x in self.ask(*words).split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def run(command, **options):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}tests/bench/run: {' '.join(command)} failed")
    return done.stdout


def is_older(program, *sources):
    return not os.path.exists(program) or any(
        os.path.getmtime(s) > os.path.getmtime(program) for s in sources)


def build_library():
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        run(["meson", "setup", BUILD, TOP, "--buildtype=release", "-Dexamples=false"])
    run(["ninja", "-C", BUILD])


def build_program(name, flags, libraries):
    source, program = os.path.join(HERE, name + ".c"), os.path.join(BUILD, name)
    if is_older(program, source):
        run([os.environ.get("CC", "gcc"), "-std=gnu11", "-Wall", "-Wextra", *flags, source, "-o", program, *libraries])
    return program


def build_programs():
    """The library in release mode, and the three programs in C. Returns their paths."""
    build_library()
    library = [f"-L{BUILD}/lib", f"-Wl,-rpath,{BUILD}/lib", "-lflowmatch"]
    public = ["-O2", f"-I{TOP}/include"]
    return {
        "library": build_program("bench_library", public, library),
        "memory": build_program("bench_memory", public, library),
        # The machine's own rates: for the processor at hand.
        "floor": build_program("bench_floor", ["-O3", "-march=native"], ["-lopenblas", "-lpthread"]),
    }


def start_torch():
    """PyTorch as Debian packages it, or None."""
    if subprocess.run([PYTHON, "-c", "import torch"], capture_output=True).returncode != 0:
        return None
    environment = {"LD_LIBRARY_PATH": OPENMP_FLAVOUR} if OPENMP_FLAVOUR else {}
    return Program("PyTorch", [PYTHON, os.path.join(HERE, "peer_torch.py")], environment)


def start_libtorch():
    """libtorch as Debian packages it, or None."""
    headers = "/usr/include/torch/csrc/api/include"
    if not os.path.isdir(headers) or not shutil.which("g++"):
        return None
    source, program = os.path.join(HERE, "peer_libtorch.cpp"), os.path.join(BUILD, "peer_libtorch")
    if is_older(program, source):
        run(["g++", "-O2", "-std=c++17", f"-I{headers}", source, "-ltorch", "-ltorch_cpu", "-lc10", "-o", program])
    environment = {"LD_LIBRARY_PATH": OPENMP_FLAVOUR} if OPENMP_FLAVOUR else {}
    return Program("libtorch", [program], environment)


def stripped_size():
    library, stripped = (os.path.join(BUILD, *path) for path in (("lib", "libflowmatch.so"), ("stripped.so",)))
    run(["strip", "-o", stripped, library])
    return os.path.getsize(stripped)


def load_average():
    try:
        with open("/proc/loadavg") as file:
            return file.read().split()[0]
    except OSError:
        return "unknown"


def processor():
    """Name, cores and caches of the processor, as far as the system tells."""
    facts = {}
    if shutil.which("lscpu"):
        for line in run(["lscpu"], env={**os.environ, "LC_ALL": "C"}).splitlines():
            key, _, value = line.partition(":")
            facts[key.strip()] = value.strip()
    wanted = {"Model name": "name", "CPU family": "family", "Model": "model", "CPU(s)": "cpus",
              "L1d cache": "L1d", "L2 cache": "L2", "L3 cache": "L3", "Hypervisor vendor": "hypervisor"}
    return {short: facts[key] for key, short in wanted.items() if key in facts}
