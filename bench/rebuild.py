#!/usr/bin/env python3
"""rebuild - the chart made again from the vault.

goal: 30,000 messages/s at 1 million and still 20,000/s at 10 million (MILLIONS=10 for that run)
"""
import os
import re
import resource

from benchlib import Node, header, hospital, line, run

header("rebuild")
millions = float(os.environ.get("MILLIONS", "1"))
path = hospital(1000, round(millions * 120))
node = Node()
try:
    code, out, err = run("import", node.dir, path, timeout=3600)
    if code:
        raise SystemExit("import: " + err)
    print("# " + out.decode().strip())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, out, err = run("rebuild", node.dir, timeout=7200)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    count, seconds = re.match(rb"(\d+) entries in ([\d.]+) s", out).groups()
    line(f"rebuild_{millions:g}_million", float(count) / float(seconds), "messages/s")
    line(f"rebuild_{millions:g}_million_processor", used * 1e6 / float(count), "us/message")
    chart = max((os.path.join(node.dir, "chart", f) for f in os.listdir(node.dir + "/chart")), key=os.path.getsize)
    line("chart_bytes_per_message", os.path.getsize(chart) / float(count), "bytes")
finally:
    node.close()
