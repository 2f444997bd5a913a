#!/usr/bin/env python3
"""Disturbs cwgnc where it changes files, and checks what it leaves behind.

    python3 tools/faults.py --cwgnc target/release/cwgnc [SCENARIO ...] [--mode crash ...]

A command is run once to count the operations that change a file, then once for each of them:

    crash    killed before the operation, and halfway through each write
    full     a full disk from the operation on (ENOSPC)
    error    the operation fails (EIO)
    flips    a bit of a file is other than it was written, and the command that reads it is run
    double   stopped before the operation while the same command runs beside it, then goes on

What must hold after each is in docs/security.md ("Faults, measured"). Needs Linux on x86-64, Python
3.9 and a C compiler (faults.c is built by each call). Exit code 1: a fault was found; 2: the tool
could not do its work.
"""

import argparse
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures"
MODES = ["crash", "full", "error", "flips", "double"]
# Seconds that a command may take; one that waits for another is given less.
TIMEOUT, PATIENCE = 60, 5
# Operations that a full disk lets through.
NEEDS_NO_SPACE = {"unlink", "rmdir", "open"}
REMOVALS = {"unlink", "rmdir"}
TEMPORARY = re.compile(r"\.cwgnc-\w+\.tmp|\.checkpoint-\d+\.partial")
# The point of a fault in the order of the undisturbed operations.
ORDER = "order"
# Keys of results, and a line of what is printed, that hold a time.
CLOCK = re.compile("runtime|per_second")
TIMED_LINE = re.compile(r"^trained \d+ steps in .*\n", re.MULTILINE)


class Failed(Exception):
    """The tool cannot do its work."""


# What is run ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Damage:
    """Files whose bits are flipped: of a finished command, or of one killed before an operation."""

    folder: str
    # The operation that is not done: its kind and its file. The last such counts.
    killed_before: tuple = ()
    # What reads the files; by default the way to go on.
    reader: tuple = ()


@dataclass(frozen=True)
class Scenario:
    """A command, the way to go on after an accident, and the folder that it may change."""

    command: tuple
    target: str
    # By default the command itself.
    again: tuple = ()
    # The exit code when a file cannot be written.
    failed: int = 1
    # Commands that make the inputs.
    prepare: tuple = ()
    # Folders that are in the target before, by where they come from.
    before: tuple = ()
    # Files that are not written unless the exit code is 0, as the command's help says.
    withheld: tuple = ()
    # The command takes only a new folder, so that the way to go on is to remove it first.
    fresh: bool = False
    # Modes that mean nothing here.
    without: tuple = ()
    damages: tuple = ()

    def repeat(self):
        """The command that goes on."""
        return self.again or self.command

    def has(self, mode):
        """Whether a mode means something here."""
        return mode not in self.without and (mode != "flips" or bool(self.damages))


DATA = ("--train-file in/train.tsv --validation-file in/dev.tsv --max-train-samples 48 "
        "--max-eval-samples 20 --logging-steps 1").split()
RUN = ("finetune", "--quiet", "--model", "in/model", *DATA, "--num-train-epochs", "2",
       "--save-steps", "2", "--eval-every", "3", "--log-updates", "--output")
PRETRAIN = tuple("pretrain --quiet --train-file in/corpus.txt --vocab-size 70 --hidden-size 16 "
                 "--num-hidden-layers 1 --max-seq-length 24 --per-device-train-batch-size 16 "
                 "--max-steps 6 --validation-share 0.1 --logging-steps 1 --eval-every 3 "
                 "--save-steps 2 --output out/run".split())
STUDY = ("study", "--quiet", "--model", "in/model", "--conditions", "control,component:0.05",
         "--seeds", "2", "--jobs", "1")
STEPS = ("--", *DATA, "--max-steps", "4")
MERGE = ("study", "merge", "in/shard-1", "in/shard-2", "--quiet", "--output", "out/whole")
RESUME = ("--resume",)


def study(*flags):
    """The study of two conditions and two seeds, with more flags."""
    return (*STUDY, *flags, *STEPS)


def clip(*flags):
    """One step of a policy that remembers; the flags begin with the file of its memory."""
    return ("clip", "--grads", "in/g.safetensors", "--policy", "autoclip:10", "--output",
            "out/clipped.safetensors", "--state", *flags)


SCENARIOS = {
    "finetune": Scenario(
        command=(*RUN, "out/run"),
        again=(*RUN, "out/run", *RESUME),
        target="out",
        damages=(Damage("out/run", ("rename", "out/run/model.safetensors")), Damage("out/run")),
    ),
    "overwrite": Scenario(
        command=(*RUN, "out/run", "--overwrite"),
        target="out",
        prepare=((*RUN, "in/older", "--seed", "1"), ("report", "in/older", "--quiet")),
        before=(("in/older", "out/run"),),
    ),
    "pretrain": Scenario(
        command=PRETRAIN,
        again=(*PRETRAIN, *RESUME),
        target="out",
        damages=(Damage("out/run", ("rename", "out/run/model.safetensors")), Damage("out/run")),
    ),
    "study": Scenario(
        command=study("--output", "out/study"),
        again=study("--output", "out/study", *RESUME),
        target="out",
        damages=(Damage("out/study", ("write", "out/study/journal.jsonl")), Damage("out/study")),
    ),
    "merge": Scenario(
        command=MERGE,
        target="out",
        prepare=tuple(study("--output", f"in/shard-{i}", "--shard", f"{i}/2") for i in (1, 2)),
        damages=(Damage("in/shard-1"), Damage("in/shard-2")),
    ),
    "report-run": Scenario(
        command=("report", "in/run", "--tensorboard"),
        target="in/run/report",
        prepare=((*RUN, "in/run"),),
        damages=(Damage("in/run"),),
    ),
    "report-study": Scenario(
        command=("report", "in/study"),
        target="in/study/report",
        prepare=(study("--output", "in/study"),),
        damages=(Damage("in/study"),),
    ),
    "clip": Scenario(
        command=clip("in/memory.txt", "--state-out", "out/memory.txt", "--report",
                     "out/report.json"),
        target="out",
        failed=2,
        withheld=("out/clipped.safetensors",),
    ),
    "clip-state": Scenario(
        command=clip("out/memory.txt"),
        target="out",
        failed=2,
        prepare=(clip("out/memory.txt"), clip("out/memory.txt")),
        # Two commands are two steps.
        without=("double",),
    ),
    "predict": Scenario(
        command=("predict", "--quiet", "--model", "in/run", "--file", "in/dev.tsv", "--format",
                 "csv", "--output", "out/predicted.csv"),
        target="out",
        prepare=((*RUN, "in/run"),),
        before=(("in/old", "out"),),
    ),
    "cases": Scenario(
        command=("cases", "--policy", "component:*@torch", "--count", "12", "--largest", "100",
                 "--output", "out/cases"),
        target="out",
        failed=2,
        fresh=True,
    ),
}


# Folders and files ----------------------------------------------------------------------------


def tree(folder):
    """The files below a folder by their path, with their bytes; folders end in a slash."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not path.is_symlink():
            found[name + "/"] = b""
        else:
            found[name] = path.read_bytes()
    return found


def settled(name, content):
    """The bytes of a file without what a clock says; those of half a file as they are."""
    try:
        if name.endswith("_results.json"):
            return without(json.loads(content), CLOCK.search)
        if is_journal(name):
            lines = content.decode().splitlines()
            return b"\n".join(sorted(without(json.loads(line), {"seconds", "checksum"}.__contains__)
                                     for line in lines))
    except ValueError:
        pass
    return content


def is_journal(name):
    """Whether a file is a study's journal, whose lines are in the order in which runs ended."""
    return name.endswith("journal.jsonl")


def without(value, is_left_out):
    """A JSON object without some of its keys."""
    kept = {key: value[key] for key in value if not is_left_out(key)}
    return json.dumps(kept).encode()


def is_temporary(name):
    """Whether a path is that of something unfinished."""
    return TEMPORARY.search(name) is not None


def differences(found, expected):
    """What two trees do not share, in words."""
    words = [f"{name} is missing" for name in expected if name not in found]
    for name, content in found.items():
        if name not in expected:
            words.append(f"{name} is left over")
        elif settled(name, content) != settled(name, expected[name]):
            words.append(f"{name} has other bytes")
    return words


def replace(source, target):
    """Makes a folder a copy of another."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


# Running a command ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """A line of faults.c's log."""

    number: int
    kind: str
    path: str
    second: str


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    def printed(self):
        """What it printed, without times."""
        return TIMED_LINE.sub("", self.stdout)

    def last_line(self):
        """What it said last."""
        lines = self.stderr.strip().splitlines()
        return lines[-1] if lines else ""

    def problems(self):
        """What no command may do, however it is disturbed."""
        if "panicked" in self.stderr or self.code == 101:
            return [f"a panic: {self.last_line()}"]
        if self.code < 0:
            return [f"ended by signal {-self.code}"]
        return []


class Workshop:
    """A folder in which a scenario's command is run again and again from the same start.

    `in` holds the inputs, `out` what is written, `tmp` is the command's TMPDIR and HOME; commands
    run in the folder itself, so that all paths in records are the same.
    """

    def __init__(self, folder, scenario, cwgnc, library):
        self.root, self.scenario, self.cwgnc, self.library = folder, scenario, cwgnc, library
        self.target = folder / scenario.target
        self.start_of_target = folder.parent / "start"
        for name in ("in", "out", "tmp"):
            (folder / name).mkdir(parents=True)
        self._inputs()
        for command in scenario.prepare:
            self._prepared(command)
        if scenario.target != "out":
            shutil.rmtree(self.target, ignore_errors=True)
        for source, place in scenario.before:
            shutil.copytree(folder / source, folder / place, dirs_exist_ok=True)
        if self.target.exists():
            shutil.copytree(self.target, self.start_of_target)
        self.outside = self._outside()

    def _inputs(self):
        demo, into = FIXTURES / "demo", self.root / "in"
        shutil.copytree(demo / "model", into / "model")
        for name in ("train.tsv", "dev.tsv"):
            shutil.copy(demo / name, into)
        shutil.copy(FIXTURES / "pairs" / "0000.before.safetensors", into / "g.safetensors")
        rows = (demo / "train.tsv").read_text().splitlines()[1:201]
        texts = [row.split("\t")[0] for row in rows]
        paragraphs = ["\n".join(texts[i:i + 5]) for i in range(0, len(texts), 5)]
        (into / "corpus.txt").write_text("\n\n".join(paragraphs) + "\n")
        (into / "old").mkdir()
        (into / "old" / "predicted.csv").write_text("an older file\n")

    def _prepared(self, command):
        ended = self.call(command)
        if ended.code != 0:
            raise Failed(f"cwgnc {shlex.join(command)}: exit code {ended.code}\n{ended.stderr}")

    def _outside(self):
        """All files but those of the target."""
        inside = self.scenario.target + "/"
        return {name: content for name, content in tree(self.root).items()
                if not name.startswith(inside)}

    def changed_outside(self):
        """What has changed that should not have."""
        return [f"outside of the target: {words}"
                for words in differences(self._outside(), self.outside)]

    def start(self):
        """Makes the target what it was before the command."""
        shutil.rmtree(self.target, ignore_errors=True)
        if self.start_of_target.exists():
            shutil.copytree(self.start_of_target, self.target)

    def found(self):
        """The target's files by their path in the workshop."""
        if not self.target.exists():
            return {}
        prefix = self.scenario.target + "/"
        return {prefix + name: content for name, content in tree(self.target).items()}

    def environment(self, mode="", at=0, log=None, keep=None):
        """The variables of a command; with a mode those of faults.c."""
        variables = {"PATH": os.environ.get("PATH", ""), "RAYON_NUM_THREADS": "1", "TZ": "UTC",
                     "TMPDIR": str(self.root / "tmp"), "HOME": str(self.root / "tmp")}
        if mode:
            variables |= {"LD_PRELOAD": str(self.library), "FAULTS_MODE": mode,
                          "FAULTS_AT": str(at)}
        if log:
            variables["FAULTS_LOG"] = str(log)
        if keep:
            variables["FAULTS_KEEP"] = str(keep)
        return variables

    def begin(self, command, **disturbed):
        """Starts a command."""
        return subprocess.Popen(
            [str(self.cwgnc), *command], cwd=self.root, env=self.environment(**disturbed),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def call(self, command, **disturbed):
        """Runs a command to its end."""
        return ended(self.begin(command, **disturbed))

    def counted(self):
        """The undisturbed run: its operations and all states that a file may be in."""
        log, keep = self.root.parent / "log", self.root.parent / "keep"
        log.unlink(missing_ok=True)
        shutil.rmtree(keep, ignore_errors=True)
        keep.mkdir()
        self.start()
        before = self.found()
        result = self.call(self.scenario.command, mode="count", log=log, keep=keep)
        if result.code != 0:
            raise Failed(f"undisturbed: exit code {result.code}\n{result.stderr}")
        return Reference(operations(log, self.root), before, self.found(), result, keep)


def ended(process):
    """Waits for a process; one that does not end is killed and said to hang."""
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err += f"\nno end after {TIMEOUT} s"
    return Ended(process.returncode, out, err)


def operations(log, root):
    """The log of faults.c, with paths in the workshop."""
    def inside(path):
        return path.removeprefix(f"{root}/")

    lines = (line.split("\t") for line in log.read_text().splitlines())
    return [Operation(int(n), kind, inside(path), inside(second))
            for n, kind, path, second in lines]


# What must hold -------------------------------------------------------------------------------


class Reference:
    """What an undisturbed run did and left."""

    def __init__(self, ops, before, after, result, keep):
        self.operations, self.before, self.after = ops, before, after
        self.printed = result.printed()
        self.names = self._final_names()
        self.states = self._states(before, keep)
        # Files that are added to line by line under their own name.
        self.appended = {op.path for op in ops if op.kind == "write" and not is_temporary(op.path)}

    def _final_names(self):
        """The name that each temporary file or folder has in the end."""
        return {op.path: op.second for op in self.operations if op.kind == "rename"}

    def _states(self, before, keep):
        """All that each file was under its name when it was whole."""
        states = defaultdict(set)
        for known in (before, self.after):
            for name, content in known.items():
                states[name].add(settled(name, content))
        for op in self.operations:
            if op.kind == "rename" and (keep / str(op.number)).is_file():
                content = (keep / str(op.number)).read_bytes()
                states[op.second].add(settled(op.second, content))
            elif op.kind == "rename":
                for name in [name for name in states if name.startswith(op.path + "/")]:
                    states[op.second + name[len(op.path):]] |= states[name]
        return states

    def is_whole(self, name, content):
        """Whether a file under its final name is one that a run may leave."""
        if name.endswith("/") or settled(name, content) in self.states[name]:
            return True
        if name not in self.appended:
            return False
        ends = content[:content.rfind(b"\n") + 1], self.after.get(name, b"")
        lines, whole = ([settled(name, line) for line in text.splitlines()] for text in ends)
        if is_journal(name):
            return len(set(lines)) == len(lines) and set(lines) <= set(whole)
        return lines == whole[:len(lines)]

    def torn(self, found):
        """What lies in the target and is not whole."""
        return [f"{name} is not whole" for name, content in found.items()
                if not is_temporary(name) and not self.is_whole(name, content)]

    def called(self, op):
        """The operation of the undisturbed run that this one is, whose names are known.

        Two threads of a study may have come in another order; then it is the operation itself.
        """
        same = self.operations[op.number - 1] if op.number <= len(self.operations) else op
        is_same = same.kind == op.kind and masked(same.path) == masked(op.path)
        return same if is_same else op

    def is_named(self, op, text):
        """Whether a message names what an operation was about.

        That is the file under its final name; of a removal, or where that name is not known, its
        folder will do.
        """
        wanted = {op.path, self.names.get(op.path, op.path)}
        if op.kind in REMOVALS or is_temporary(op.path) and op.path not in self.names:
            wanted.add(Path(op.path).parent.as_posix())
        return any(name in text for name in wanted)

    def unsynced(self):
        """Names that are taken or counted on before they are on the disk."""
        words, dirty, new = [], set(), set()
        for place, op in enumerate(self.operations):
            later = self.operations[place + 1:]
            if op.kind == "create" and op.path in self.appended:
                new.add(op.path)
            elif op.kind == "write":
                dirty.add(op.path)
            elif op.kind == "sync":
                dirty.discard(op.path)
                if op.path in new and not is_synced(later[:1], op.path):
                    words.append(f"{op.path} is new and synced, and its folder is not")
                new.discard(op.path)
            elif op.kind == "rename":
                if op.path in dirty:
                    words.append(f"{op.second} takes its name before its bytes are on the disk")
                if not is_synced(later, op.second):
                    words.append(f"{op.second}: the name is not on the disk when a file is removed "
                                 "or the command ends")
        return words


def is_synced(later, name):
    """Whether the folder of a file is synced before something is removed."""
    folder = Path(name).parent.as_posix()
    for op in later:
        if op.kind == "sync" and op.path == folder:
            return True
        if op.kind in REMOVALS:
            return False
    return False


@dataclass
class Result:
    """A row of the table."""

    scenario: str
    mode: str
    operations: int
    runs: int = 0
    right: int = 0
    faults: list = field(default_factory=list)

    def take(self, point, words):
        """Counts what came of a point."""
        self.runs += 1
        self.right += not words
        self.faults += [(point, word) for word in dict.fromkeys(map(masked, words))]


def masked(word):
    """A fault without what chance or the point put into it, so that equal faults are one."""
    word = re.sub(r"\.cwgnc-\w+\.tmp", ".cwgnc-*.tmp", word)
    return re.sub(r"checkpoint-\d+", "checkpoint-N", word)


class Trial:
    """One scenario in one mode."""

    def __init__(self, shop, reference):
        self.shop, self.scenario, self.reference = shop, shop.scenario, reference

    def goes_on(self):
        """Runs the way to go on, and says what is not as it would have been."""
        if self.scenario.fresh and any(self.shop.found()):
            self.shop.start()
        result = self.shop.call(self.scenario.repeat())
        if result.code != 0:
            return [f"the repeat ends with {result.code}: {result.last_line()}"]
        words = differences(self.shop.found(), self.reference.after)
        if result.printed() != self.reference.printed:
            words.append("the repeat prints something else")
        return [f"after the repeat {word}" for word in words]

    def left(self):
        """What is wrong in the folder after a disturbed command."""
        return self.shop.changed_outside() + self.reference.torn(self.shop.found())

    # A mode has points, and says what is wrong after one.

    def crash_points(self):
        """Each operation, and each write halfway."""
        for op in self.reference.operations:
            yield str(op.number)
            if op.kind == "write":
                yield f"{op.number}t"

    def crash(self, point):
        """Killed before the operation, or halfway through it."""
        self.shop.start()
        mode = "torn" if point.endswith("t") else "kill"
        result = self.shop.call(self.scenario.command, mode=mode, at=point.rstrip("t"))
        if result.code != -signal.SIGKILL:
            return [f"was not killed: exit code {result.code}"]
        return self.left() + self.goes_on()

    def full_points(self):
        """Operations that need space."""
        return (str(op.number) for op in self.reference.operations
                if op.kind not in NEEDS_NO_SPACE)

    def full(self, point):
        """A full disk from the operation on."""
        words = self.failing("full", point)
        words += [f"{TEMPORARY.search(name)[0]} is left on the full disk"
                  for name in self.shop.found() if is_temporary(name)]
        return words + self.goes_on()

    def error_points(self):
        """All operations."""
        return (str(op.number) for op in self.reference.operations)

    def error(self, point):
        """The operation fails once."""
        return self.failing("error", point) + self.goes_on()

    def failing(self, mode, point):
        """A command with an operation that fails: its exit code, message and files."""
        self.shop.start()
        log = self.shop.root.parent / "log"
        log.unlink(missing_ok=True)
        result = self.shop.call(self.scenario.command, mode=mode, at=point, log=log)
        op = self.reference.called(operations(log, self.shop.root)[int(point) - 1])
        words = result.problems() + self.left()
        if result.code == 0:
            words += [f"exit code 0 and {word}"
                      for word in differences(self.shop.found(), self.reference.after)]
            if op.kind not in REMOVALS:
                words.append(f"exit code 0, although {op.kind} failed")
        elif result.code != self.scenario.failed and not words:
            words.append(f"exit code {result.code}, not {self.scenario.failed}")
        words += self.written_all_the_same(result)
        if result.code > 0 and not self.reference.is_named(op, result.stderr):
            words.append(f"does not name the file of {op.kind}: {result.last_line()}")
        return words

    def written_all_the_same(self, result):
        """Files that a command which failed should not have written."""
        found = self.shop.found()
        return [f"exit code {result.code}, and {name} is written all the same"
                for name in self.scenario.withheld
                if result.code != 0 and found.get(name) != self.reference.before.get(name)]

    def double_points(self):
        """All operations, with the same command beside and with the one that goes on."""
        for op in self.reference.operations:
            yield str(op.number)
            if self.scenario.again:
                yield f"{op.number}r"

    def double(self, point):
        """Two commands in one folder; the first waits before the operation for the second."""
        self.shop.start()
        beside = self.scenario.repeat() if point.endswith("r") else self.scenario.command
        first = self.shop.begin(self.scenario.command, mode="stop", at=point.rstrip("r"))
        os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        second = self.shop.begin(beside)
        try:
            second.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            pass
        first.send_signal(signal.SIGCONT)
        both = [ended(first), ended(second)]
        words = self.shop.changed_outside() + [word for each in both for word in each.problems()]
        if all(each.code for each in both):
            words.append("both fail: " + "; ".join(each.last_line() for each in both))
        for each in both:
            if each.code and self.scenario.target + "/" not in each.stderr:
                words.append(f"does not name the folder: {each.last_line()}")
        return words + differences(self.shop.found(), self.reference.after)

    def flips_points(self, seed=0, count=1):
        """Random bits of each file: number of the damage, bit and path."""
        for number, damage in enumerate(self.scenario.damages):
            self.damaged_state(damage)
            chance = random.Random(f"{seed} {damage.folder} {number}")
            for name, content in tree(self.shop.root / damage.folder).items():
                bits = 0 if is_temporary(name) else 8 * len(content)
                for bit in sorted(chance.sample(range(bits), min(count, bits))):
                    yield f"{number}:{bit}:{damage.folder}/{name}"

    def damaged_state(self, damage):
        """The files as they are before a bit is flipped."""
        self.shop.start()
        command = self.scenario.command
        if damage.killed_before:
            kind, path = damage.killed_before
            at = max(op.number for op in self.reference.operations
                     if op.kind == kind and path in (op.path, op.second))
            self.shop.call(command, mode="kill", at=at)
        elif damage.folder.startswith(self.scenario.target):
            self.shop.call(command)

    def flips(self, point):
        """A flipped bit is told by the file's name, or nothing is other than without it."""
        number, bit, name = point.split(":", 2)
        damage = self.scenario.damages[int(number)]
        self.damaged_state(damage)
        path = self.shop.root / name
        whole = path.read_bytes()
        path.write_bytes(flipped(whole, int(bit)))
        result = self.shop.call(self.scenario.repeat())
        found = self.shop.found()
        path.write_bytes(whole)
        words = result.problems()
        if result.code == 0:
            words += self.other_results(result, found, name)
        elif not tells(result.stderr, name):
            words.append(f"{name} is not named: {result.last_line()}")
        return words

    def other_results(self, result, found, name):
        """What a command gave that read a damaged file and did not say so."""
        place = f"{name} is damaged, exit code 0"
        rest = dict(found)
        # The damaged file itself is not the question; a merge has a copy of it.
        for kept in (name, name.replace("in/shard-1", "out/whole").replace("in/shard-2",
                                                                           "out/whole")):
            if kept in self.reference.after and kept in rest:
                rest[kept] = self.reference.after[kept]
        words = differences(rest, self.reference.after)
        if result.printed() != self.reference.printed:
            words.append("prints something else")
        return [f"{place}, and {words[0]}"] if words else []


def flipped(content, bit):
    """The bytes with one bit changed."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# How cwgnc lists what is other than in another record: the list says what is damaged.
LISTS = ("it is another ", "is not of the study of", "has other settings than")


def tells(text, name):
    """Whether a message says what is damaged: the file, or what a list has in two forms.

    Of a list of checksums it may be another file of its folder.
    """
    if Path(name).name in text or any(words in text for words in LISTS):
        return True
    return name.endswith("checksums.json") and Path(name).parent.as_posix() in text


# The command line -----------------------------------------------------------------------------


def parsed():
    """The arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="*", help=", ".join(SCENARIOS) + " (default: all)")
    parser.add_argument("--cwgnc", type=Path, required=True, help="the program")
    parser.add_argument("--mode", choices=MODES, help="one mode (default: all)")
    parser.add_argument("--every", type=int, default=1, metavar="K", help="each K-th point alone")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N of these")
    parser.add_argument("--at", metavar="POINT", help="one point, as a fault names it")
    parser.add_argument("--seed", type=int, default=1, help="chooses the bits (default: 1)")
    parser.add_argument("--flips", type=int, default=4, metavar="N",
                        help="bits of each file, one at a time (default: 4)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    for name in args.scenario:
        if name not in SCENARIOS:
            parser.error(f"unknown scenario {name}; known: {', '.join(SCENARIOS)}")
    if args.at and not (args.mode and len(args.scenario) == 1):
        parser.error("--at needs one scenario and --mode")
    if args.every < 1:
        parser.error("--every must be at least 1")
    if not args.cwgnc.is_file():
        parser.error(f"--cwgnc: {args.cwgnc} is not there")
    return args


def built(folder):
    """Compiles faults.c."""
    library = folder / "faults.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(HERE / "faults.c")]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise Failed("no C compiler: cc is not there") from error
    except subprocess.CalledProcessError as error:
        raise Failed(f"cc does not build faults.c:\n{error.stderr}") from error
    return library


def points_of(trial, mode, args):
    """The points of a mode that are asked for."""
    if args.at:
        return [args.at] if args.at != ORDER else []
    if mode == "flips":
        points = trial.flips_points(args.seed, args.flips)
    else:
        points = getattr(trial, f"{mode}_points")()
    return list(points)[::args.every][:args.limit]


def measured(trial, name, mode, args):
    """The row of a scenario in a mode."""
    row = Result(name, mode, len(trial.reference.operations))
    points = points_of(trial, mode, args)
    for number, point in enumerate(points, 1):
        if sys.stderr.isatty():
            print(f"\r{name} {mode} {number}/{len(points)} ", end="", file=sys.stderr)
        row.take(point, getattr(trial, mode)(point))
    if mode == "crash" and (args.at in (None, ORDER)):
        words = map(masked, trial.reference.unsynced())
        row.faults += [(ORDER, word) for word in dict.fromkeys(words)]
    return row


def checked_reference(shop):
    """The undisturbed run, which must be the same twice, or no point would mean anything."""
    reference, again = shop.counted(), shop.counted()
    # Two threads of a study may come in another order.
    kinds = [sorted(op.kind for op in each.operations) for each in (reference, again)]
    words = differences(again.after, reference.after)
    if words or kinds[0] != kinds[1]:
        raise Failed(f"two undisturbed runs differ: {', '.join(words) or 'in their operations'}")
    for op in reference.operations:
        if not (op.second or op.path).startswith(shop.scenario.target.split("/")[0]):
            raise Failed(f"undisturbed: {op.kind} of {op.path}, outside of the target")
    return reference


def rows_of(name, args, library, cwgnc):
    """All rows of a scenario."""
    with tempfile.TemporaryDirectory(prefix="cwgnc-faults-") as folder:
        shop = Workshop(Path(folder).resolve() / "work", SCENARIOS[name], cwgnc, library)
        trial = Trial(shop, checked_reference(shop))
        modes = [args.mode] if args.mode else MODES
        return [measured(trial, name, mode, args) for mode in modes if shop.scenario.has(mode)]


def grouped(row):
    """The faults of a row by what they say, with their points."""
    groups = defaultdict(list)
    for point, word in row.faults:
        groups[word].append(point)
    return groups


def repeating(args, row, point):
    """The command that repeats a fault."""
    return shlex.join(["python3", "tools/faults.py", "--cwgnc", str(args.cwgnc), row.scenario,
                       "--mode", row.mode, "--at", point])


def table(rows):
    """The figures, aligned."""
    lines = [("scenario", "mode", "operations", "runs", "ended right", "faults")]
    lines += [(row.scenario, row.mode, str(row.operations), str(row.runs), str(row.right),
               str(len(grouped(row)))) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                     for line in lines)


def listed(args, rows):
    """Each fault with the points where it was seen and the command that repeats the first."""
    for row in rows:
        for word, points in grouped(row).items():
            yield {"scenario": row.scenario, "mode": row.mode, "fault": word, "points": points,
                   "repeat": repeating(args, row, points[0])}


def as_json(args, rows):
    """Figures and faults as JSON."""
    figures = [{"scenario": row.scenario, "mode": row.mode, "operations": row.operations,
                "runs": row.runs, "ended_right": row.right, "faults": len(grouped(row))}
               for row in rows]
    return json.dumps({"rows": figures, "faults": list(listed(args, rows))}, indent=2)


def as_text(args, rows):
    """Figures and faults to read."""
    parts = [table(rows)]
    for fault in listed(args, rows):
        count = len(fault["points"])
        places = f"{count} points" if count > 1 else "1 point"
        parts.append(f"\n{fault['scenario']}, {fault['mode']}, {places}: {fault['fault']}\n"
                     f"    {fault['repeat']}")
    return "\n".join(parts)


def main():
    """Runs what is asked for and prints the table."""
    args = parsed()
    with tempfile.TemporaryDirectory(prefix="cwgnc-faults-") as folder:
        library, rows = built(Path(folder)), []
        for name in args.scenario or SCENARIOS:
            rows += rows_of(name, args, library, args.cwgnc.resolve())
    print(as_json(args, rows) if args.json else as_text(args, rows))
    return 1 if any(row.faults for row in rows) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(2)
