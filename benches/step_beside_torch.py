"""Times PyTorch's training step and forward pass of BERT in turn with this crate's, in one run.

    python benches/step_beside_torch.py [--sizes tiny mini minilm] [--lengths full real] [--forms sdpa eager loop]
                                       [--threads 2] [--rounds 9]

Needs torch and transformers. Starts `cargo bench --bench step -- --answer`; round after round each form of PyTorch and
this crate does the same work (16 sequences, dropout 0.1, float32, clipping per tensor, AdamW), so that a drift of the
machine's speed hits all alike. Prints medians, and the median over the rounds of PyTorch's time over ours, with quartiles.

    sdpa, eager     attention; fused AdamW, clipping by torch._foreach_norm, one clamp and torch._foreach_mul_
    loop            sdpa, as people write it: clip_grad_norm_ for each parameter, AdamW without foreach
    compile         sdpa, torch.compile; if asked for, since compiling takes minutes

Lengths `full` are 128 real tokens each. For `real`, lengths like those of RTE, PyTorch pads to the longest of the batch.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--sizes", nargs="+", default=["tiny", "mini", "minilm"])
parser.add_argument("--lengths", nargs="+", default=["full", "real"], choices=["full", "real"])
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--forms", nargs="+", default=["sdpa", "eager", "loop"], choices=["sdpa", "eager", "loop", "compile"])
args = parser.parse_args()

import torch  # noqa: E402  (after the arguments, so that --help is quick)
from transformers import BertConfig, BertForSequenceClassification  # noqa: E402

torch.set_num_threads(args.threads)
SIZES = {"tiny": (2, 128, 2), "mini": (4, 256, 4), "small": (4, 512, 8), "minilm": (6, 384, 12), "base": (12, 768, 12)}


class Form:
    """One way to write the step in PyTorch."""

    def __init__(self, name, size):
        layers, hidden, heads = SIZES[size]
        torch.manual_seed(0)
        config = BertConfig(
            num_hidden_layers=layers, hidden_size=hidden, num_attention_heads=heads, intermediate_size=4 * hidden,
            num_labels=2, attn_implementation="eager" if name == "eager" else "sdpa",
        )
        self.model = BertForSequenceClassification(config)
        self.run = torch.compile(self.model, dynamic=True) if name == "compile" else self.model
        self.parameters = list(self.model.parameters())
        self.is_loop = name == "loop"
        kind = {"foreach": False, "fused": False} if self.is_loop else {"fused": True}
        self.optimiser = torch.optim.AdamW(self.parameters, lr=2e-5, weight_decay=0.01, **kind)

    def clip(self):
        if self.is_loop:
            for parameter in self.parameters:
                torch.nn.utils.clip_grad_norm_(parameter, 0.05)
        else:
            gradients = [parameter.grad for parameter in self.parameters]
            norms = torch.stack(torch._foreach_norm(gradients, 2))
            factors = torch.clamp(0.05 / (norms + 1e-6), max=1.0)
            torch._foreach_mul_(gradients, list(factors.unbind()))

    def train(self, batches):
        self.model.train()
        start = time.perf_counter()
        for batch in batches:
            self.optimiser.zero_grad(set_to_none=True)
            self.run(**batch).loss.backward()
            self.clip()
            self.optimiser.step()
        return (time.perf_counter() - start) / len(batches)

    def infer(self, batches):
        self.model.eval()
        start = time.perf_counter()
        with torch.inference_mode():
            for batch in batches:
                self.run(**{key: value for key, value in batch.items() if key != "labels"})
        return (time.perf_counter() - start) / len(batches)


def batch(lengths):
    longest = max(lengths)
    sizes = torch.tensor(lengths)[:, None]
    place = torch.arange(longest)[None]
    mask = (place < sizes).long()
    return {
        "input_ids": torch.randint(1000, 30000, (len(lengths), longest)) * mask,
        "attention_mask": mask,
        "token_type_ids": (place >= sizes // 2).long() * mask,
        "labels": torch.arange(len(lengths)) % 2,
    }


def main():
    environment = dict(os.environ, RAYON_NUM_THREADS=str(args.threads))
    root = Path(__file__).resolve().parent.parent
    bench = subprocess.Popen(
        ["cargo", "bench", "--quiet", "--bench", "step", "--", "--answer"],
        cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )

    def ask(line):
        print(line, file=bench.stdin, flush=True)
        return bench.stdout.readline()

    real = json.loads(ask("lengths"))
    print(f"{args.threads} threads, {args.rounds} rounds, torch {torch.__version__}; milliseconds, then torch / ours with quartiles")
    for size in args.sizes:
        forms = {name: Form(name, size) for name in args.forms}
        for lengths in args.lengths:
            batches = [batch([128] * 16)] if lengths == "full" else [batch(row) for row in real]
            for what in ("train", "infer"):
                times = {name: [] for name in ["ours", *args.forms]}
                for _ in range(args.rounds + 1):
                    times["ours"].append(float(ask(f"{what} {size} {lengths}")))
                    for name, form in forms.items():
                        times[name].append(getattr(form, what)(batches))
                report(f"{what} {size} {lengths}", {name: found[1:] for name, found in times.items()})
    bench.stdin.close()
    bench.wait()


def report(title, times):
    words = [f"{title:18} ours {1e3 * statistics.median(times['ours']):8.1f}"]
    for name in args.forms:
        ratios = [a / b for a, b in zip(times[name], times["ours"])]
        low, middle, high = statistics.quantiles(ratios, n=4)
        words.append(f"{name} {1e3 * statistics.median(times[name]):8.1f}  {middle:.2f} ({low:.2f} to {high:.2f})")
    print("   ".join(words), flush=True)


main()
