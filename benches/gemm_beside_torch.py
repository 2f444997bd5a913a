"""Times PyTorch's matrix products of BERT's shapes in turn with this crate's, in one run.

    python benches/gemm_beside_torch.py [--hidden 128 256 384 512 768] [--threads 2] [--rounds 15]

Needs torch. Starts `cargo bench --bench gemm -- --answer`; round after round PyTorch and this crate multiply the same shapes
(2048 tokens, float32), so that a drift of the machine's speed hits both alike. Prints the median speeds, and the median over
the rounds of PyTorch's time over ours, with quartiles. Each of PyTorch's results is compared with float64 before it is timed.

    forward   y  = x Wᵀ       torch.mm(x, W.T)
    input     dx = dy W       torch.mm(dy, W)
    weight    dW += dyᵀ x     dW.addmm_(dy.T, x)
"""

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--hidden", nargs="+", type=int, default=[128, 256, 384, 512, 768])
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--rounds", type=int, default=15)
args = parser.parse_args()

import torch  # noqa: E402  (after the arguments, so that --help is quick)

torch.set_num_threads(args.threads)
TOKENS = 2048


class Layer:
    """The matrices of one linear layer."""

    def __init__(self, inputs, outputs):
        self.x, self.w = torch.rand(TOKENS, inputs) - 0.5, torch.rand(outputs, inputs) - 0.5
        self.dy = torch.rand(TOKENS, outputs) - 0.5
        self.y, self.dx = torch.zeros(TOKENS, outputs), torch.zeros(TOKENS, inputs)
        self.dw = torch.zeros(outputs, inputs)

    def forward(self):
        return torch.mm(self.x, self.w.T, out=self.y)

    def input(self):
        return torch.mm(self.dy, self.w, out=self.dx)

    def weight(self):
        return self.dw.addmm_(self.dy.T, self.x)

    def check(self):
        x, w, dy = self.x.double(), self.w.double(), self.dy.double()
        for found, a, b in [(self.forward(), x, w.T), (self.input(), dy, w), (self.weight(), dy.T, x)]:
            error = (found - a @ b).abs() / (a.abs() @ b.abs())
            assert error.max() < 1e-5, error.max()


def seconds(product):
    """The median of three after one that wakes the threads up, as the bench does."""

    def once():
        start = time.perf_counter()
        product()
        return time.perf_counter() - start

    once()
    return statistics.median(once() for _ in range(3))


def rested(measure):
    """The other side's threads look for work for a while before they sleep: not beside these products."""
    time.sleep(0.05)
    return measure()


def main():
    environment = dict(os.environ, RAYON_NUM_THREADS=str(args.threads))
    bench = subprocess.Popen(
        ["cargo", "bench", "--quiet", "--bench", "gemm", "--", "--answer"],
        cwd=Path(__file__).resolve().parent.parent, env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )

    def ask(line):
        print(line, file=bench.stdin, flush=True)
        return float(bench.stdout.readline())

    print(f"{args.threads} threads, {args.rounds} rounds, torch {torch.__version__}; GFLOP/s, then torch's time / ours")
    print("inputs outputs  form     ours    torch   ratio")
    ratios = []
    for hidden in args.hidden:
        for inputs, outputs in [(hidden, hidden), (hidden, 4 * hidden), (4 * hidden, hidden)]:
            layer = Layer(inputs, outputs)
            layer.check()
            for form in ["forward", "input", "weight"]:
                line, product = f"{form} {inputs} {outputs}", getattr(layer, form)
                pairs = [(rested(lambda: ask(line)), rested(lambda: seconds(product))) for _ in range(args.rounds)]
                ours, theirs = zip(*pairs)
                speed = [2e-9 * TOKENS * inputs * outputs / statistics.median(times) for times in (ours, theirs)]
                low, middle, high = statistics.quantiles([b / a for a, b in pairs], n=4)
                ratios.append(middle)
                print(
                    f"{inputs:6} {outputs:7}  {form:8} {speed[0]:6.1f} {speed[1]:8.1f}  {middle:.2f} ({low:.2f} to {high:.2f})",
                    flush=True,
                )
    print(f"geometric mean of the ratios {statistics.geometric_mean(ratios):.2f}")
    bench.stdin.close()
    bench.wait()


main()
