#!/usr/bin/env python3
"""Shuffled, doubled and split delivery of one hospital's messages gives the same chart as ordered delivery."""
import os
import random
import tempfile

from veilleuse_site import FAST, Node, done, note, ok, run, same

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
BEDS = 40 if FAST else 80
note(f"seed {SEED}")
chance = random.Random(SEED)
work = tempfile.mkdtemp(prefix="veilleuse-delivery.")
ordered = os.path.join(work, "ordered.hl7")
code, _, err = run("simulate", "--beds", BEDS, "--seed", SEED % 100000, "--hours", 24, "--out", ordered)
ok(code == 0, "the simulator writes a hospital", err)
with open(ordered, "rb") as file:
    messages = [m.strip(b"\n") for m in file.read().split(b"\n\n") if m.strip()]
ok(len(messages) > 25 * BEDS, f"{len(messages)} messages")


def deliver(parts, connections):
    node = Node().start()
    try:
        for number, part in enumerate(parts):
            path = os.path.join(work, f"part{number}.hl7")
            with open(path, "wb") as file:
                file.write(b"\n\n".join(part) + b"\n\n")
            code, report, err = node.send(path, "--connections", connections)
            if code:
                return f"send failed: {err} {report}"
        digest = node.digest()
        code, out, err = run("rebuild", node.dir)
        if node.digest() != digest:
            return "the rebuilt chart differs"
        return digest
    finally:
        node.close()


wanted = deliver([messages], 1)
note(wanted)
ok(len(wanted) == 64, "ordered delivery gives a digest", wanted)
shuffled = messages[:]
chance.shuffle(shuffled)
same(deliver([shuffled], 1), wanted, "shuffled")
doubled = shuffled + chance.sample(messages, len(messages) // 2)
chance.shuffle(doubled)
same(deliver([doubled], 4), wanted, "doubled, over 4 connections")
cut = sorted(chance.sample(range(len(messages)), 4))
parts = [messages[a:b] for a, b in zip([0] + cut, cut + [len(messages)])]
chance.shuffle(parts)
same(deliver(parts, 16), wanted, "split in parts, out of order, over 16 connections")
for name in os.listdir(work):
    os.unlink(os.path.join(work, name))
os.rmdir(work)
done()
