"""Two processes against one, and processes that are killed, of the shipped model's evaluation.

- torchrun starts one process and two, in turn, of one thread each. The time to start is measured by
  giving the same command again, when nothing is left to answer, and subtracted
- of two processes one is killed at a random moment, again and again, until the next run ends; in
  float64, where an answer does not depend on its neighbours in the batch, the results must be those
  of a run that nobody disturbed, each once (Linux)

    python tests/measurements/measure_processes.py --rounds 3 --kills 10
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def torchrun(processes: int, out: Path, *arguments: str) -> subprocess.Popen:
    """Start an evaluation in a number of processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), "-m", "CH3.evaluation"]
    return subprocess.Popen(
        [*command, "--device", "cpu", "--out", str(out), *arguments],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def seconds(processes: int, out: Path, *arguments: str) -> float:
    """Measure how long the command takes."""
    start = time.perf_counter()
    if torchrun(processes, out, *arguments).wait():
        sys.exit("the evaluation failed; run it by hand to see why")
    return time.perf_counter() - start


def measure_speed(rounds: int, folder: Path, arguments: list[str]) -> None:
    """Print the ratio of each round, and the median."""
    ratios = []
    for number in range(rounds):
        times = {}
        for processes in (1, 2):
            out = folder / f"{number}-{processes}.jsonl"
            whole, start_only = (seconds(processes, out, *arguments) for _ in range(2))
            times[processes] = whole, whole - start_only
        ratios.append([one / two for one, two in zip(times[1], times[2], strict=True)])
        print(
            f"one process {times[1][1]:.1f} s, two {times[2][1]:.1f} s: {ratios[-1][1]:.2f} x as "
            f"fast; with starting, {times[1][0]:.1f} s and {times[2][0]:.1f} s: "
            f"{ratios[-1][0]:.2f} x"
        )
    with_start, without = (median(column) for column in zip(*ratios, strict=True))
    print(f"median: {without:.2f} x as fast; with starting, {with_start:.2f} x")


def results(out: Path) -> list[dict]:
    """Read the whole lines of all processes' files, by problem, without the seconds."""
    files = out.parent.glob(f"{out.stem}.shard-*.jsonl")
    answers = [json.loads(line) for path in files for line in path.read_text().split("\n")[1:-1]]
    for answer in answers:
        del answer["seconds"]
    return sorted(answers, key=lambda answer: answer["unique_id"])


def measure_kills(kills: int, folder: Path, arguments: list[str], seed: int) -> None:
    """Kill processes a number of times, and compare what comes out."""
    rng, whole, killed = random.Random(seed), folder / "whole.jsonl", folder / "killed.jsonl"
    arguments = [*arguments, "--dtype", "float64"]
    seconds(2, whole, *arguments)
    wanted = results(whole)
    for number in range(1, kills + 1):
        # 1. Start, and wait for a random number of results.
        run = torchrun(2, killed, *arguments)
        goal = len(results(killed)) + rng.uniform(0, 1) * len(wanted) / (kills + 1)
        while len(results(killed)) <= goal and run.poll() is None:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 0.5))
        # 2. Kill one of the two that are still running.
        workers = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        if run.poll() is not None or not workers:
            sys.exit("the run ended before it could be killed: more problems, or fewer kills")
        victim = rng.randrange(len(workers))
        os.kill(int(workers[victim]), signal.SIGKILL)
        code, there = run.wait(), len(results(killed))
        print(f"kill {number}: {there} results on disk, torchrun ended with code {code}")
    # 3. Let the next run end, and compare.
    seconds(2, killed, *arguments)
    found = results(killed)
    once = len({result["unique_id"] for result in found}) == len(found) == len(wanted)
    right = [sum(result["correct"] for result in some) for some in (found, wanted)]
    print(
        f"after {kills} kills: {len(found)} results, each once: {once}; {right[0]} right, "
        f"undisturbed {right[1]}"
    )
    if not once or found != wanted:
        sys.exit("check failed: the results differ from those of the undisturbed run")
    print("the results are those of the undisturbed run, to the letter")


def main() -> None:
    """Print both measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--problems", type=int, default=500, help="of the 500 test problems")
    add("--prompt", default="chain-of-thought", help="as for CH3.evaluation")
    add("--batch", default="64", help="answers that grow at the same time in a process")
    add("--rounds", type=int, default=3, help="of the comparison of speed; 0: none")
    add("--kills", type=int, default=10, help="0: none")
    add("--seed", type=int, default=0, help="of the moments to kill at")
    arguments = parser.parse_args()
    options = ["--limit", str(arguments.problems), "--prompt", arguments.prompt]
    options += ["--batch", arguments.batch]
    with tempfile.TemporaryDirectory() as folder:
        if arguments.rounds:
            measure_speed(arguments.rounds, Path(folder), options)
        if arguments.kills:
            measure_kills(arguments.kills, Path(folder), options, arguments.seed)


if __name__ == "__main__":
    main()
