"""Times PyTorch's clipping of BERT-base's 201 gradients in turn with this crate's, in one run.

    python benches/clip_beside_torch.py [--threads 2] [--rounds 15]

Needs torch. Starts `cargo bench --bench clip -- --answer`, then round after round times each of PyTorch's forms and asks
the bench for each of its own, so that a drift of the machine's speed hits both alike. Prints medians, and the median
over the rounds of each ratio with its quartiles. Before it is timed, each form's result is compared with the formula.

    loop      torch.nn.utils.clip_grad_norm_(p, c) for each parameter, as the paper's code does
    foreach   torch._foreach_norm, one clamp for all factors, torch._foreach_mul_
"""

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--rounds", type=int, default=15)
args = parser.parse_args()

import torch  # noqa: E402  (after the arguments, so that --help is quick)

torch.set_num_threads(args.threads)


def shapes():
    """BERT-base, in walk order."""
    h, i = 768, 3072
    found = [(30522, h), (512, h), (2, h), (h,), (h,)]
    for _ in range(12):
        found += [(h, h), (h,)] * 4 + [(h,), (h,), (i, h), (i,), (h, i), (h,), (h,), (h,)]
    return found + [(h, h), (h,), (2, h), (2,)]


parameters = [torch.nn.Parameter(torch.empty(shape)) for shape in shapes()]
for parameter in parameters:
    parameter.grad = torch.empty_like(parameter)
gradients = [parameter.grad for parameter in parameters]


def loop(threshold):
    for parameter in parameters:
        torch.nn.utils.clip_grad_norm_(parameter, threshold)


def foreach(threshold):
    norms = torch.stack(torch._foreach_norm(gradients, 2))
    factors = torch.clamp(threshold / (norms + 1e-6), max=1.0)
    torch._foreach_mul_(gradients, list(factors.unbind()))


FORMS = {"loop": loop, "foreach": foreach}
NONE, ALL = 1e5, 0.05


def refill():
    torch.manual_seed(0)
    for gradient in gradients:
        gradient.uniform_(-1.0, 1.0)


def check():
    """Both forms leave norms of 0.05, and nothing changed below the threshold. PyTorch adds squares up in float32: over the
    23 million elements of the word embedding its norm is off by nearly 1e-3."""
    for name, form in FORMS.items():
        refill()
        kept = gradients[0].clone()
        form(NONE)
        assert torch.equal(kept, gradients[0]), name
        form(ALL)
        norms = [gradient.double().norm().item() for gradient in gradients]
        assert max(abs(norm / ALL - 1) for norm in norms) < 2e-3, (name, min(norms), max(norms))


def timed(form, threshold):
    if threshold == ALL:
        # What was clipped before is scaled up again, untimed.
        torch._foreach_mul_(gradients, 100.0)
    start = time.perf_counter()
    form(threshold)
    return time.perf_counter() - start


def main():
    check()
    environment = dict(os.environ, RAYON_NUM_THREADS=str(args.threads))
    root = Path(__file__).resolve().parent.parent
    bench = subprocess.Popen(
        ["cargo", "bench", "--quiet", "--bench", "clip", "--", "--answer"],
        cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )

    def ours(side):
        print(side, file=bench.stdin, flush=True)
        return float(bench.stdout.readline())

    ours("read")
    refill()
    sides = [
        "read", "clip-none", "torch-loop-none", "torch-foreach-none",
        "read-write", "clip-all", "torch-loop-all", "torch-foreach-all",
    ]
    times = {side: [] for side in sides}
    for _ in range(args.rounds):
        for side in sides:
            if side.startswith("torch"):
                _, form, what = side.split("-")
                times[side].append(timed(FORMS[form], NONE if what == "none" else ALL))
            else:
                times[side].append(ours(side))
    bench.stdin.close()
    bench.wait()
    print(f"{sum(g.numel() for g in gradients)} elements, {args.threads} threads, {args.rounds} rounds, torch {torch.__version__}")
    for side in sides:
        print(f"{side:20} {1e3 * statistics.median(times[side]):7.1f} ms")
    for what, plain in (("none", "read"), ("all", "read-write")):
        for other in (f"torch-loop-{what}", f"torch-foreach-{what}"):
            ratio(times, other, f"clip-{what}")
        ratio(times, f"clip-{what}", plain)


def ratio(times, above, below):
    found = [a / b for a, b in zip(times[above], times[below])]
    low, middle, high = statistics.quantiles(found, n=4)
    print(f"{above + ' / ' + below:34} {middle:5.2f}  ({low:.2f} to {high:.2f})")


main()
