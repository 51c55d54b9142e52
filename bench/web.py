#!/usr/bin/env python3
"""web - a ward's page of 30 patients, plain and unaudited until accounts exist; wrk makes the load.

goal: 5,000/s; p99 under 5 ms at 500/s
"""
import re
import shutil
import subprocess
import threading
import time

from benchlib import Node, Pages, Sender, adt, cpu_s, header, hospital, line, wait_for_chart

header("web")
node = Node().start()
try:
    node.send(hospital(300, 24, seed=3), "--connections", 16)
    sender = Sender(node.mllp_port)
    for n in range(30):
        sender.ask(adt(f"W{n}", 800000 + n, stamp=f"20260106080000.{n:03d}").replace(b"CARD^", b"TRENTE^"))
    wait_for_chart(node)
    while Pages(node.web).get("/ward/TRENTE")[1].count(b"<tr>") < 31:
        time.sleep(0.1)
    status, page = Pages(node.web).get("/ward/TRENTE")
    print(f"# the page: {status}, {len(page)} bytes")
    if shutil.which("wrk"):
        used = cpu_s(node, "web")
        out = subprocess.run(["wrk", "-t1", "-c8", "-d8s", "--latency", node.web + "ward/TRENTE"], capture_output=True, text=True).stdout
        line("web_ward_page", float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), "pages/s")
        used = cpu_s(node, "web") - used
        line("web_ward_page_processor", used * 1e6 / int(re.search(r"(\d+) requests in", out).group(1)), "us/page")
        print("# " + " ".join(out.split()))
    else:
        print("# wrk is not installed: the figure of pages/s is left out (apt-get install wrk)")
    # 500 a second, evenly, on four kept connections.
    samples, lock = [], threading.Lock()

    def paced(number):
        pages, due = Pages(node.web), time.monotonic() + number * 0.002
        for _ in range(750):
            time.sleep(max(0, due - time.monotonic()))
            start = time.monotonic()
            pages.get("/ward/TRENTE")
            with lock:
                samples.append((time.monotonic() - start) * 1000)
            due += 0.008

    threads = [threading.Thread(target=paced, args=(n,)) for n in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    line("web_ward_page_at_500", sorted(samples)[len(samples) // 2], "ms", samples)
finally:
    node.close()
