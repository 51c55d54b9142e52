#!/usr/bin/env python3
"""start - from a start after kill -9 to the first chart.

goal: under 2 s with 10 million entries (MILLIONS=10 for that run)
"""
import os
import time

from benchlib import Node, Pages, header, hospital, line, run, wait_for_chart

header("start")
millions = float(os.environ.get("MILLIONS", "1"))
path = hospital(1000, round(millions * 120))
node = Node()
try:
    run("import", node.dir, path, timeout=3600)
    node.start(600)
    wait_for_chart(node)
    samples = []
    for _ in range(5):
        node.kill_all()
        start = time.monotonic()
        node.start()
        while b"ward/" not in Pages(node.web).get("/")[1]:
            time.sleep(0.01)
        samples.append(time.monotonic() - start)
    line(f"start_{millions:g}_million", sorted(samples)[2], "s", samples)
finally:
    node.close()
