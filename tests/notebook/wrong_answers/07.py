"""Typical wrong answers to chapter 7's exercises, and words of the diagnosis each should get."""

ACCUMULATE = "def accumulate(loss_of, x, parts):\n"
RATE = "def learning_rate(step, total, lr, warmup, constant):\n"
MEAN = "def mean_over_processes(scores, all_reduce):\n"
CLIPS = "def clips_of_step(sample, seed, step, rank):\n"

WRONG = {
    "7.1": [
        (ACCUMULATE + "    loss_of(x).backward()", "saw 12 clips at once"),
        (ACCUMULATE + "    for part in x.chunk(parts):\n        loss_of(part).backward()", "4 times too long"),
        (ACCUMULATE + "    sum(loss_of(p) for p in x.chunk(parts)).backward()", "4 times too long"),
        (
            ACCUMULATE + "    for part in x.chunk(parts)[:-1]:\n        (loss_of(part) / parts).backward()",
            "saw 9 clips",
        ),
        (ACCUMULATE + "    for part in x.chunk(parts):\n        loss_of(part) / parts", "No gradient arrived"),
        (ACCUMULATE + "    sum(loss_of(p) / parts for p in x.chunk(parts)).backward()", "all of them were in memory"),
        (ACCUMULATE + "    for p in x.chunk(parts):\n        (loss_of(p) / 4).backward()", "in 2 it is not"),
        (
            ACCUMULATE + "    for i, part in enumerate(x.chunk(parts)):\n        loss = loss_of(part) / parts\n"
            "        if i == parts - 1: loss.backward()",
            "Only the last part's gradient",
        ),
        (
            ACCUMULATE + "    for p in x.chunk(parts):\n        (loss_of(p) / len(p) ** 2).backward()",
            "is not that of the whole",
        ),
    ],
    "7.4": [
        (RATE + "    return lr * min(1, (1 - step / total) / (1 - constant))", "There is no warm-up"),
        (RATE + "    return lr * min(step / warmup, 1, (1 - step / total) / (1 - constant))", "teaches nothing"),
        (RATE + "    return lr * min((step + 1) / warmup, 1)", "never falls"),
        (RATE + "    return lr * min((step + 1) / warmup, 1 - step / total)", "rate should be lr itself"),
        (
            RATE + "    return lr * min((step + 1) / (2 * warmup), 1, (1 - step / total) / (1 - constant))",
            "lr (s + 1) / warmup",
        ),
        (RATE + "    return lr * min((step + 1) / warmup, 1, 2 * (1 - step / 100))", "In a run ten times as long"),
        (RATE + "    return lr * min((step + 1) / warmup, 1, 2 * (1 - step / total))", "divide by 1 - constant"),
        (
            RATE + "    return lr * min((step + 1) / warmup, 1, (1 - step / total) / (1 - constant) ** 2 * 0.75)",
            "a straight line from lr",
        ),
    ],
    "7.2": [
        (MEAN + "    return all_reduce(scores.mean()) / 3", "nan"),
        (
            MEAN + "    m = scores.mean() if len(scores) else torch.zeros(())\n    return all_reduce(m) / 3",
            "mean of the processes' means",
        ),
        (
            MEAN + "    if not len(scores):\n        return torch.tensor(4.0)\n"
            "    return all_reduce(scores.sum()) / all_reduce(torch.tensor(float(len(scores))))",
            "waited for a message",
        ),
        (MEAN + "    return all_reduce(scores).mean()", "tensors of different shapes"),
        (MEAN + "    return all_reduce(scores.sum())", "This is the sum over all"),
        (MEAN + "    return all_reduce(float(scores.sum())) / 4", "sends tensors"),
        (MEAN + "    return all_reduce(scores.sum()) / 2", "the mean is 4; yours is 8"),
    ],
    "7.3": [
        (CLIPS + "    torch.manual_seed(hash((seed, step, rank)))\n    return sample(None)", "global generator"),
        (CLIPS + "    return sample(torch.Generator().manual_seed(seed))", "every step would train on the same clips"),
        (CLIPS + "    return sample(torch.Generator().manual_seed(hash((seed, step))))", "all processes would train"),
        (CLIPS + "    return sample(torch.Generator().manual_seed(hash((step, rank))))", "would be the same run"),
        (
            CLIPS + "    return sample(torch.Generator().manual_seed(seed + 3 * step + 100 * rank))",
            "Different places share",
        ),
        (
            CLIPS + "    return sample(torch.Generator().manual_seed(seed << 48 | step << 16 | rank))",
            "not in their lowest 32 bits",
        ),
        (
            CLIPS + "    return sample(torch.Generator().manual_seed(hash(f'{seed},{step},{rank}')))",
            "each time Python starts",
        ),
        ("G = torch.Generator().manual_seed(0)\n" + CLIPS + "    return sample(G)", "made other clips the second time"),
    ],
}
