"""Copies of the library with bugs in them, each behind a switch, so that one build holds many. SLUICE_PLANTED=N turns on bug N."""
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import threading

TOP = pathlib.Path(__file__).resolve().parents[2]

SWITCHES = """#pragma once
#include <cstdlib>
#include <functional>
namespace sluice_planted {
inline int const which = [] {
  char const* const n = std::getenv("SLUICE_PLANTED");
  return n ? std::atoi(n) : 0;
}();
inline bool on(int n) { return which == n; }
inline bool flip(int n, bool condition) { return on(n) != condition; }
inline int one(int n) { return on(n) ? 0 : 1; }
template <class T>
T pick(int n, T was, T is) { return on(n) ? is : was; }

// `a <m> b` and `a ==m== b`: a comparison that is another one while its bug is on.
template <int N, class Was, class Is>
struct order {};
template <int N, class Was, class Is>
struct equality {};
template <class L, class M>
struct left { L const& l; };
template <class L, int N, class W, class I>
left<L, order<N, W, I>> operator<(L const& l, order<N, W, I>) { return {l}; }
template <class L, int N, class W, class I, class R>
bool operator>(left<L, order<N, W, I>> a, R const& b) { return on(N) ? bool(I{}(a.l, b)) : bool(W{}(a.l, b)); }
template <class L, int N, class W, class I>
left<L, equality<N, W, I>> operator!=(L const& l, equality<N, W, I>) { return {l}; }
template <class L, int N, class W, class I, class R>
bool operator!=(left<L, equality<N, W, I>> a, R const& b) { return on(N) ? bool(I{}(a.l, b)) : bool(W{}(a.l, b)); }
MUTANTS}  // namespace sluice_planted
"""


def write_copy(folder, changed, declarations=""):
    """include/ with the texts of `changed` (paths under include/sluice) instead of their own."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(TOP / "include", folder)
    for file, text in changed.items():
        (folder / "sluice" / file).write_text(text.replace("#pragma once\n", "#pragma once\n#include <sluice/planted.hpp>\n", 1))
    (folder / "sluice" / "planted.hpp").write_text(SWITCHES.replace("MUTANTS", declarations))


def compile_one(compiler, include, source, output, options):
    """What the compiler has to say, where it fails."""
    command = [compiler, "-std=c++20", "-w", "-D_GLIBCXX_ASSERTIONS", f"-I{include}", f"-I{TOP}/test", *options,
               str(source), "-c", "-o", str(output)]
    if shutil.which("ccache"):
        command.insert(0, "ccache")
    environment = {**os.environ, "CCACHE_BASEDIR": str(TOP), "CCACHE_NOHASHDIR": "yes"}
    made = subprocess.run(command, capture_output=True, text=True, env=environment)
    return made.stderr if made.returncode else ""


def link(compiler, objects, program, libraries):
    subprocess.run([compiler, *map(str, objects), "-o", str(program), *libraries], check=True)


def build_simulator(compiler, include, program):
    told = compile_one(compiler, include, TOP / "test/simulation/simulate.cpp", f"{program}.o", ["-O2"])
    if not told:
        link(compiler, [f"{program}.o"], program, ["-lrdkafka", "-lsqlite3", "-ldl", "-pthread"])
    return told


class tests:
    """The library's own tests over such a copy, built when they are first asked for."""

    def __init__(self, compiler, include, folder):
        self.compiler, self.include, self.folder = compiler, include, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.built, self.building = {}, {}

    def program(self, name):
        with self.building.setdefault(name, threading.Lock()):
            if name not in self.built:
                self.built[name] = self.build(name)
            return self.built[name]

    def build(self, name):
        main, one = self.folder / "main.o", self.folder / (name.replace("/", ".") + ".o")
        with self.building.setdefault("main", threading.Lock()):
            if not main.exists():
                self.must(compile_one(self.compiler, TOP / "include", TOP / "test/main.cpp", main, []))
        self.must(compile_one(self.compiler, self.include, TOP / "test" / f"{name}.cpp", one, []))
        program = one.with_suffix(".test")
        catch = ["-lCatch2"] if pathlib.Path("/usr/include/catch2/catch_all.hpp").exists() else []
        link(self.compiler, [main, one], program, [*catch, "-lrdkafka", "-lsqlite3", "-ldl", "-pthread"])
        return program

    @staticmethod
    def must(told):
        if told:
            sys.exit(told)

    def finds(self, number, name):
        """The first case that fails, or None."""
        done = run([self.program(name), "--abort"], number, 30)
        if done is None:
            return "hangs"
        if done.returncode == 0:
            return None
        failed = re.search(r"^-{20,}\n(.+)\n", done.stdout, re.MULTILINE)
        return failed.group(1).strip() if failed else f"ends with {done.returncode}"


def run(command, number, seconds):
    """With bug `number` on; None where it takes longer than that of the processor's time."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # one may ask for memory without end
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace", preexec_fn=limit,
                              env={**os.environ, "SLUICE_PLANTED": str(number)}, timeout=20 * seconds)
    except subprocess.TimeoutExpired:
        return None
    return None if done.returncode in (-9, -24) else done  # SIGKILL, SIGXCPU


FOUND = re.compile(r"^(\w+ on \w+), seed \d+, after (\d+) schedules\n\w+: (.+)$", re.MULTILINE)
# Schedules of each consumer, in rounds, so that what is easy to find is found soon. Each with its kind of world.
WORLDS = ([], ["--log-faults"], ["--with", "retention,truncation,recreation,compaction,added,crash_before,pause_before"],
          ["--cooperative"])


def hunt(program, number, seed, schedules, more=()):
    """(schedules, check, consumer) of the quickest find, or None."""
    tried, first = 0, seed
    for upto in (20, 200, schedules):
        step = min(upto, schedules) - tried
        if step <= 0:
            continue
        for world in WORLDS:
            schedules_here = max(1, step // 2) if world else step
            done = run([program, "--seed", first, "--schedules", schedules_here, "--go-on", "--as-found", *world, *more],
                       number, 20 + step // 10)
            if done is None:
                return (tried + step, "hangs", "any")
            if done.returncode == 2:
                sys.exit(done.stderr)
            found = [(tried + int(n), check, who) for who, n, check in FOUND.findall(done.stdout)]
            if found:
                return min(found)
            if done.returncode not in (0, 1):
                return (tried + step, f"ends with {done.returncode}", "any")
        tried += step
        first += step
    return None
