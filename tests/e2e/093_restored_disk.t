#!/usr/bin/env python3
"""A node restored from an old disk never signs another tree for a size that it signed before."""
import glob
import os
import shutil

from veilleuse_site import Node, Sender, adt, done, forget_memory, ok, run, same

seen = {}


def look(node):
    """Every checkpoint that can be seen: (origin, size) has one root for ever."""
    for path in [node.dir + "/vault/checkpoint"] + glob.glob(node.dir + "/vault/checkpoints/*"):
        with open(path, encoding="utf-8") as file:
            origin, size, root = file.read().split("\n")[:3]
        if seen.setdefault((origin, size), root) != root:
            ok(False, f"two trees were signed for {origin} at {size}")


def live(node, name, count=300):
    node.start()
    sender = Sender(node.mllp_port)
    for number in range(count):
        sender.ask(adt(f"{name}{number}", 4000 + number))
    sender.close()
    look(node)
    same(node.stop(), 0, f"{name}: sent, published, stopped")
    look(node)
    same(run("verify", node.dir)[0], 0, f"{name}: the vault verifies")


def origins(node):
    with open(node.dir + "/vault/verifier", encoding="ascii") as file:
        return [line.split("+")[0] for line in file]


node = Node()
try:
    image = node.base + "/image"
    live(node, "A")
    same(len(origins(node)), 1, "one origin")
    shutil.copytree(node.dir, image, ignore=shutil.ignore_patterns("control"))
    live(node, "B")
    same(len(origins(node)), 1, "a plain restart goes on under it")

    # The image is put back: what B was is not here any more.
    for again in ("C", "D"):
        shutil.rmtree(node.dir)
        shutil.copytree(image, node.dir)
        live(node, again)
        same(len(origins(node)), 2, f"{again}: a disk of the past begins the next epoch of the origin")
    live(node, "E")
    same(len(origins(node)), 2, "which goes on from then")

    # The machine is started anew: it remembers nothing.
    forget_memory(node.dir)
    live(node, "F")
    same(len(origins(node)), 3, "so does a machine that remembers nothing")

    # Killed, and not stopped.
    node.start()
    sender = Sender(node.mllp_port)
    for number in range(600):
        sender.ask(adt(f"G{number}", 5000 + number))
    look(node)
    node.kill_all()
    look(node)
    live(node, "H")
    same(len(origins(node)), 3, "kill -9 is no reason for another")
    same(len({root for root in seen.values()}) > 5, True, f"{len(seen)} trees were signed, each once")
finally:
    node.close()
done()
