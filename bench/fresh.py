#!/usr/bin/env python3
"""fresh - from a message's sending to its sight on the ward's page, while 500 messages/s come in.

goal: p99 under 250 ms
"""
import subprocess
import time

from benchlib import Node, Pages, Sender, adt, header, hospital, line
from veilleuse_site import PROGRAM

header("fresh")
path = hospital(300, 24, seed=3)
node = Node().start()
load = None
try:
    load = subprocess.Popen([PROGRAM, "send", node.mllp, path, "--connections", "16", "--rate", "500"], stdout=subprocess.DEVNULL)
    time.sleep(3)
    sender, pages = Sender(node.mllp_port), Pages(node.web)
    samples = []
    for n in range(150):
        name = f"FRAIS{n}X"
        stamp = time.strftime("%Y%m%d%H%M%S", time.localtime()) + f".{n:03d}"
        message = adt(f"F{n}", 900000 + n, stamp=stamp).replace(b"DUPONT", name.encode()).replace(b"CARD^", b"FRAIS^")
        start = time.monotonic()
        sender.ask(message)
        while name.encode() not in pages.get("/ward/FRAIS")[1]:
            if time.monotonic() - start > 10:
                break
            time.sleep(0.002)
        samples.append((time.monotonic() - start) * 1000)
    line("fresh", sorted(samples)[len(samples) // 2], "ms", samples)
finally:
    if load:
        load.kill()
    node.close()
